"""The pace at which a service is asked: how many at one time, and the pauses that it asks for or needs."""

from __future__ import annotations

import threading
import time

import pytest

from ftrun.concurrency import StoppedError
from ftrun.targets import pace
from ftrun.targets.errors import ServiceError
from ftrun.targets.limits import NO_LIMITS, RateLimit, RateLimits, duration, limits_of
from ftrun.targets.pace import Ending, Pace, Paces, Turn

PATIENCE = 60.0  # seconds


def refusal(code: str = "rate_limited", **facts: object) -> ServiceError:
    """Return the error of a refused request."""
    return ServiceError("no", code=code, **facts)  # type: ignore[arg-type]


def begin(paced: Pace, number: int) -> list[Turn]:
    """Begin so many requests."""
    turns = [Turn() for _ in range(number)]
    for turn in turns:
        paced.begin(turn, 1)
    return turns


def test_the_number_grows_while_the_service_takes_what_it_gets() -> None:
    """An answer lets four begin, so the number quadruples per round, up to the most."""
    paced, seen = Pace(100, first=8), []
    for _ in range(3):
        seen.append(paced.number)
        begin(paced, paced.number - paced.running)
        for _ in range(paced.running):
            paced.answered(NO_LIMITS)
            begin(paced, paced.number - paced.running)
    assert seen == [8, 32, 100]


def test_one_question_at_a_time_stays_one() -> None:
    """`concurrency: 1` is the ceiling."""
    paced = Pace(1)
    for _ in range(5):
        begin(paced, 1)
        paced.answered(NO_LIMITS)
    assert paced.number == 1


def test_refusals_lower_the_number_to_what_was_taken() -> None:
    """Of 64 at once 14 are refused: 50 were taken, and so many are asked from then on."""
    paced = Pace(100, first=64)
    turns = begin(paced, 64)
    for turn in turns[50:]:
        assert paced.failed(turn, refusal()) > 0
    assert (paced.number, paced.running) == (50, 50)


def test_the_pause_that_a_service_asks_for_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing begins before Retry-After is over, whoever asks."""
    paced = Pace(4)
    (turn,) = begin(paced, 1)
    start = time.monotonic()
    assert paced.failed(turn, refusal(retry_after=0.3)) == 0.0
    begin(paced, 1)
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize(
    "limits",
    [
        RateLimits(requests=RateLimit(left=0, reset=0.3)),
        RateLimits(tokens=RateLimit(left=0, reset=0.3)),
        RateLimits(requests=RateLimit(left=9, reset=9.0), tokens=RateLimit(left=0, reset=0.3)),
    ],
)
def test_a_service_that_takes_nothing_is_left_alone_until_it_does(limits: RateLimits) -> None:
    """An answer says that nothing is left: the next request waits until the limit is reset."""
    paced = Pace(4)
    begin(paced, 1)
    start = time.monotonic()
    paced.answered(limits)
    begin(paced, 1)
    assert time.monotonic() - start >= 0.3


def test_no_more_begin_than_the_service_takes() -> None:
    """Two requests are left: the third waits for the reset, though more may run at one time."""
    paced = Pace(8)
    begin(paced, 1)
    start = time.monotonic()
    paced.answered(RateLimits(requests=RateLimit(left=2, reset=0.3)))
    begin(paced, 2)
    assert time.monotonic() - start < 0.3
    begin(paced, 1)
    assert time.monotonic() - start >= 0.3


@pytest.mark.parametrize(
    "error",
    [
        refusal("daily_limit"),
        refusal("quota"),
        refusal("wrong_key"),
        refusal("refused"),
        refusal(retry_after=3600.0),
        refusal("api_error", retry_after=3600.0),
    ],
)
def test_what_waiting_does_not_help_is_not_waited_for(error: ServiceError) -> None:
    """A daily limit, no credit, a pause of an hour: the error is raised at once."""
    paced = Pace(4)
    (turn,) = begin(paced, 1)
    with pytest.raises(ServiceError) as raised:
        paced.failed(turn, error)
    assert raised.value is error and paced.running == 0


def test_refusing_everything_for_long_is_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that gives no answer for a quarter of an hour is broken."""
    monkeypatch.setattr(pace, "REFUSING", 0.0)
    monkeypatch.setattr(pace, "FIRST_PAUSE", 0.001)
    paced, turn = Pace(4), Turn()
    paced.begin(turn, 1)
    paced.failed(turn, refusal())
    paced.begin(turn, 1)
    with pytest.raises(ServiceError):
        paced.failed(turn, refusal())


