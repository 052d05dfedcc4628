"""A state or note that is valid JSON with values of other types is refused by name, never half believed."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrun.errors import DecisionError
from ftrun.files import digest
from ftrun.state import Intent, StateStore
from ftrun.state.forms import FormError, check_result
from ftrun.state.locks import user_file
from ftrun.state.notes import CallNote, read_note, write_note
from state.test_store import full_state

DEEP: Any = [1]
for _ in range(100):
    DEEP = [DEEP]
ODD: tuple[Any, ...] = (None, [], {}, 7, -1.5, True, "x", 10**400, DEEP, [None], {"a": [{}]})


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value inside a JSON value."""
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*path, key)
        yield from places(value[key], (*path, key))


def with_value(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """Return the document with another value at `path`."""
    changed = copy.deepcopy(document)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return changed


def write(store: StateStore, document: dict[str, Any]) -> None:
    """Write a state that carries the checksum of what it holds."""
    document = {key: value for key, value in document.items() if key != "checksum"}
    try:
        document["checksum"] = digest(document)
    except ValueError:  # a number that JSON has not
        document["checksum"] = ""
    store.path.write_text(json.dumps(document))


def test_every_value_of_every_other_type_is_refused_or_fits(tmp_path: Path) -> None:
    """Whatever stands in a field, the state is either what its classes declare or refused, exit code 4."""
    store = StateStore(tmp_path)
    store.save(full_state())
    document = json.loads(store.path.read_bytes())
    for path in places(document):
        for odd in ODD:
            write(store, with_value(document, path, odd))
            try:
                loaded = store.load()
            except DecisionError as error:
                assert error.exit_code == 4
                continue
            assert loaded is not None
            json.dumps(loaded.to_json(), allow_nan=False)
            for job in loaded.jobs.values():
                assert isinstance(job.job_id, str)
                assert isinstance(job.attempt, int)


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        (("identity",), ["x"], "state.identity is ['x'], not an object"),
        (("jobs", "spec", "job_id"), 7, "state.jobs.spec.job_id is 7, not text"),
        (("jobs", "spec", "spec"), [], "state.jobs.spec.spec is [], not an object"),
        (("jobs", "spec", "attempt"), True, "state.jobs.spec.attempt is True, not a whole number"),
        (("intents", "spec2", "phase"), "sent", "state.intents.spec2.phase is 'sent', not intent or sending"),
        (("stages", "train", "result", "job_id"), None, "state.stages.train.result.job_id is None, not text"),
        (("stages", "train", "result"), {}, "state.stages.train.result.job_id is missing"),
        (("attempts", "base"), "2", "state.attempts.base is '2', not a whole number"),
        (("jobs", "spec", "job_id"), "", "state.jobs.spec.job_id is '', not an id"),
        (
            ("stages", "train", "result", "job_id"),
            "..",
            "state.stages.train.result.job_id is '..', not an id",
        ),
        (("jobs", "spec", "color"), "red", "state.jobs.spec.color is not a field of it"),
    ],
)
def test_the_field_is_named(tmp_path: Path, path: tuple[str, ...], value: Any, says: str) -> None:
    """The message has the field's path, what stands there, and what must."""
    store = StateStore(tmp_path)
    store.save(full_state())
    write(store, with_value(json.loads(store.path.read_bytes()), path, value))
    with pytest.raises(DecisionError) as caught:
        store.load()
    assert says in str(caught.value)
    assert caught.value.code == "state_damaged"


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("path", [("intent",), ("intent", "seen"), ("intent", "at"), ("made",), ("folder",)])
def test_a_note_of_other_types_is_damaged(
    path: tuple[str, ...], odd: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A note whose values aren't what they must be stops the run, or is read as what it says."""
    monkeypatch.setenv("FTRUN_LOCKS", str(tmp_path))
    write_note("job-1", CallNote(intent=Intent(id="i", phase="sending", at=1.0), made=None, folder="f"))
    file = user_file("job-1.note.json")
    file.write_text(json.dumps(with_value(json.loads(file.read_bytes()), path, odd)))
    try:
        note = read_note("job-1")
    except DecisionError as error:
        assert error.code == "note_damaged"
        return
    assert note is not None
    assert isinstance(note.folder, str)
    assert note.made is None or isinstance(note.made, str)


def test_facts_of_a_stage_are_checked() -> None:
    """What later stages go on from has its type, as deep as they look."""
    check_result("prepare", {"files": {"train": {"sha256": "a", "bytes": 3}}}, "r", done=True)
    with pytest.raises(FormError, match=r"r\.files\.train\.bytes is '3'"):
        check_result("prepare", {"files": {"train": {"sha256": "a", "bytes": "3"}}}, "r", done=True)
    with pytest.raises(FormError, match=r"r\.files\.train\.sha256 is '', not a hash"):
        check_result("prepare", {"files": {"train": {"sha256": "", "bytes": 3}}}, "r", done=True)
    with pytest.raises(FormError, match=r"r\.files\.train is missing"):
        check_result("prepare", {"files": {}}, "r", done=True)
    with pytest.raises(FormError, match=r"r\.checkpoints\[0\]\.step is missing"):
        check_result("wait", {"checkpoints": [{}]}, "r", done=True)
