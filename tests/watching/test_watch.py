"""Waiting: through lost networks, sleep and limits, at next to no cost, for as long as it takes."""

from __future__ import annotations

import os
import resource
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from ftrun.errors import FtrunError, PendingError
from ftrun.experiment.model import StopWhen
from ftrun.targets import Event, Job
from ftrun.targets.errors import ServiceError
from ftrun.watching import watch as watching
from ftrun.watching.stop_rules import StopRules
from ftrun.watching.watch import Pace
from watching.looking import DONE, Look, Looking, job, watch_of

ALL = bool(os.environ.get("FTRUN_TEST_ALL"))


def raising(error: Exception, until: int) -> Look:
    """Return a script that raises until look `until`, and then succeeds."""

    def look(number: int) -> Job:
        if number < until:
            raise error
        return job(**DONE)

    return look


def test_statuses_nobody_knows_are_not_the_end() -> None:
    """Only succeeded with a model, failed and cancelled end the wait."""
    statuses = ["validating_files", "pending", "pausing", "paused", "moderating", "unknown", "running"]
    service = Looking(lambda number: job(statuses[number - 1]) if number <= 7 else job(**DONE))
    assert watch_of(service).until_the_end().succeeded
    assert service.looks == 8


def test_the_model_may_get_its_name_later() -> None:
    """Success without a model is waited for, and bounded."""
    service = Looking(lambda number: job("succeeded") if number < 5 else job(**DONE))
    assert watch_of(service).until_the_end().fine_tuned_model == "ft:m"


def test_success_without_a_model_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that never names a model is an error in words, not an endless wait."""
    monkeypatch.setattr(watching, "NAMELESS", 0.05)
    service = Looking(lambda number: job("succeeded"))
    with pytest.raises(FtrunError, match="does not name the model"):
        watch_of(service, sleep=lambda seconds: time.sleep(0.02)).until_the_end()


@pytest.mark.parametrize("code", ["unreachable", "api_error", "unreadable_answer"])
def test_a_lost_network_is_lived_through_on_new_connections(code: str) -> None:
    """After a laptop's sleep each look has a connection of its own until one works."""
    service = Looking(raising(ServiceError("gone", code=code), 20))
    notes: list[str] = []
    watch_of(service, emit=lambda kind, **data: notes.append(kind)).until_the_end()
    assert service.connections == 20
    assert notes.count("note") == 1


def test_a_server_that_stays_away_is_come_back_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """After hours without the server the job still keeps running: 75, no failure."""
    monkeypatch.setattr(watching, "SERVER_GONE", 0.05)
    service = Looking(raising(ServiceError("gone", code="unreachable"), 10**9))
    with pytest.raises(PendingError):
        watch_of(service, sleep=lambda seconds: time.sleep(0.02)).until_the_end()


@pytest.mark.parametrize("code", ["wrong_key", "not_found", "refused", "quota", "redirected"])
def test_what_waiting_does_not_mend_ends_it(code: str) -> None:
    """A refusal is not asked again and again."""
    service = Looking(raising(ServiceError("no", code=code), 3))
    with pytest.raises(ServiceError):
        watch_of(service).until_the_end()
    assert service.looks == 1


def test_retry_after_is_obeyed_also_beyond_two_minutes() -> None:
    """The server's wish is a floor: 900 s are 900 s."""
    service = Looking(raising(ServiceError("slow", code="rate_limited", retry_after=900.0), 2))
    sleeps: list[float] = []
    watch_of(service, sleeps).until_the_end()
    assert sleeps == [900.0]


@pytest.mark.parametrize("error", [{"code": "daily_limit"}, {"code": "rate_limited", "retry_after": 40000.0}])
def test_a_daily_limit_is_not_waited_out(error: dict[str, Any]) -> None:
    """A night is not slept through in a process: 75, and when to come back."""
    service = Looking(raising(ServiceError("limit", hint="Come back after 09:00.", **error), 2))
    with pytest.raises(PendingError) as caught:
        watch_of(service).until_the_end()
    assert caught.value.problem.hint == "Come back after 09:00."


