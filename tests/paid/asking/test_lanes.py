"""Many questions at once, each answered once: pace, lost answers, budgets, several targets, tool calls."""

from __future__ import annotations

import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest

from ftrun.errors import DecisionError, FtrunError
from ftrun.paid.asking.answering import AnswerCosts
from ftrun.paid.asking.lanes import Asking
from ftrun.state.ledger import effects, read_ledgers
from ftrun.targets import ServiceError
from paid.conftest import Ask, request, said
from support.scripted_server import Answer, Asked, refusal

PATIENCE = 60.0  # seconds
LONG = {"prompt_tokens": 10, "completion_tokens": 9_990}  # US$0.01 at US$1 a million


class Crowd:
    """Answers after a pause and counts; more than `most` at once are refused."""

    def __init__(self, most: int = 1000, seconds: float = 0.02, usage: dict[str, int] | None = None) -> None:
        self.most, self.seconds, self.usage = most, seconds, usage
        self.running = self.peak = self.refused = self.answers = 0
        self.lock = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:
        with self.lock:
            if self.running >= self.most:
                self.refused += 1
                return refusal(429, "too many concurrent requests", "rate_limit_exceeded")
            self.running += 1
            self.peak = max(self.peak, self.running)
        time.sleep(self.seconds)
        with self.lock:
            self.running -= 1
            self.answers += 1
        return said(asked, self.usage)


def test_questions_are_asked_at_once_and_each_once(asker: Ask) -> None:
    """Each reply belongs to its question, and none is asked twice."""
    crowd = Crowd()
    one = asker(crowd)
    replies = one.ask([request(number) for number in range(60)])
    assert {key: reply.text for key, reply in replies.items()} == {
        f"{number} base": f"m: 質問{number}" for number in range(60)
    }
    assert crowd.answers == 60 and crowd.peak > 4


def test_the_file_sets_the_ceiling(asker: Ask) -> None:
    """`targets.T.concurrency` is how many are asked at one time at most."""
    crowd = Crowd()
    one = asker(crowd)
    one.set(concurrency=3)
    one.ask([request(number) for number in range(30)])
    assert (crowd.peak, crowd.answers) == (3, 30)


def test_a_limit_is_found_and_kept_to(asker: Ask) -> None:
    """A server that takes four at once gets four: what it refuses is asked again, and few are refused."""
    crowd = Crowd(most=4)
    one = asker(crowd)
    assert len(one.ask([request(number) for number in range(80)])) == 80
    assert (crowd.peak, crowd.answers) == (4, 80) and crowd.refused < 40
    assert one.costs is not None and one.costs.lost == 0


def test_retry_after_is_obeyed_by_all(asker: Ask) -> None:
    """After a refusal with Retry-After nothing is sent until then, and no try is left out."""
    times, sent = list[float](), itertools.count()

    def script(asked: Asked) -> Answer:
        times.append(time.monotonic())
        if next(sent) == 0:
            return refusal(429, "slow down", None, {"Retry-After": "0.5"})
        return said(asked)

    one = asker(script)
    one.set(concurrency=1)
    one.ask([request(number) for number in range(3)])
    assert len(times) == 4 and times[1] - times[0] >= 0.5


def test_milliseconds_are_obeyed_too(asker: Ask) -> None:
    """OpenAI and Azure say it twice: in whole seconds, and exactly."""
    times, sent = list[float](), itertools.count()

    def script(asked: Asked) -> Answer:
        times.append(time.monotonic())
        pauses = {"Retry-After": "60", "retry-after-ms": "200"}
        return refusal(429, "slow down", None, pauses) if next(sent) == 0 else said(asked)

    asker(script).ask([request(0)])
    assert len(times) == 2 and times[1] - times[0] >= 0.2


def test_headers_that_say_nothing_is_left_are_heeded(asker: Ask) -> None:
    """Without one refusal: the service said before what it takes."""
    times = list[float]()

    def script(asked: Asked) -> Answer:
        times.append(time.monotonic())
        left = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "300ms"}
        return Answer(said(asked).body, headers=left if len(times) == 1 else {})

    one = asker(script)
    one.set(concurrency=1)
    one.ask([request(number) for number in range(3)])
    assert len(times) == 3 and times[1] - times[0] >= 0.3


@pytest.mark.parametrize(
    ("code", "message", "told"),
    [
        ("rate_limit_exceeded", "Limit reached for requests per day", "daily_limit"),
        ("insufficient_quota", "You exceeded your current quota", "quota"),
    ],
)
def test_what_does_not_pass_is_not_waited_for(asker: Ask, code: str, message: str, told: str) -> None:
    """A daily limit and an empty account end it; few more than were on their way are asked."""
    one = asker(lambda asked: refusal(429, message, code))
    with pytest.raises(ServiceError) as raised:
        one.ask([request(number) for number in range(200)])
    assert raised.value.code == told and len(one.servers[0].asked) <= 16


