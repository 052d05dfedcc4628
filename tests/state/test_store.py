"""The state file: what it keeps, and that a damaged one is never taken for empty."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ftrun.errors import DecisionError
from ftrun.state import Intent, JobRecord, StageRecord, State, StateStore, Upload


def full_state() -> State:
    """Return a state with something in every part."""
    state = State(
        experiment="x", target="t", file="configs/x.yaml", identity={"provider": "local", "store": "s"}
    )
    state.stages["train"] = StageRecord(
        status="done", fingerprint="f", inputs={"a": "1"}, result={"job_id": "j"}
    )
    state.uploads["sha"] = Upload(file_id="file-1", name="x-train.jsonl", bytes=3)
    state.jobs["spec"] = JobRecord(job_id="j", status="succeeded", attempt=1)
    state.intents["spec2"] = Intent(id="i", phase="sending", at=1.5)
    state.attempts["base"] = 2
    return state


def test_a_saved_state_is_read_back_equal(tmp_path: Path) -> None:
    """What was saved is what is loaded, with the serial raised."""
    store, state = StateStore(tmp_path), full_state()
    store.save(state)
    assert store.load() == state
    assert state.serial == 1


def test_no_file_is_no_state(tmp_path: Path) -> None:
    """Only a file that isn't there means that there is no state."""
    assert StateStore(tmp_path / "none").load() is None


def test_every_truncation_is_detected(tmp_path: Path) -> None:
    """A state cut at any byte stops with exit code 4."""
    store = StateStore(tmp_path)
    store.save(full_state())
    whole = store.path.read_bytes()
    for length in range(len(whole) - 1):
        store.path.write_bytes(whole[:length])
        with pytest.raises(DecisionError):
            store.load()


def test_every_flipped_byte_is_detected_or_harmless(tmp_path: Path) -> None:
    """A state with one byte changed either stops the run or says the same as before."""
    store, state = StateStore(tmp_path), full_state()
    store.save(state)
    whole = bytearray(store.path.read_bytes())
    for index in range(len(whole)):
        changed = bytearray(whole)
        changed[index] ^= 0x01
        store.path.write_bytes(bytes(changed))
        try:
            loaded = store.load()
        except DecisionError:
            continue
        assert loaded == state


def test_a_newer_version_is_refused_with_both_versions_named(tmp_path: Path) -> None:
    """A state of a newer ftrun is left alone."""
    store = StateStore(tmp_path)
    store.path.write_text(json.dumps({"version": 7}))
    with pytest.raises(DecisionError, match=r"version 7.*version 1"):
        store.load()


def test_the_last_good_state_is_kept_as_backup(tmp_path: Path) -> None:
    """Saving leaves the state before as state.json.backup, and the damage message names it."""
    store, state = StateStore(tmp_path), full_state()
    store.save(state)
    first = store.path.read_bytes()
    store.save(state)
    assert (tmp_path / "state.json.backup").read_bytes() == first
    store.path.write_text("{")
    with pytest.raises(DecisionError) as caught:
        store.load()
    assert "state.json.backup" in (caught.value.problem.hint or "")


def test_a_second_run_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    """While a run holds the lock another one stops at once and names it."""
    with (
        StateStore(tmp_path).locked(wait=False),
        pytest.raises(DecisionError, match="process"),
        StateStore(tmp_path).locked(wait=False),
    ):
        pass


def test_the_golden_state_of_version_1_is_still_read(tmp_path: Path) -> None:
    """The state file as version 1 wrote it is read for ever."""
    golden = Path(__file__).parent / "golden" / "state-v1.json"
    (tmp_path / "state.json").write_bytes(golden.read_bytes())
    loaded = StateStore(tmp_path).load()
    assert loaded is not None
    assert loaded.jobs["spec"].job_id == "j"
    assert loaded.attempts == {"base": 2}