def test_max_wait_is_kept_whatever_the_server_asks() -> None:
    """A rest never goes beyond --max-wait."""
    service = Looking(raising(ServiceError("slow", code="rate_limited", retry_after=900.0), 10**9))
    start = time.monotonic()
    with pytest.raises(PendingError):
        watch_of(service, sleep=time.sleep, max_wait=0.2).until_the_end()
    assert time.monotonic() - start < 90


def test_rests_grow_without_news_and_end_with_the_job() -> None:
    """1, 1.5, 2.25 … 30 s; shorter again after news and near the expected end."""
    pace = Pace(shortest=1.0, longest=30.0)
    quiet = [pace.after(news=False, left=None, asked=None, spent=0.0) for _ in range(12)]
    assert quiet[:3] == [1.0, 1.5, 2.25] and quiet[-1] == 30.0
    assert pace.after(news=False, left=4.0, asked=None, spent=0.0) == 4.0
    assert pace.after(news=True, left=None, asked=None, spent=0.0) == 1.0


def test_a_look_is_followed_by_a_hundred_times_its_own_rest() -> None:
    """Whatever looks cost, waiting stays below one percent of a processor, save for the first seconds."""
    pace = Pace(shortest=0.2, longest=5.0)
    rests = [pace.after(news=True, left=None, asked=None, spent=0.02) for _ in range(40)]
    assert (rests[0], rests[-1]) == (0.2, 2.0)
    assert sum(rests) > 40 * 0.02 * 60


def test_what_a_look_costs_delays_no_notice_of_the_end() -> None:
    """Rests are short around the expected end, which is told in whole seconds, and not long after it."""
    pace = Pace(shortest=0.2, longest=5.0, credit=0.0)
    for left, rest in ((9.0, 2.0), (1.0, 1.0), (-0.9, 0.2), (-60.0, 2.0)):
        assert pace.after(news=True, left=left, asked=None, spent=0.02) == rest


def test_who_wants_quick_looks_gets_them() -> None:
    """`poll.max` is the longest rest, whatever a look costs."""
    pace = Pace(shortest=0.02, longest=0.1, credit=0.0)
    assert pace.after(news=True, left=None, asked=None, spent=0.02) == 0.1


def event(number: int) -> Event:
    """Return a step event."""
    data = {"step": number, "train_loss": 1.0, "valid_loss": 1.0, "kind": "x", "job_id": "y"}
    return Event(id=f"e{number}", created_at=number, level="info", message="m", data=data)


def test_each_event_is_told_once() -> None:
    """Of what was there at first the last three, then each new one once, in order."""
    told: list[Any] = []

    def emit(kind: str, **data: Any) -> None:
        if kind == "step":
            told.append(data["step"])

    service = Looking(
        lambda number: job() if number < 4 else job(**DONE), lambda look: [event(n) for n in range(look * 4)]
    )
    watch_of(service, emit=emit).until_the_end()
    assert told == [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]


def descriptors() -> int:
    """Return how many files and sockets this process has open."""
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


def test_looking_for_ever_takes_no_memory() -> None:
    """100,000 looks (2,000 in the usual run), always with new events: flat memory, no descriptor more."""
    looks = 100_000 if ALL else 2_000
    service = Looking(
        lambda number: job() if number < looks else job(**DONE),
        lambda look: [event(n) for n in range(look, look + 100)],
    )
    watch = watch_of(service, stop_rules=StopRules(when=StopWhen(validation_worse=10**9, diverges=True)))
    marks: list[int] = []
    open_before = descriptors()

    def sleep(seconds: float) -> None:
        if service.looks in (looks // 4, looks - 1):
            marks.append(tracemalloc.get_traced_memory()[0])

    watch.sleep = sleep
    tracemalloc.start()
    try:
        watch.until_the_end()
    finally:
        tracemalloc.stop()
    assert service.looks == looks
    assert marks[1] - marks[0] < 20_000, marks
    assert descriptors() <= open_before


def test_waiting_costs_under_one_percent() -> None:
    """Processor time of looks at a usual pace, as a share of the time waited."""
    service = Looking(lambda number: job() if number < 200 else job(**DONE), lambda look: [])
    rests: list[float] = []
    before = resource.getrusage(resource.RUSAGE_SELF)
    watch_of(service, rests).until_the_end()
    after = resource.getrusage(resource.RUSAGE_SELF)
    assert after.ru_utime - before.ru_utime < 0.01 * sum(rests)