FAULTS: tuple[Callable[[Asked], Answer], ...] = (
    lambda asked: refusal(429, "slow down"),
    lambda asked: refusal(429, "slow down", None, {"Retry-After": "0.01"}),
    lambda asked: refusal(503, "overloaded"),
    lambda asked: Answer(b"<html>502</html>", 502, {"Content-Type": "text/html"}),
    lambda asked: Answer(b"<html>log in</html>", 200, {"Content-Type": "text/html"}),
    lambda asked: Answer(said(asked).body, cut="half"),
    lambda asked: Answer(b"", cut="whole"),
    lambda asked: Answer(b"{}"),
)


@pytest.mark.parametrize("seed", range(6))
def test_faults_change_no_answer(asker: Ask, seed: int) -> None:
    """30 % of all answers are refused or lost: in the end they are the same, and each lost one is counted."""
    chance, lock, lost = random.Random(seed), threading.Lock(), Counter[str]()

    def script(asked: Asked) -> Answer:
        with lock:
            if chance.random() > 0.3:
                return said(asked)
            fault = chance.randrange(len(FAULTS))
            lost["lost"] += fault > 1
        return FAULTS[fault](asked)

    one = asker(script)
    replies = one.ask([request(number) for number in range(60)])
    assert {key: reply.text for key, reply in replies.items()} == {
        f"{number} base": f"m: 質問{number}" for number in range(60)
    }
    assert one.costs is not None and one.costs.lost == lost["lost"]
    words = f"answers lost on their way, or replaced by a server error: {lost['lost']}; they"
    assert words in one.warnings() or not lost["lost"]


def test_a_lost_answer_counts_as_paid(asker: Ask) -> None:
    """The server may have billed it: at its full length it is in the sum, and in what is reported."""
    faults = iter([Answer(b"", cut="whole"), refusal(503)])
    one = asker(lambda asked: next(faults, None) or said(asked))
    one.set(concurrency=1)
    one.ask([request(0)])
    assert one.costs is not None and one.costs.lost == 2
    assert one.costs.lost_usd == pytest.approx(2 * 110e-6, rel=0.1)
    assert one.costs.usd == pytest.approx(30e-6 + one.costs.lost_usd)
    assert "and count as up to US$0.0002" in one.warnings()


def test_a_refusal_costs_nothing(asker: Ask) -> None:
    """What a limit refused was never answered: nothing is counted or reported."""
    faults = iter([refusal(429)] * 3)
    one = asker(lambda asked: next(faults, None) or said(asked))
    one.ask([request(0)])
    assert one.costs is not None
    assert (one.costs.lost, one.warnings()) == (0, "") and one.costs.usd == pytest.approx(30e-6)


def test_a_broken_server_is_asked_a_few_times(asker: Ask) -> None:
    """Nothing but server errors: it ends with that error, after few requests."""
    one = asker(lambda asked: refusal(500, "kaputt"))
    with pytest.raises(ServiceError, match="kaputt"):
        one.ask([request(number) for number in range(100)])
    assert len(one.servers[0].asked) < 40


@pytest.mark.parametrize("usd", [0.055, 0.2])
def test_many_at_once_stay_within_the_budget(asker: Ask, usd: float) -> None:
    """Answers cost a hundred times what they should: after the first one that is known, and the budget is
    exceeded by one answer at most, with as many at once as fit.
    """
    crowd = Crowd(usage=LONG)
    one = asker(crowd)
    one.set(budget=usd, concurrency=20)
    with pytest.raises(DecisionError, match=r"would exceed `budget\.usd`") as raised:
        one.ask([request(number) for number in range(60)])
    assert raised.value.code == "over_budget"
    assert usd - 0.01 <= 0.01 * crowd.answers <= usd + 0.01
    assert len(one.came) == crowd.answers and one.context.spent == pytest.approx(0.01 * crowd.answers)
    assert usd < 0.1 or crowd.peak > 3


def test_a_budget_is_used_up_by_many_at_once(asker: Ask) -> None:
    """Where answers cost what they should, the budget stops them just before it, and not earlier."""
    crowd = Crowd()
    one = asker(crowd)
    one.set(budget=2000e-6)
    with pytest.raises(DecisionError):
        one.ask([request(number) for number in range(90)])
    assert 55 <= crowd.answers <= 66, "each costs 30e-6, and may cost 113e-6"
    assert crowd.peak > 3


def test_lost_answers_use_up_the_budget(asker: Ask) -> None:
    """A server that loses everything can't cost more than the budget."""
    one = asker(lambda asked: Answer(b"", cut="whole"))
    one.set(budget=250e-6)
    with pytest.raises(FtrunError):
        one.ask([request(number) for number in range(9)])
    assert len(one.servers[0].asked) <= 3
    assert one.costs is not None and (one.costs.usd or 0) <= 360e-6


