"""Owns what the runs of this user know of one another's calls: a job or a file that another clone, or this
one before its state was lost, has asked for is found although neither state nor provider's list shows it.

Nothing is sent here but a look at one job or file. The engine on this machine needs none of it.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import replace

from ftrun.errors import FtrunError
from ftrun.files import digest
from ftrun.stages.context import Context
from ftrun.stages.ownership import why_another
from ftrun.stages.spec import spec
from ftrun.state import Intent
from ftrun.state.notes import Note, drop_note, read_note, write_note
from ftrun.targets import Job, RemoteFile, Service
from ftrun.targets.matching import is_of


def job_lock(context: Context, key: str) -> str:
    """Return the name of the lock, and of the note, that all clones of this user share for a spec key."""
    return f"job-{digest({'identity': context.state.identity, 'spec': key})[:32]}"


def file_lock(context: Context, sha: str) -> str:
    """Return the name of the lock, and of the note, that all clones of this user share for a file's bytes."""
    return f"file-{digest({'identity': context.state.identity, 'file': sha})[:32]}"


def open_call(context: Context, key: str) -> Intent | None:
    """Return the call for this spec key that nobody has an answer to: of this state or, if it knows of none
    that may have left, of another run of this user.
    """
    own, note = context.state.intents.get(key), _note(context, job_lock(context, key))
    if (
        note is None
        or note.made is not None
        or (own is not None and (own.phase == "sending" or own.id == note.intent.id))
    ):
        return own
    return note.intent


def noted_job(context: Context, service: Service, key: str) -> list[Job]:
    """Return the job that a run of this user made for this spec key, if the target knows it.

    A job of another key, model or file is not: the server may have begun to count again.
    """
    note = _note(context, job_lock(context, key))
    if note is None or note.made is None:
        return []
    try:
        job = service.job(note.made)
    except FtrunError as error:
        if error.code != "not_found":
            raise
        return []
    return [job] if why_another(context.state, service, job, key, spec(context)) is None else []


def may_show_late(context: Context, key: str) -> bool:
    """Tell whether a job was made for this spec key within the time that a target needs to show it."""
    note = _note(context, job_lock(context, key))
    if note is None or note.made is None:
        return False
    return time.time() - note.intent.at < context.experiment.target.settle


def noted_file(context: Context, service: Service, sha: str, *, name: str, size: int) -> RemoteFile | None:
    """Return the file that a run of this user made of these bytes, if the target has it still."""
    note = _note(context, file_lock(context, sha))
    file = None if note is None or note.made is None else service.file(note.made)
    return file if file is not None and is_of(file, name, size) else None


def is_open_upload(context: Context, sha: str) -> bool:
    """Tell whether some run of this user may have uploaded these bytes and had no answer."""
    note = _note(context, file_lock(context, sha))
    return sha in context.state.upload_intents or (note is not None and note.made is None)


def leave_note(context: Context, lock: str, intent: Intent | None, *, made: str | None = None) -> None:
    """Let this user's other runs know that the call is about to leave or, with `made`, what it has made.

    A note of what was made that can't be written is a warning: the state has it, and the earlier note stands.
    """
    if context.local:
        return
    call = intent or Intent(id=str(uuid.uuid4()), phase="intent", at=time.time())
    note = Note(intent=replace(call, phase="sending"), made=made, folder=str(context.folder))
    try:
        write_note(lock, note)
    except OSError as error:
        if made is None:
            raise
        context.emit("warning", message=f"other clones don't know of {made} yet: {error}")


def take_back_note(context: Context, lock: str, still_open: Intent | None = None) -> None:
    """Forget a call that certainly made nothing, but not the open one that it was to make up for."""
    if still_open is not None:
        leave_note(context, lock, still_open)
    elif not context.local:
        drop_note(lock)


def _note(context: Context, lock: str) -> Note | None:
    return None if context.local else read_note(lock)
