"""At most one paid job: against a server that counts what it commits and fails at the worst moment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Ftrun
from engine.running import Engine
from faults import KEY, FaultyServer


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Yield an engine that plays the provider."""
    running = Engine(home=tmp_path_factory.mktemp("provider")).start()
    yield running
    running.end()


@pytest.fixture
def provider(engine: Engine, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """Yield the provider's front, with the project's target `paid` pointing at it and the key set."""
    server = FaultyServer(engine.base_url, engine.token)
    config = project / "configs/toy.yaml"
    # a suffix of its own keeps the jobs of one test apart from another's on the shared engine
    suffix = f"t{server.base_url.rsplit(':', 1)[1].split('/')[0]}"
    text = config.read_text().replace("suffix: toy", f"suffix: {suffix}")
    target = (
        f"  paid: {{provider: openai, model: rehearsal, "
        f"base_url: '{server.base_url}', api_key_env: PAID_KEY, "
        "settle: 2s, poll: {min: 0.1, max: 0.5}, price: {train: 10, input: 1, output: 2}}\n"
    )
    config.write_text(text.replace("data:\n", f"{target}data:\n", 1))
    monkeypatch.setenv("PAID_KEY", KEY)
    yield server
    server.close()


RUN = ("run", "configs/toy.yaml", "--target", "paid")


def state_of(project: Path) -> dict[str, Any]:
    """Return the state file of the paid target."""
    document = json.loads((project / "runs/toy/paid/state.json").read_text())
    assert isinstance(document, dict)
    return document


def test_without_consent_nothing_is_sent(ftrun: Ftrun, provider: FaultyServer) -> None:
    """With nobody to ask, no --yes and no budget, the run stops with 4 before the first remote write."""
    document = ftrun.json(*RUN, code=4)
    assert document["error"]["code"] == "not_confirmed"
    assert document["status"] == "blocked"
    assert provider.faults.posts == []


def test_a_paid_run_trains_once_and_a_second_one_does_nothing(ftrun: Ftrun, provider: FaultyServer) -> None:
    """With --yes one job is created; the rerun makes no call that costs."""
    first = ftrun.json(*RUN, "--yes")
    assert first["status"] == "done"
    posts = list(provider.faults.posts)
    second = ftrun.json(*RUN)
    assert {stage["action"] for stage in second["stages"].values()} == {"skip"}
    assert provider.faults.posts == posts
    assert provider.faults.jobs_created == 1


def test_over_budget_stops_even_with_yes(ftrun: Ftrun, provider: FaultyServer) -> None:
    """A budget is a hard stop before anything is sent."""
    document = ftrun.json(*RUN, "--yes", "--set", "budget={usd: 0.0001}", code=4)
    assert document["error"]["code"] == "over_budget"
    assert provider.faults.posts == []


def test_within_budget_nobody_is_asked(ftrun: Ftrun, provider: FaultyServer) -> None:
    """An estimate within the budget is consent."""
    assert ftrun.json(*RUN, "--set", "budget={usd: 5}")["status"] == "done"


@pytest.mark.parametrize("how", ["lose", "html"])
@pytest.mark.parametrize("variant", ["plain", "late", "unfiltered", "stripped"])
def test_an_answer_lost_after_the_commit_is_adopted(
    ftrun: Ftrun, provider: FaultyServer, how: str, variant: str
) -> None:
    """A job whose answer was lost is found again, also late, without filter or without metadata."""
    provider.faults.create = how
    provider.faults.hidden_lists = 2 if variant == "late" else 0
    provider.faults.ignore_filter = variant == "unfiltered"
    provider.faults.strip_metadata = variant == "stripped"
    document = ftrun.json(*RUN, "--yes")
    assert document["status"] == "done"
    assert provider.faults.jobs_created == 1


def test_an_unclear_call_stops_and_is_looked_for_again(
    ftrun: Ftrun, provider: FaultyServer, project: Path
) -> None:
    """When no job shows up the run stops with 4 and both ways out; a later run adopts what shows up."""
    provider.faults.create, provider.faults.hidden_lists = "lose", 1000
    first = ftrun.json(*RUN, "--yes", code=4)
    assert first["error"]["code"] == "unclear"
    assert "--confirm-not-created" in first["error"]["hint"]
    assert [intent["phase"] for intent in state_of(project)["intents"].values()] == ["sending"]
    assert ftrun.json(*RUN, "--yes", code=4)["error"]["code"] == "unclear"
    provider.faults.hidden_lists = 0
    assert ftrun.json(*RUN, "--yes")["status"] == "done"
    assert provider.faults.jobs_created == 1


def test_confirm_not_created_sends_again(ftrun: Ftrun, provider: FaultyServer) -> None:
    """A person who has looked may say that there is no job; then one is created."""
    provider.faults.create = "drop"
    assert ftrun.json(*RUN, "--yes", code=4)["error"]["code"] == "unclear"
    provider.faults.create = "pass"
    assert ftrun.json(*RUN, "--yes", "--confirm-not-created")["status"] == "done"
    assert provider.faults.jobs_created == 1


def test_a_refusal_closes_the_intent(ftrun: Ftrun, provider: FaultyServer, project: Path) -> None:
    """A refused job leaves no intent; the reason is explained, and the next run may try."""
    message = {"error": {"message": "Fine-tuning is closed.", "code": "training_not_available"}}
    provider.faults.create, provider.faults.refusal = "refuse", (403, message)
    document = ftrun.json(*RUN, "--yes", code=4)
    assert document["error"]["code"] == "not_eligible"
    assert "Fine-tuning is closed." in document["error"]["message"]
    assert "--target local" in document["error"]["hint"]
    assert state_of(project)["intents"] == {}
    provider.faults.create = "pass"
    assert ftrun.json(*RUN, "--yes")["status"] == "done"


def test_lost_state_finds_its_uploads_and_its_job(
    ftrun: Ftrun, provider: FaultyServer, project: Path
) -> None:
    """With the state deleted, uploads and job are adopted and nothing is created."""
    first = ftrun.json(*RUN, "--yes")
    posts = len([path for path in provider.faults.posts if not path.endswith("completions")])
    (project / "runs/toy/paid/state.json").unlink()
    plan = ftrun.json("plan", "configs/toy.yaml", "--target", "paid")
    actions = {step["stage"]: step["action"] for step in plan["steps"]}
    assert (actions["upload"], actions["train"]) == ("adopt", "adopt")
    second = ftrun.json(*RUN, "--yes")
    assert (second["job_id"], second["training_file"]) == (first["job_id"], first["training_file"])
    assert len([path for path in provider.faults.posts if not path.endswith("completions")]) == posts


def test_another_account_is_refused(
    ftrun: Ftrun, provider: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state made with one organization is not used with another."""
    assert ftrun.json(*RUN, "--yes")["status"] == "done"
    monkeypatch.setenv("OPENAI_ORG_ID", "org-other")
    assert ftrun.json(*RUN, "--yes", code=4)["error"]["code"] == "other_account"


def test_the_key_is_written_nowhere(ftrun: Ftrun, provider: FaultyServer, project: Path) -> None:
    """No file of the project and no output holds the key."""
    done = ftrun(*RUN, "--yes")
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    assert not [path for path in project.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert provider.faults.authorizations == {f"Bearer {KEY}"}


def test_a_wrong_key_is_said_to_be_wrong(
    ftrun: Ftrun, provider: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server's 401 ends the run with the variable to look at, before anything is created."""
    monkeypatch.setenv("PAID_KEY", "fk-some-other-key-0123456789")
    document = ftrun.json(*RUN, "--yes", code=1)
    assert document["error"]["code"] == "wrong_key"
    assert provider.faults.jobs_created == 0