def test_other_targets_are_asked_beside(asker: Ask) -> None:
    """Each with its own key, price and pace; one that is slow holds up no other."""
    crowd, slow = Crowd(), threading.Event()

    def other(asked: Asked) -> Answer:
        assert slow.wait(PATIENCE)
        return said(asked)

    one = asker(crowd, other)
    both = [request(number, target=target) for number in range(5) for target in (None, "other")]
    asking = threading.Thread(target=one.ask, args=[both], daemon=True)
    asking.start()
    until = time.monotonic() + PATIENCE
    while crowd.answers < 5 and time.monotonic() < until:
        time.sleep(0.01)
    slow.set()
    asking.join(PATIENCE)
    assert one.came["3 far"].text == "o: 質問3" and len(one.came) == 10
    keys = [{asked.headers["Authorization"] for asked in server.asked} for server in one.servers]
    assert len(keys[0] | keys[1]) == 2 and not keys[0] & keys[1]
    assert one.costs is not None and one.costs.usd == pytest.approx(5 * 30e-6 + 5 * 3000e-6)


def test_an_error_names_the_other_target(asker: Ask) -> None:
    """It says which target of the file refused; the answers of the others are kept."""
    one = asker(other=lambda asked: refusal(401, "no such key"))
    with pytest.raises(ServiceError, match="target 'other': asking o: HTTP 401"):
        one.ask([request(0), request(0, target="other")])
    one.ask([request(0)])
    assert one.came["0 base"].text == "m: 質問0"


def test_no_key_is_said_before_anything_is_asked(asker: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Connecting comes first, for all targets."""
    one = asker()
    monkeypatch.delenv("OTHER_KEY")
    with pytest.raises(FtrunError, match="target 'other' needs a key"):
        one.ask([request(0), request(0, target="other")])
    assert one.servers[0].asked == []


def test_tools_are_sent_and_calls_come_back(asker: Ask) -> None:
    """As the API has them; a text beside them is not needed."""
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "東京"}'}}
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    one = asker(lambda asked: Answer({"choices": [{"message": message, "finish_reason": "tool_calls"}]}))
    reply = one.ask([request(0, tools=(tool,))])["0 base"]
    assert (reply.text, reply.tool_calls) == ("", (call,))
    assert one.servers[0].asked[0].body["tools"] == [tool]
    assert reply.usage["prompt_tokens"] > 20 and reply.usage["completion_tokens"] > 10


def test_refused_tools_name_the_question(asker: Ask) -> None:
    """A server that takes no tools says so: the hint is not about sampling."""
    one = asker(lambda asked: refusal(400, "tools is not supported with this model"))
    with pytest.raises(ServiceError) as raised:
        one.ask([request(0, tools=({"type": "function", "function": {"name": "f"}},))])
    assert "doesn't support tools" in str(raised.value.problem.hint)


def test_nothing_is_asked_of_nobody(asker: Ask) -> None:
    """Where all answers are kept no connection is made."""
    one = asker()
    assert one.ask([]) == {} and one.servers[0].asked == []


def test_waits_say_how_far_it_is(asker: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    """How many came of how many, from where, and about how long the rest takes."""
    said_of_waits: list[str] = []
    monkeypatch.setattr("ftrun.waiting._say", [said_of_waits.append])
    monkeypatch.setattr("ftrun.waiting.PAUSES", (0.05,) * 40)
    one = asker(Crowd(seconds=0.1))
    one.set(concurrency=2)
    one.ask([request(number) for number in range(6)])
    assert any(f"answers from {one.servers[0].origin}" in text for text in said_of_waits)
    assert any("of 6 received, 2 in progress, about" in text for text in said_of_waits)


def test_a_caller_that_stops_ends_it(asker: Ask) -> None:
    """As Ctrl-C does: nothing more is asked, and what was on its way is left."""
    crowd = Crowd()
    one = asker(crowd)
    from ftrun.paid.asking.answering import AnswerCosts

    with AnswerCosts(one.context, 500) as costs:
        replies = Asking(one.context, costs).ask_all([request(number) for number in range(500)])
        next(replies)
        del replies
    time.sleep(0.2)
    assert crowd.answers + crowd.running < 30


def test_what_was_on_its_way_when_a_caller_stopped_counts_as_paid(asker: Ask) -> None:
    """Ctrl-C leaves answers on their way: the server may bill them, so the ledger has them; it is said."""
    release, count = threading.Event(), itertools.count(1)

    def slow(asked: Asked) -> Answer:
        number, until = next(count), time.monotonic() + PATIENCE
        while number == 2 and len(one.servers[0].asked) < 5 and time.monotonic() < until:
            time.sleep(0.01)
        assert number < 3 or release.wait(PATIENCE)
        return said(asked)

    one = asker(slow)
    one.set(concurrency=4)
    with pytest.raises(KeyboardInterrupt), AnswerCosts(one.context, 9) as costs:
        replies = Asking(one.context, costs).ask_all([request(number) for number in range(9)])
        while costs.answered < 2:
            costs.after(len(next(replies)))
        del replies
        raise KeyboardInterrupt
    release.set()
    assert (costs.answered, costs.lost) == (2, 3)
    assert costs.usd == pytest.approx(2 * 30e-6 + 3 * 109e-6)
    assert "that nobody waits for now: 3; they may be billed" in one.warnings()
    (charge,) = effects(read_ledgers([one.context.folder / "ledger.jsonl"]))
    assert charge.usd == pytest.approx(costs.usd)
