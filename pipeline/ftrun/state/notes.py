"""The notes that runs of one user leave for each other, in the folder of the locks that they share:
whether a call created a job or a file.

A state may be deleted, be in another clone or come from git, and a provider's list may be late; a note
outlives that. It is written before the call is sent, under the call's lock, and holds no secret and no data.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from ftrun.errors import DecisionError
from ftrun.files import delete, sync_folder, write_json
from ftrun.state.forms import check
from ftrun.state.locks import user_file
from ftrun.state.model import Intent
from ftrun.state.store import read_plain

VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CallNote:
    """A call that was sent, or was about to be: `made` is the id of what it made, None while nobody knows.

    `folder` is where the run kept its state.
    """

    intent: Intent
    made: str | None
    folder: str


def read_note(key: str) -> CallNote | None:
    """Return the note of the lock `key`, None where there is none; DecisionError when it is damaged."""
    path = user_file(f"{key}.note.json")
    raw = read_plain(path)
    if raw is None:
        return None
    try:
        data = json.loads(raw)
        if data["version"] != VERSION:
            raise ValueError(data["version"])
        del data["version"]
        check(CallNote, data, "note", {"Intent": Intent})
        return CallNote(intent=Intent(**data["intent"]), made=data["made"], folder=data["folder"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DecisionError(
            f"{path} can't be read: it says whether one of your runs has already requested this job or file; "
            "nothing was sent",
            code="note_damaged",
            file=str(path),
            hint="Check the provider's list; if it is not listed, delete this file and run again.",
        ) from None


def file_notes() -> Iterator[CallNote]:
    """Yield the notes about uploads of all runs of this user; DecisionError when one is damaged."""
    for path in sorted(user_file("any").parent.glob("file-*.note.json")):
        note = read_note(path.name.removesuffix(".note.json"))
        if note is not None:
            yield note


def write_note(key: str, note: CallNote) -> None:
    """Write the note of the lock `key`; when this returns it survives a power cut."""
    write_json(user_file(f"{key}.note.json"), {"version": VERSION, **asdict(note)}, mode=0o600)


def drop_note(key: str) -> None:
    """Delete the note of the lock `key`: the call certainly created nothing."""
    path = user_file(f"{key}.note.json")
    delete(path)
    sync_folder(path.parent)
