"""Answers that are lost, late, wrong or refused: no second job, and in the end the result (R3, R4)."""

from __future__ import annotations

import itertools
import random
import time
from pathlib import Path

import pytest

from reliability.conftest import CREATE, FULL, WORDS, Runs, at_once, finished, make_project, sound
from support.provider import Call, Fault, Provider

HOW: tuple[Fault, ...] = ("lose", "half", "html", "empty")
LATE = (0.0, 0.3, 1000.0)  # seconds until lists show the job; the settle window is 0.5
LISTS = ("plain", "ignored", "refused", "stripped")
CASES = list(itertools.product(HOW, LATE, LISTS))


def only(name: str, fault: Fault, call: Call) -> Fault:
    """Return the fault for calls of that name."""
    return fault if call.name == name else ""


@pytest.mark.parametrize(("how", "late", "lists"), CASES if FULL else CASES[::5])
def test_a_create_whose_answer_is_lost_makes_one_job(
    runs: Runs, provider: Provider, place: Path, how: Fault, late: float, lists: str
) -> None:
    """However the answer is lost and however late or bare the list is, the job is found and none is added."""
    provider.plan = lambda call: only(CREATE, how, call)
    provider.hidden = late
    provider.ignore_filter, provider.strip_metadata = lists == "ignored", lists == "stripped"
    provider.refuse_filter = lists == "refused"
    run = runs(place)
    if late > 0.5:
        assert run.error_code == "unclear"
        assert (run.wait(), len(provider.jobs)) == (4, 1)
        provider.hidden = 0.0
        run = runs(place)
    finished(provider, place, run)


@pytest.mark.parametrize("back", [True, False])
def test_a_network_that_is_lost_with_the_answer_is_waited_for(
    runs: Runs, provider: Provider, place: Path, back: bool
) -> None:
    """The job is looked for again when the network is back; if it stays away the run says what is unclear."""
    lost: list[float] = []

    def plan(call: Call) -> Fault:
        if call.name == CREATE:
            lost.append(time.monotonic() + 1.0)
            return "lose"
        away = bool(lost) and (not back or time.monotonic() < lost[0])
        return "drop" if away else ""

    text = (place / "toy.yaml").read_text(encoding="utf-8")
    settle = "20s" if back else "0.2s"
    (place / "toy.yaml").write_text(text.replace("settle: 0.5s", f"settle: {settle}"), encoding="utf-8")
    provider.plan = plan
    run = runs(place)
    if not back:
        assert (run.wait(), run.error_code) == (4, "unclear")
        provider.plan = lambda call: ""
        run = runs(place)
    finished(provider, place, run)


@pytest.mark.parametrize("status", ["500", "503"])
def test_a_server_error_may_have_made_a_job(
    runs: Runs, provider: Provider, place: Path, status: Fault
) -> None:
    """A 5xx to the create is never answered with another create: a person decides, who may look first."""
    provider.plan = lambda call: only(CREATE, status, call)
    run = runs(place)
    assert (run.wait(), run.error_code) == (4, "unclear")
    assert [call.name for call in provider.calls].count(CREATE) == 1
    provider.plan = lambda call: ""
    assert runs(place).error_code == "unclear"
    finished(provider, place, runs(place, *WORDS, "--confirm-not-created"))


def test_a_redirected_create_is_not_followed(runs: Runs, provider: Provider, place: Path) -> None:
    """A redirect is no answer to a create: it is sent once, to the named server."""
    provider.plan = lambda call: only(CREATE, "307", call)
    assert runs(place).wait() in (1, 4)
    assert [call.name for call in provider.calls].count(CREATE) == 1


def test_an_upload_whose_answer_is_lost_is_not_repeated(runs: Runs, provider: Provider, place: Path) -> None:
    """The next run finds the file by name and size."""
    provider.plan = lambda call: only("POST /files", "lose", call)
    assert runs(place).wait() != 3
    provider.plan = lambda call: ""
    finished(provider, place, runs(place))
    assert len(provider.files) == 2


def test_a_third_of_all_answers_fails(runs: Runs, tmp_path: Path) -> None:
    """With 30 % of all answers refused, cut, late or lost, a few runs do it all, once, without haste."""

    def prepare(seed: int) -> tuple[Provider, Path]:
        chance = random.Random(seed)
        kinds: tuple[Fault, ...] = ("429", "500", "503", "drop", "lose", "slow", "half")
        provider = Provider(plan=lambda call: chance.choice(kinds) if chance.random() < 0.3 else "").start()
        return provider, make_project(tmp_path / str(seed), provider)

    def go_on(provider: Provider, place: Path) -> None:
        words: tuple[str, ...] = WORDS
        for _attempt in range(12):
            run = runs(place, *words)
            sound(provider, place)
            if run.wait() == 0:
                break
            error = run.document["error"]
            assert error["hint"], error
            looked = error["code"] == "unclear" and not provider.jobs
            words = (*WORDS, "--confirm-not-created") if looked else WORDS
        finished(provider, place, run)
        assert len(provider.calls) < 400, "it asks in a hurry"
        provider.close()

    at_once(go_on, [prepare(seed) for seed in range(60 if FULL else 4)])
