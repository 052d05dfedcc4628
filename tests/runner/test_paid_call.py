"""At most one paid job: against a server that counts what it commits and fails at the worst moment."""

from __future__ import annotations

from pathlib import Path

import pytest

from runner.conftest import RUN, Inside
from support.faulty_proxy import FaultyServer
from support.provider import KEY


def test_without_consent_nothing_is_sent(inside: Inside, provider: FaultyServer) -> None:
    """With nobody to ask, no --yes and no budget, the run stops with 4 before the first remote write."""
    document = inside.json(*RUN, code=4)
    assert document["error"]["code"] == "not_confirmed"
    assert document["status"] == "blocked"
    assert provider.faults.posts == []


def test_a_paid_run_trains_once_and_a_second_one_does_nothing(inside: Inside, provider: FaultyServer) -> None:
    """With --yes one job is created; the rerun makes no call that costs."""
    first = inside.json(*RUN, "--yes")
    assert first["status"] == "done"
    posts = list(provider.faults.posts)
    second = inside.json(*RUN)
    assert {stage["action"] for stage in second["stages"].values()} == {"skip"}
    assert provider.faults.posts == posts
    assert provider.faults.jobs_created == 1


def test_over_budget_stops_even_with_yes(inside: Inside, provider: FaultyServer) -> None:
    """A budget is a hard stop before anything is sent."""
    document = inside.json(*RUN, "--yes", "--set", "budget={usd: 0.0001}", code=4)
    assert document["error"]["code"] == "over_budget"
    assert provider.faults.posts == []


def test_within_budget_nobody_is_asked(inside: Inside, provider: FaultyServer) -> None:
    """An estimate within the budget is consent."""
    assert inside.json(*RUN, "--set", "budget={usd: 5}")["status"] == "done"


@pytest.mark.parametrize("how", ["lose", "html"])
@pytest.mark.parametrize("variant", ["plain", "late", "unfiltered", "stripped"])
def test_an_answer_lost_after_the_commit_is_adopted(
    inside: Inside, provider: FaultyServer, how: str, variant: str
) -> None:
    """A job whose answer was lost is found again, also late, without filter or without metadata."""
    provider.faults.create = how
    provider.faults.hidden_lists = 2 if variant == "late" else 0
    provider.faults.ignore_filter = variant == "unfiltered"
    provider.faults.strip_metadata = variant == "stripped"
    document = inside.json(*RUN, "--yes")
    assert document["status"] == "done"
    assert provider.faults.jobs_created == 1


def test_an_unclear_call_stops_and_is_looked_for_again(
    inside: Inside, provider: FaultyServer, project: Path
) -> None:
    """When no job shows up the run stops with 4 and both ways out; a later run adopts what shows up."""
    provider.faults.create, provider.faults.hidden_lists = "lose", 1000
    first = inside.json(*RUN, "--yes", code=4)
    assert first["error"]["code"] == "unclear"
    assert "--confirm-not-created" in first["error"]["hint"]
    assert [intent["phase"] for intent in inside.state()["intents"].values()] == ["sending"]
    assert inside.json(*RUN, "--yes", code=4)["error"]["code"] == "unclear"
    provider.faults.hidden_lists = 0
    assert inside.json(*RUN, "--yes")["status"] == "done"
    assert provider.faults.jobs_created == 1


def test_confirm_not_created_sends_again(inside: Inside, provider: FaultyServer) -> None:
    """A person who has looked may say that there is no job; then one is created."""
    provider.faults.create = "drop"
    assert inside.json(*RUN, "--yes", code=4)["error"]["code"] == "unclear"
    provider.faults.create = "pass"
    assert inside.json(*RUN, "--yes", "--confirm-not-created")["status"] == "done"
    assert provider.faults.jobs_created == 1


def test_a_refusal_closes_the_intent(inside: Inside, provider: FaultyServer, project: Path) -> None:
    """A refused job leaves no intent; the reason is explained, and the next run may try."""
    message = {"error": {"message": "Fine-tuning is closed.", "code": "training_not_available"}}
    provider.faults.create, provider.faults.refusal = "refuse", (403, message)
    document = inside.json(*RUN, "--yes", code=4)
    assert document["error"]["code"] == "not_eligible"
    assert "Fine-tuning is closed." in document["error"]["message"]
    assert "--target local" in document["error"]["hint"]
    assert inside.state()["intents"] == {}
    provider.faults.create = "pass"
    assert inside.json(*RUN, "--yes")["status"] == "done"


def test_lost_state_finds_its_uploads_and_its_job(
    inside: Inside, provider: FaultyServer, project: Path
) -> None:
    """With the state deleted, uploads and job are adopted and nothing is created."""
    first = inside.json(*RUN, "--yes")
    posts = len([path for path in provider.faults.posts if not path.endswith("completions")])
    (project / "runs/toy/paid/state.json").unlink()
    plan = inside.json("plan", "configs/toy.yaml", "--target", "paid")
    actions = {step["stage"]: step["action"] for step in plan["steps"]}
    assert (actions["upload"], actions["train"]) == ("adopt", "adopt")
    second = inside.json(*RUN, "--yes")
    assert (second["job_id"], second["training_file"]) == (first["job_id"], first["training_file"])
    assert len([path for path in provider.faults.posts if not path.endswith("completions")]) == posts


def test_another_account_is_refused(
    inside: Inside, provider: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state made with one organization is not used with another."""
    assert inside.json(*RUN, "--yes")["status"] == "done"
    monkeypatch.setenv("OPENAI_ORG_ID", "org-other")
    assert inside.json(*RUN, "--yes", code=4)["error"]["code"] == "other_account"


def test_the_key_is_written_nowhere(inside: Inside, provider: FaultyServer, project: Path) -> None:
    """No file of the project and no output holds the key."""
    code, out, err = inside(*RUN, "--yes")
    assert code == 0, err
    assert KEY not in out + err
    assert not [path for path in project.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert provider.faults.authorizations == {f"Bearer {KEY}"}


def test_a_wrong_key_is_said_to_be_wrong(
    inside: Inside, provider: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's 401 ends the run with the variable to look at, before anything is created."""
    monkeypatch.setenv("PAID_KEY", "fk-some-other-key-0123456789")
    document = inside.json(*RUN, "--yes", code=1)
    assert document["error"]["code"] == "wrong_key"
    assert provider.faults.jobs_created == 0
