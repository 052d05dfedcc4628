"""The protocol of the paid call: locks, second looks, attempts, aliases, and what a lost state may adopt."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from conftest import Ftrun
from runner.conftest import RUN, Inside
from support.engine_process import PATIENCE, finish
from support.faulty_proxy import FaultyServer

TRAIN = (*RUN, "--yes", "--until", "train")


def set_settle(project: Path, value: str) -> None:
    """Give the target `paid` another settle time."""
    config = project / "configs/toy.yaml"
    config.write_text(config.read_text().replace("settle: 2s", f"settle: {value}"))


def forget(project: Path) -> None:
    """Lose the state of the target `paid` and all that lies beside it."""
    shutil.rmtree(project / "runs/toy/paid")


def test_a_twin_of_another_machine_is_found_and_named(inside: Inside, provider: FaultyServer) -> None:
    """Two machines that create at once are detected: exit 4, both ids, and what to do with each."""
    provider.faults.twin = True
    document = inside.json(*TRAIN, code=4)
    assert document["error"]["code"] == "duplicates"
    record = next(iter(inside.state()["jobs"].values()))
    assert record["job_id"] in document["error"]["message"]
    assert record["duplicates"][0] in document["error"]["message"]
    assert "ftrun adopt configs/toy.yaml JOB_ID --target paid" in document["error"]["hint"]
    again = inside.json(*TRAIN, code=4)
    assert again["error"]["code"] == "duplicates", "it is not forgotten"
    assert provider.faults.jobs_created == 1, "and nothing more is created"


def test_a_twin_that_the_list_shows_late_is_found_while_waiting(
    inside: Inside, provider: FaultyServer, project: Path
) -> None:
    """A job of another machine that no list shows at first is found once the settle time is over."""
    set_settle(project, "200ms")
    provider.faults.twin, provider.faults.hidden_lists = True, 8
    document = inside.json(*RUN, "--yes", code=4)
    assert document["error"]["code"] == "duplicates"
    assert document["stages"]["wait"]["action"] == "wait"


def test_two_clones_on_one_machine_share_a_lock(
    ftrun: Ftrun, provider: FaultyServer, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Two clones that start at the same time make one job: one waits for the other and adopts it."""
    clone = tmp_path_factory.mktemp("clone") / "project"
    shutil.copytree(project, clone)
    runs = [Ftrun(folder).start(*TRAIN, "--wait", "--json") for folder in (project, clone)]
    ended = [run.communicate(timeout=PATIENCE) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], ended
    assert len({json.loads(out)["job_id"] for out, _err in ended}) == 1
    assert provider.faults.jobs_created == 1
    assert sum(path.endswith("/files") for path in provider.faults.posts) <= 2, "nor a file twice"


