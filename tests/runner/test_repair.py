"""`ftrun state`: shown, verified, and repaired from backup, merge or target, without inventing anything."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftrun.runner.repair import merged
from ftrun.state import JobRecord, StageRecord, State, StateStore
from ftrun.state.store import state_bytes
from runner.conftest import RUN, Inside
from support.faulty_proxy import FaultyServer

TRAIN = (*RUN, "--yes", "--until", "train")
STATE = ("configs/toy.yaml", "--target", "paid")


def test_a_whole_state_is_shown_and_verified(inside: Inside, provider: FaultyServer) -> None:
    """`show` prints it as it is, `verify` asks the target; there is nothing to repair."""
    job_id = inside.json(*TRAIN)["job_id"]
    assert job_id in json.dumps(inside.json("state", "show", *STATE))
    verified = inside.json("state", "verify", *STATE)
    assert (verified["target_checked"], verified["missing"]) == (True, [])
    assert inside.json("state", "repair", *STATE)["source"] is None
    code, out, _err = inside("state", "show", *STATE)
    assert (code, job_id in out) == (0, True)


def test_verify_says_what_the_target_has_no_more(
    inside: Inside, provider: FaultyServer, project: Path
) -> None:
    """A job or file that is gone is listed, with exit 1."""
    inside.json(*TRAIN)
    store = StateStore(project / "runs/toy/paid")
    state = store.load()
    assert state is not None
    state.jobs["other"] = JobRecord(job_id="ftjob-gone", status="succeeded", attempt=1)
    store.save(state)
    assert inside.json("state", "verify", *STATE, code=1)["missing"] == ["job ftjob-gone"]


def test_a_damaged_state_stops_and_is_repaired_from_its_backup(
    inside: Inside, provider: FaultyServer, project: Path
) -> None:
    """A torn state never leads to a POST; repair takes the backup and keeps the torn file."""
    job_id = inside.json(*TRAIN)["job_id"]
    path = project / "runs/toy/paid/state.json"
    torn = path.read_bytes()[:-40]
    path.write_bytes(torn)
    posts = list(provider.faults.posts)
    refused = inside.json(*TRAIN, code=4)
    assert refused["error"]["code"] == "state_damaged"
    document = inside.json("state", "repair", *STATE)
    assert document["source"] == "the backup"
    assert document["wrong"] == refused["error"]["message"]
    assert Path(document["kept"]).read_bytes() == torn
    assert inside.json(*TRAIN)["job_id"] == job_id
    assert provider.faults.posts == posts


def test_without_a_backup_the_target_is_asked(inside: Inside, provider: FaultyServer, project: Path) -> None:
    """Uploads and job are adopted from the target."""
    job_id = inside.json(*TRAIN)["job_id"]
    folder = project / "runs/toy/paid"
    (folder / "state.json").write_text("{")
    (folder / "state.json.backup").unlink()
    assert inside.json("state", "repair", *STATE)["source"] == "the target"
    assert inside.json(*TRAIN)["job_id"] == job_id
    assert provider.faults.jobs_created == 1


def test_what_the_target_does_not_show_is_asked_and_not_assumed(
    inside: Inside, provider: FaultyServer, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """State and backup lost on a machine without notes, and no job seen: a person must say there is none."""
    inside.json(*TRAIN)
    monkeypatch.setenv("FTRUN_LOCKS", str(project / "locks of another machine"))
    folder = project / "runs/toy/paid"
    (folder / "state.json").write_text("{")
    (folder / "state.json.backup").unlink()
    provider.faults.hidden_lists = 1000
    inside.json("state", "repair", *STATE)
    assert inside.json(*TRAIN, code=4)["error"]["code"] == "unclear"
    provider.faults.hidden_lists = 0
    inside.json(*TRAIN)
    assert provider.faults.jobs_created == 1


def test_a_merge_keeps_what_either_side_knows(tmp_path: Path) -> None:
    """A merge keeps what either side knows, and the newer side's word where both know something."""
    one = State(experiment="x", target="t", file="f", identity={})
    other = State(experiment="x", target="t", file="f", identity={})
    one.serial, other.serial = 3, 5
    one.jobs = {"a": JobRecord(job_id="1", status="running", attempt=1)}
    other.jobs = {
        "a": JobRecord(job_id="1", status="succeeded", attempt=1),
        "b": JobRecord(job_id="2", status="queued", attempt=2),
    }
    one.attempts, other.attempts = {"base": 3}, {"base": 2}
    both = merged(one, other)
    assert {key: job.status for key, job in both.jobs.items()} == {"a": "succeeded", "b": "queued"}
    assert (both.attempts, both.serial) == ({"base": 3}, 5)


def deployed(serial: int, **result: object) -> State:
    """Return a state whose `deploy` stage found this; without any facts it never ran."""
    state = State(experiment="x", target="t", file="f", identity={}, serial=serial)
    if result:
        facts = {"deployment": "d", "sku": "standard", **result}
        state.stages["deploy"] = StageRecord(status="done", fingerprint="f", result=facts)
    return state


@pytest.mark.parametrize(
    ("newer", "up"),
    [({}, "1"), ({"effect": "0", "removed": True}, "1"), ({"effect": "1", "removed": True}, None)],
)
def test_a_merge_forgets_no_deployment(newer: dict[str, object], up: str | None) -> None:
    """One that only the older side knows is kept, as it costs money, unless the newer side removed it."""
    both = merged(deployed(3, effect="1"), deployed(5, **newer))
    assert (both.deployment or {}).get("effect") == up


def test_a_merge_conflict_is_repaired_from_both_sides(
    inside: Inside, provider: FaultyServer, project: Path
) -> None:
    """With git's markers in the file, repair takes what both clones know."""
    job_id = inside.json(*TRAIN)["job_id"]
    path = project / "runs/toy/paid/state.json"
    ours = path.read_text()
    state = StateStore(path.parent).load()
    assert state is not None
    state.attempts["other"] = 4
    theirs = state_bytes(state).decode()
    path.write_text(f"<<<<<<< HEAD\n{ours}=======\n{theirs}>>>>>>> other\n")
    assert inside.json(*TRAIN, code=4)["error"]["code"] == "state_conflict"
    assert inside.json("state", "repair", *STATE)["source"] == "both sides of the merge"
    assert inside.state()["attempts"] == {"other": 4}
    assert inside.json(*TRAIN)["job_id"] == job_id