def test_a_broken_service_is_not_asked_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing but errors comes back, each round is smaller, and few rounds are the end."""
    monkeypatch.setattr(pace, "FIRST_PAUSE", 0.001)
    paced, asked = Pace(50, first=32), 0
    with pytest.raises(ServiceError):
        while True:
            turns = begin(paced, paced.number)
            asked += len(turns)
            for turn in turns:
                time.sleep(paced.failed(turn, refusal("api_error", lost=True)))
    assert asked < 100


def test_one_request_is_lost_a_few_times_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each try may be billed, so there are few, also where other answers come."""
    monkeypatch.setattr(pace, "FIRST_PAUSE", 0.0)
    paced, turn, tries = Pace(4), Turn(), 0
    with pytest.raises(ServiceError):
        while True:
            begin(paced, 1)
            paced.answered(NO_LIMITS)
            paced.begin(turn, 1)
            tries += 1
            paced.failed(turn, refusal("unreachable", lost=True))
    assert tries == pace.TRIES


def test_nobody_polls() -> None:
    """A request that waits for its turn uses no processor, and begins the moment another has ended."""
    paced, began = Pace(1), threading.Event()
    begin(paced, 1)

    def wait() -> None:
        begin(paced, 1)
        began.set()

    thread = threading.Thread(target=wait, daemon=True)
    used = time.process_time()
    thread.start()
    assert not began.wait(0.5)
    assert time.process_time() - used < 0.2
    paced.answered(NO_LIMITS)
    assert began.wait(PATIENCE)


def test_those_that_wait_end_when_nothing_more_is_asked() -> None:
    """Neither a turn nor a pause outlives the run."""
    paced, ended = Pace(1), []
    begin(paced, 1)

    def wait() -> None:
        try:
            begin(paced, 1)
        except StoppedError:
            ended.append("turn")

    def rest() -> None:
        paced.rest(PATIENCE)
        ended.append("pause")

    threads = [threading.Thread(target=one, daemon=True) for one in (wait, rest)]
    for thread in threads:
        thread.start()
    paced.stop()
    for thread in threads:
        thread.join(PATIENCE)
    assert sorted(ended) == ["pause", "turn"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0),
        ("120ms", 0.12),
        ("1m0s", 60.0),
        ("1.5", 1.5),
        ("0s", 0.0),
        ("6m0s", None),
        ("24h", None),
        ("", None),
        ("soon", None),
        ("-1s", None),
        ("1s!", None),
        ("9" * 400, None),
    ],
)
def test_durations_are_read_as_services_write_them(text: str, seconds: float | None) -> None:
    """What can't be read, or is too long for a pause, limits nothing."""
    assert duration(text) == seconds


def test_headers_are_read() -> None:
    """OpenAI's names; nonsense counts as missing."""
    told = {
        "x-ratelimit-limit-requests": "500",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "120ms",
        "x-ratelimit-remaining-tokens": "many",
        "x-ratelimit-reset-tokens": "1s",
    }
    found = limits_of(told)
    assert (found.requests, found.tokens) == (RateLimit(left=0, reset=0.12), RateLimit(left=None, reset=1.0))
    assert (found.pause, limits_of({}), NO_LIMITS.pause) == (0.12, NO_LIMITS, None)


def test_who_shares_a_pace_ends_alone() -> None:
    """The requests of one end, those of the other begin as soon as there is room."""
    paced, ours, theirs, ended = Pace(1), Ending(), Ending(), list[str]()
    (running,) = begin(paced, 1)

    def ask(name: str, ending: Ending) -> None:
        try:
            paced.begin(Turn(ending=ending), 1)
            ended.append(f"{name} began")
        except StoppedError:
            ended.append(f"{name} stopped")

    threads = [
        threading.Thread(target=ask, args=one, daemon=True) for one in (("ours", ours), ("theirs", theirs))
    ]
    for thread in threads:
        thread.start()
    paced.stop(ours)
    threads[0].join(PATIENCE)
    assert ended == ["ours stopped"]
    paced.answered(NO_LIMITS)
    threads[1].join(PATIENCE)
    assert ended == ["ours stopped", "theirs began"] and running.lost == 0


def test_one_pace_for_each_service() -> None:
    """The first who asks makes it."""
    paces = Paces()
    first = paces.of("a", lambda: Pace(3))
    assert paces.of("a", lambda: Pace(4)) is first and paces.of("b", lambda: Pace(4)).most == 4