def test_the_lock_names_its_holder(
    inside: Inside, provider: FaultyServer, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While another clone creates this very job, a run stops with 4 and says which process does."""
    from ftrun.state.locks import held

    locks = tmp_path / "locks"
    monkeypatch.setenv("FTRUN_LOCKS", str(locks))
    inside.json(*TRAIN)
    forget(project)
    (lock,) = locks.glob("job-*.lock")
    with held(lock, what="test", wait=False):
        document = inside.json(*TRAIN, code=4)
    assert document["error"]["code"] == "locked"
    assert f"process {os.getpid()}" in document["error"]["message"]


def test_an_alias_and_its_snapshot_are_one_model(
    inside: Inside, provider: FaultyServer, project: Path
) -> None:
    """A server that answers with the snapshot of the alias asked for changes no fingerprint, nor does it
    keep a lost state from finding the job where metadata are stripped.
    """
    provider.faults.strip_metadata = True
    provider.faults.aliases = {"rehearsal": "rehearsal-2025-04-14"}
    first = inside.json(*TRAIN)
    forget(project)
    second = inside.json(*TRAIN)
    assert second["job_id"] == first["job_id"]
    assert second["stages"]["train"]["action"] == "adopt"
    assert provider.faults.jobs_created == 1


def test_without_metadata_another_configuration_is_not_adopted(
    inside: Inside, provider: FaultyServer, project: Path
) -> None:
    """A lost state on a server that strips metadata takes no job that was asked for other hyperparameters."""
    provider.faults.strip_metadata = True
    first = inside.json(*TRAIN)
    forget(project)
    other = inside.json(*TRAIN, "--set", "train.hyperparameters.n_epochs=3")
    assert other["job_id"] != first["job_id"]
    assert inside.json(*TRAIN)["job_id"] == first["job_id"]
    assert provider.faults.jobs_created == 2


def test_without_metadata_a_further_attempt_takes_no_earlier_one(
    inside: Inside, provider: FaultyServer
) -> None:
    """`--force train` makes a new job though the server shows one that does the same work."""
    provider.faults.strip_metadata = True
    first = inside.json(*TRAIN)
    second = inside.json(*TRAIN, "--force", "train")
    assert second["job_id"] != first["job_id"]
    assert provider.faults.jobs_created == 2


def test_a_lost_answer_of_a_further_attempt_is_told_from_the_first(
    inside: Inside, provider: FaultyServer
) -> None:
    """Without metadata the job of an unclear second attempt is the one that was not there before."""
    provider.faults.strip_metadata = True
    first = inside.json(*TRAIN)
    provider.faults.create = "lose"
    second = inside.json(*TRAIN, "--force", "train")
    assert second["job_id"] != first["job_id"]
    assert provider.faults.jobs_created == 2


def test_force_does_not_skip_an_attempt_that_was_never_made(inside: Inside, provider: FaultyServer) -> None:
    """An unclear forced attempt, forced again, is looked for and not made a third time."""
    inside.json(*TRAIN)
    provider.faults.create, provider.faults.hidden_lists = "lose", 1000
    assert inside.json(*TRAIN, "--force", "train", code=4)["error"]["code"] == "unclear"
    assert inside.json(*TRAIN, "--force", "train", code=4)["error"]["code"] == "unclear"
    provider.faults.hidden_lists = 0
    inside.json(*TRAIN, "--force", "train")
    assert provider.faults.jobs_created == 2


def test_an_unclear_call_may_be_sent_again_once_where_the_budget_says_so(
    inside: Inside, provider: FaultyServer
) -> None:
    """`budget.unclear.resend_after` sends again after looking that long, and only once."""
    again = ("--set", "budget={usd: 5, unclear: {resend_after: 1s}}")
    provider.faults.create = "drop"
    document = inside.json(*TRAIN, *again, code=4)
    assert document["error"]["code"] == "unclear"
    assert sum(path.endswith("/fine_tuning/jobs") for path in provider.faults.posts) == 2
    assert inside.json(*TRAIN, *again, code=4)["error"]["code"] == "unclear"
    assert sum(path.endswith("/fine_tuning/jobs") for path in provider.faults.posts) == 2


def test_both_ways_out_are_exact_commands(inside: Inside, provider: FaultyServer) -> None:
    """The hint of an unclear call can be typed: with the target and the overrides of this run."""
    provider.faults.create = "drop"
    override = ("--set", "train.hyperparameters.n_epochs=3")
    hint = inside.json(*TRAIN, *override, code=4)["error"]["hint"]
    words = "--target paid --set train.hyperparameters.n_epochs=3"
    assert f"`ftrun adopt configs/toy.yaml JOB_ID {words}`" in hint
    assert f"`ftrun run configs/toy.yaml {words} --confirm-not-created`" in hint


def test_a_failed_job_is_not_made_again_unasked(inside: Inside, provider: FaultyServer, engine: Any) -> None:
    """After a cancelled job a rerun exits 1 and posts nothing; --force train makes the next attempt."""
    job_id = inside.json(*TRAIN)["job_id"]
    state_file = inside.project / "runs/toy/paid/state.json"
    with engine.client() as client:
        finish(client, job_id)
    from ftrun.state import StateStore

    store = StateStore(state_file.parent)
    state = store.load()
    assert state is not None
    next(iter(state.jobs.values())).status = "failed"
    store.save(state)
    posts = list(provider.faults.posts)
    assert inside.json(*TRAIN, code=1)["error"]["code"] == "job_failed"
    assert provider.faults.posts == posts
    assert inside.json(*TRAIN, "--force", "train")["job_id"] != job_id


def test_a_job_that_vanished_between_plan_and_deed_is_not_made_unasked(
    inside: Inside, provider: FaultyServer, project: Path
) -> None:
    """What the plan called an adoption is never turned into a paid call: nobody agreed to that."""
    inside.json(*TRAIN)
    forget(project)
    provider.faults.lists_shown = 1  # the plan sees the job, the deed does not
    document = inside.json(*RUN, "--until", "train", code=4)
    assert document["error"]["code"] == "not_confirmed"
    assert provider.faults.jobs_created == 1


def test_an_interrupt_at_the_paid_call_says_that_a_job_may_exist(
    inside: Inside, provider: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the answer is awaited: the message does not say that nothing happened."""
    from ftrun.targets.api.jobs import JobCalls

    real = JobCalls.create_job

    def interrupted(self: Any, request: Any, key: str) -> Any:
        real(self, request, key)
        raise KeyboardInterrupt

    monkeypatch.setattr(JobCalls, "create_job", interrupted)
    document = inside.json(*TRAIN, code=130)
    assert "may just have been created" in document["error"]["message"]
    monkeypatch.setattr(JobCalls, "create_job", real)
    assert inside.json(*TRAIN)["status"] == "done"
    assert provider.faults.jobs_created == 1
