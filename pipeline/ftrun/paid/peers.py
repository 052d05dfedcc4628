"""Notes that the runs of this user leave for each other: a job or a file that another clone requested, or
this one before its state was lost, is found although neither the state nor the provider's list shows it.

Only looks at single jobs and files. The engine on this machine needs no notes.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import replace

from ftrun.files import digest
from ftrun.paid.job_spec import spec
from ftrun.paid.ownership import why_another
from ftrun.paid.unresolved import unclear_error
from ftrun.state import Intent, State
from ftrun.state.notes import CallNote, drop_note, read_note, write_note
from ftrun.targets import Job, RemoteFile, Service, same_account, server_of
from ftrun.targets.addresses import OPENAI
from ftrun.targets.errors import NotFoundError, get_or_none
from ftrun.targets.matching import is_of
from ftrun.workflow.context import Context


def job_lock(context: Context, key: str) -> str:
    """Return the name of the lock, and of the note, that all clones of this user share for a spec key."""
    return _names(context, "job", spec=key)[0]


def file_lock(context: Context, sha: str) -> str:
    """Return the name of the lock, and of the note, that all clones of this user share for a file's bytes."""
    return _names(context, "file", file=sha)[0]


def _names(context: Context, kind: str, **what: str) -> tuple[str, str]:
    """Return the name of a lock and its note, and the one that notes of earlier versions have.

    A server is known by its address, however it is spelled. Which organization or project is asked for does
    not count: a variable that is set in one shell only would keep two runs of one account apart.
    """
    before = f"{kind}-{digest({'identity': context.state.identity, **what})[:32]}"
    if context.local:
        return before, before
    server = server_of(context.experiment.target.base_url or OPENAI)
    return f"{kind}-{digest({'server': server, **what})[:32]}", before


def open_call(context: Context, key: str) -> Intent | None:
    """Return the call for this spec key that nobody has an answer to: of this state or, if it knows of none
    that may have left, of another run of this user.
    """
    own, note = context.state.intents.get(key), _note(context, "job", spec=key)
    if (
        note is None
        or note.made is not None
        or (own is not None and (own.phase == "sending" or own.id == note.intent.id))
    ):
        return own
    return note.intent


def noted_job(context: Context, service: Service, key: str) -> list[Job]:
    """Return the job that a run of this user created for this spec key, if the target knows it.

    A job of another key, model or file is not: the server may have been set up again. DecisionError where
    a proxy may have answered that there is none.
    """
    note = _note(context, "job", spec=key)
    if note is None or note.made is None:
        return []
    try:
        job = service.job(note.made)
    except NotFoundError as error:
        if error.certain or context.settings.confirm_not_created:
            return []
        made = replace(note.intent, reason=f"an earlier run created {note.made}")
        raise unclear_error(context, made, error) from error
    return [job] if why_another(context.state, service, job, key, spec(context)) is None else []


def may_show_late(context: Context, key: str) -> bool:
    """Return whether a job was created for this spec key within the time that a target needs to list it."""
    note = _note(context, "job", spec=key)
    if note is None or note.made is None:
        return False
    return time.time() - note.intent.at < context.experiment.target.settle


def noted_file(context: Context, service: Service, sha: str, *, name: str, size: int) -> RemoteFile | None:
    """Return the file that a run of this user uploaded with these bytes, if the target still has it."""
    note = _note(context, "file", file=sha)
    file = None if note is None or note.made is None else get_or_none(service.file, note.made)
    return file if file is not None and is_of(file, name, size) else None


def is_open_upload(context: Context, sha: str) -> bool:
    """Return whether some run of this user may have uploaded these bytes and had no answer."""
    note = _note(context, "file", file=sha)
    return sha in context.state.upload_intents or (note is not None and note.made is None)


def leave_note(context: Context, lock: str, intent: Intent | None, *, made: str | None = None) -> None:
    """Let this user's other runs know that the call is about to leave or, with `made`, what it created.

    If a note of what was created can't be written, that is a warning: the state has it, and the earlier note
    remains.
    """
    if context.local:
        return
    call = intent or Intent(id=str(uuid.uuid4()), phase="intent", at=time.time())
    note = CallNote(intent=replace(call, phase="sending"), made=made, folder=str(context.folder))
    try:
        write_note(lock, note)
    except OSError as error:
        if made is None:
            raise
        context.emit("warning", message=f"other clones don't know of {made} yet: {error}")


def take_back_note(context: Context, lock: str, still_open: Intent | None = None) -> None:
    """Forget a call that certainly created nothing, but not the open one that it was to make up for."""
    if still_open is not None:
        leave_note(context, lock, still_open)
    elif not context.local:
        drop_note(lock)


def note_lost_jobs(context: Context, lost: State) -> None:
    """Leave notes of the jobs of a state that is gone: its backup, which knows them, will be overwritten."""
    for key, job in lost.jobs.items():
        if _note(context, "job", spec=key) is None and same_account(lost.identity, context.state.identity):
            leave_note(context, job_lock(context, key), None, made=job.job_id)


def take_over_notes(context: Context, *, key: str = "", sha: str = "") -> None:
    """Rename the note that an earlier version left about a job or a file; its lock is held."""
    lock, before = _names(context, "job", spec=key) if key else _names(context, "file", file=sha)
    note = None if context.local else read_note(before)
    if note is not None:
        write_note(lock, _later(read_note(lock), note))
        drop_note(before)


def _note(context: Context, kind: str, **what: str) -> CallNote | None:
    if context.local:
        return None
    lock, before = _names(context, kind, **what)
    note = read_note(before)
    return read_note(lock) if note is None else _later(read_note(lock), note)


def _later(note: CallNote | None, before: CallNote) -> CallNote:
    return before if note is None or before.intent.at > note.intent.at else note
