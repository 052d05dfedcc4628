"""The state file: what it keeps, and that a damaged one is never taken for empty."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from ftrun.errors import DecisionError
from ftrun.state import Intent, JobRecord, PartialUpload, StageRecord, State, StateStore, Upload


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
    state.partial_uploads["sha2"] = PartialUpload(upload_id="u", part_bytes=5, expires_at=9, parts=["p"])
    state.upload_intents["sha3"] = Intent(id="k", phase="sending", at=2.5)
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
    with pytest.raises(DecisionError, match=r"version 7.*version 2"):
        store.load()


def test_the_last_good_state_is_kept_as_backup(tmp_path: Path) -> None:
    """Saving leaves the state before as state.json.backup, and the damage message says how to get it back."""
    store, state = StateStore(tmp_path), full_state()
    store.save(state)
    first = store.path.read_bytes()
    store.save(state)
    assert (tmp_path / "state.json.backup").read_bytes() == first
    store.path.write_text("{")
    with pytest.raises(DecisionError) as caught:
        store.load()
    assert "ftrun state repair CONFIG" in (caught.value.problem.hint or "")


def test_a_second_run_is_told_who_holds_the_lock(tmp_path: Path) -> None:
    """While a run holds the lock another one stops at once and names it."""
    with (
        StateStore(tmp_path).locked(wait=False),
        pytest.raises(DecisionError, match="process"),
        StateStore(tmp_path).locked(wait=False),
    ):
        pass


@pytest.mark.parametrize("version", [1, 2])
def test_the_golden_states_of_all_versions_are_still_read(tmp_path: Path, version: int) -> None:
    """A state file as an older version wrote it becomes, for ever, exactly what stands beside it."""
    golden = Path(__file__).parent / "golden"
    (tmp_path / "state.json").write_bytes((golden / f"state-v{version}.json").read_bytes())
    loaded = StateStore(tmp_path).load()
    assert loaded is not None
    expected = json.loads((golden / f"state-v{version}-read.json").read_text(encoding="utf-8"))
    assert loaded.to_json() == expected


def test_only_the_newest_version_is_written(tmp_path: Path) -> None:
    """Saving an upgraded state writes today's version, and keeps the old file as the backup."""
    golden = Path(__file__).parent / "golden" / "state-v1.json"
    (tmp_path / "state.json").write_bytes(golden.read_bytes())
    store = StateStore(tmp_path)
    state = store.load()
    assert state is not None
    store.save(state)
    assert json.loads(store.path.read_bytes())["version"] == 2
    assert store.backup.read_bytes() == golden.read_bytes()


def test_a_state_with_conflict_markers_is_explained(tmp_path: Path) -> None:
    """What git leaves in a file after two clones ran is named, with the way out."""
    store = StateStore(tmp_path)
    store.save(full_state())
    whole = store.path.read_text()
    store.path.write_text(f"<<<<<<< HEAD\n{whole}=======\n{whole}>>>>>>> other\n")
    with pytest.raises(DecisionError, match="conflict markers") as caught:
        store.load()
    assert "--ours" in (caught.value.problem.hint or "")


def test_a_link_in_place_of_the_state_is_refused(tmp_path: Path) -> None:
    """A symbolic link is neither read nor written through."""
    elsewhere = tmp_path / "elsewhere.json"
    StateStore(tmp_path).save(full_state())
    (tmp_path / "state.json").rename(elsewhere)
    (tmp_path / "state.json").symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    store = StateStore(tmp_path)
    for touch in (store.load, lambda: store.save(full_state())):
        with pytest.raises(DecisionError, match="symbolic link"):
            touch()
    assert elsewhere.read_bytes() == before


def test_a_state_that_changed_meanwhile_is_not_overwritten(tmp_path: Path) -> None:
    """If something else wrote the file since it was read, saving stops."""
    store, other = StateStore(tmp_path), StateStore(tmp_path)
    store.save(full_state())
    theirs = other.load()
    assert theirs is not None
    other.save(theirs)
    with pytest.raises(DecisionError, match="changed by something else"):
        store.save(full_state())


def test_the_backup_never_lies_before_a_call_that_left(tmp_path: Path) -> None:
    """With no way back, state and backup are the same: putting the backup in place can't undo a *sending*."""
    store, state = StateStore(tmp_path), full_state()
    store.save(state)
    store.save(state, no_way_back=True)
    assert store.backup.read_bytes() == store.path.read_bytes()


@pytest.mark.parametrize(
    "text", ["[]", "null", '"x"', "[" * 100_000, '{"version": 2, "x": NaN}', '{"version": "2"}']
)
def test_foreign_json_is_damage(tmp_path: Path, text: str) -> None:
    """Whatever stands in the file, it ends in a message and not in a traceback."""
    store = StateStore(tmp_path)
    store.path.write_text(text)
    with pytest.raises(DecisionError) as caught:
        store.load()
    assert caught.value.code == "state_damaged"


def test_a_full_disk_is_told_with_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails names the file and leaves the last good state."""
    store, state = StateStore(tmp_path), full_state()
    store.save(state)
    before = store.path.read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        store.save(state)
    assert str(caught.value.filename).startswith(str(store.path))
    assert store.path.read_bytes() == before
