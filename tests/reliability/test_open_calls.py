"""A create without an answer is forgotten by nothing that comes after, and sent again only as agreed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from reliability.conftest import CREATE, WORDS, Runs, finished
from reliability.test_hostile_users import change
from support.provider import Fault, Provider

REPAIR = ("state", "repair", "toy.yaml", "--target", "paid", "--json")


def answers(provider: Provider, *faults: Fault) -> None:
    """Let the creates meet these faults, one after the other, and none after them."""
    left = list(faults)
    provider.plan = lambda call: left.pop(0) if call.name == CREATE and left else ""


def creates(provider: Provider) -> int:
    """Return how many creates were sent."""
    return [call.name for call in provider.calls].count(CREATE)


def resend(place: Path, more: str = "") -> None:
    """Let the experiment send an unclear create once more by itself."""
    change(place, "version: 1\n", f"version: 1\nbudget: {{usd: 5, unclear: {{resend_after: 0.1s}}{more}}}\n")


def test_a_state_from_before_the_create_is_refused_and_repaired(
    runs: Runs, provider: Provider, place: Path
) -> None:
    """`git checkout` of an earlier state does not make the next run forget what may have been paid."""
    state = place / "runs/toy/paid/state.json"
    assert runs(place, *WORDS, "--until", "upload").wait() == 0
    earlier = state.read_bytes()
    provider.hidden = 1000.0
    answers(provider, "lose")
    assert runs(place).error_code == "unclear"
    state.write_bytes(earlier)
    run = runs(place)
    assert (run.wait(), run.error_code, creates(provider)) == (4, "state_older", 1)
    assert "repair toy.yaml --target paid" in run.document["error"]["hint"]
    assert runs(place, *REPAIR).document["source"] == "the state and its backup"
    assert runs(place).error_code == "unclear"
    provider.hidden = 0.0
    finished(provider, place, runs(place))
    assert creates(provider) == 1


def test_a_run_killed_while_sending_is_sent_again_where_the_budget_says_so(
    runs: Runs, provider: Provider, place: Path
) -> None:
    """Nobody needs to be there: the next run looks, finds nothing and sends once more."""
    resend(place)
    answers(provider, "kill-before")
    run = runs.start(place)
    provider.victim = run.pid
    run.wait()
    finished(provider, place, runs(place))
    assert creates(provider) == 2


def test_a_refused_second_sending_leaves_the_first_one_open(
    runs: Runs, provider: Provider, place: Path
) -> None:
    """That the server takes no more jobs now says nothing of the one that may exist."""
    resend(place)
    provider.hidden = 1000.0
    answers(provider, "lose", "429")
    assert runs(place).wait() == 1
    state = json.loads((place / "runs/toy/paid/state.json").read_text(encoding="utf-8"))
    assert [one["phase"] for one in state["intents"].values()] == ["sending"]
    provider.hidden = 0.0
    finished(provider, place, runs(place))
    assert creates(provider) == 2


def test_a_spent_month_leaves_the_first_call_open(runs: Runs, provider: Provider, place: Path) -> None:
    """The budget forbids the second sending, and the first one is still looked for."""
    resend(place, ", usd_per_month: 0.012")
    provider.hidden = 1000.0
    answers(provider, "lose")
    assert runs(place).error_code == "over_month"
    provider.hidden = 0.0
    change(place, ", usd_per_month: 0.012", "")
    finished(provider, place, runs(place))
    assert creates(provider) == 1


def test_jobs_that_were_there_before_stay_known_over_several_tries(
    runs: Runs, provider: Provider, place: Path
) -> None:
    """Where metadata are stripped, an earlier attempt's job is no twin of the one that is made at last."""
    provider.strip_metadata = True
    assert runs(place).wait() == 0
    shutil.rmtree(place / "runs")
    answers(provider, "drop")
    assert runs(place, *WORDS, "--force", "train").error_code == "unclear"
    run = runs(place, *WORDS, "--confirm-not-created")
    assert (run.wait(), run.document["job_id"], len(provider.jobs)) == (0, "ftjob-2", 2)


def test_an_unclear_create_is_not_called_no_job(runs: Runs, provider: Provider, place: Path) -> None:
    """Who wants to wait for or cancel what may be running is told that it may be."""
    provider.hidden = 1000.0
    answers(provider, "lose")
    assert runs(place).error_code == "unclear"
    for command in ("wait", "events", "cancel"):
        run = runs(place, command, "toy.yaml", "--target", "paid", "--json")
        assert (run.wait(), run.error_code) == (4, "unclear"), command
