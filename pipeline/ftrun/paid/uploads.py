"""How a prepared file gets to the target: at most once, no matter what crashes, and with exactly its bytes.

The name holds the hash, so a file whose answer was lost is found again. `paid.sending` does the transfer.

Where a run can die, and what the next one finds:
looked      nothing: the file is looked for again
part        the ids of the parts that arrived: the rest is sent
sending     an upload intent: the file is looked for through the settle window, then sent again
sent        as sending: it is found by its name and size
processing  as sending, and the note names the file: it is waited for
recorded    the file's id is in the state
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack

from ftrun.errors import FtrunError
from ftrun.paid.job_spec import ROLES
from ftrun.paid.peers import (
    file_lock,
    is_open_upload,
    leave_note,
    noted_file,
    take_back_note,
    take_over_notes,
)
from ftrun.paid.refused_jobs import row_of
from ftrun.paid.sending import LocalFile, send_file
from ftrun.paid.spending import settle
from ftrun.state import Upload
from ftrun.state.ledger import Charge
from ftrun.state.locks import held_by_user
from ftrun.targets import TRANSIENT, RemoteFile
from ftrun.targets.errors import is_certain
from ftrun.waiting import waiting
from ftrun.watching.processing import refused_error, until_processed
from ftrun.workflow.context import Context

LONGEST_PAUSE = 10.0  # seconds between two looks
TRIES, PAUSE, LONGEST_RETRY_AFTER = 4, 1.0, 120.0  # times, seconds, seconds


def upload_files(context: Context, files: Sequence[LocalFile], *, again: bool) -> dict[str, RemoteFile]:
    """Return the target's files with these bytes, by hash, found or uploaded now: all are sent before the
    server's work on them is waited for. `again`: they are not looked for.
    """
    what = "another run uploads this very file, from another folder of this machine"
    wanted = {local.sha: local for local in files}
    with ExitStack() as locks:
        for sha in sorted(wanted):  # in one order, so that two runs never wait for each other
            lock = held_by_user(file_lock(context, sha), what=what, wait=context.settings.wait_for_lock)
            locks.enter_context(lock)
            take_over_notes(context, sha=sha)
        sent = {sha: _found_or_sent(context, local, again=again) for sha, local in wanted.items()}
        return until_processed(
            context,
            sent,
            ready=lambda sha, file: _record(context, wanted[sha], file),
            refused=lambda sha, file: _refuse(context, wanted[sha], file),
        )


def _found_or_sent(context: Context, local: LocalFile, *, again: bool) -> RemoteFile:
    file = None if again else _there(context, local)
    if file is None:
        file = _send(context, local)
        intent = context.state.upload_intents.get(local.sha)
        leave_note(context, file_lock(context, local.sha), intent, made=file.id)
        settle(context, Charge("upload", file.id, "actual", usd=0.0, what=file.id))
    else:
        context.emit("note", text=f"{local.name} exists already as {file.id}: adopted")
    return file


def _refuse(context: Context, local: LocalFile, file: RemoteFile) -> FtrunError:
    """Forget a file that no job can read, so that it is never adopted, and return the error."""
    context.state.upload_intents.pop(local.sha, None)
    context.state.uploads.pop(local.sha, None)
    context.save()
    take_back_note(context, file_lock(context, local.sha))
    error = refused_error(context, file, local.path)
    split = next((role for role in ROLES if context.sha(role) == local.sha), None)
    row = row_of(context, file.status_details or "", split)
    if row is not None:
        where = f"{row.file}:{row.line}{row.message}"
        error.problem.hint = f"The server means the row at {where}. {error.problem.hint}"
    return error


def _record(context: Context, local: LocalFile, file: RemoteFile) -> None:
    state = context.state
    # the target's name for it, which distinguishes it from another file under the same id
    name, size = file.name or local.name, file.bytes or local.size
    state.uploads[local.sha] = Upload(file_id=file.id, name=name, bytes=size)
    intent = state.upload_intents.pop(local.sha, None)
    state.partial_uploads.pop(local.sha, None)
    context.save()
    leave_note(context, file_lock(context, local.sha), intent, made=file.id)


def _there(context: Context, local: LocalFile) -> RemoteFile | None:
    """Return the file if the target has it; after an unclear upload it is looked for through a window."""
    found = _find(context, local)
    if found is None and is_open_upload(context, local.sha):
        context.emit("note", text=f"an earlier upload of {local.name} had no clear answer: looking for it")
        return _look_for(context, local)
    return found


def _find(context: Context, local: LocalFile) -> RemoteFile | None:
    service = context.service()
    found = service.find_file(local.name, local.size)
    return found or noted_file(context, service, local.sha, name=local.name, size=local.size)


def _look_for(context: Context, local: LocalFile) -> RemoteFile | None:
    window = 0.0 if context.local else context.experiment.target.settle  # the engine lists at once
    deadline, pause = time.monotonic() + window, 1.0
    with waiting(f"{local.name} to show in the list of {context.where}"):
        while True:
            found = _find(context, local)
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            time.sleep(min(pause, left))
            pause = min(pause * 2, LONGEST_PAUSE)


def _send(context: Context, local: LocalFile) -> RemoteFile:
    """Upload the file; a transient failure is retried once it is certain that nothing arrived."""
    context.emit("note", text=f"uploading {local.name} ({local.size:,} bytes)")
    for left in reversed(range(TRIES)):
        try:
            return send_file(context, local)
        except FtrunError as error:
            passing, certain = error.code in TRANSIENT, is_certain(error)
            if certain and (not passing or error.code == "rate_limited"):
                context.state.upload_intents.pop(local.sha, None)  # it was refused
                context.save()
                take_back_note(context, file_lock(context, local.sha))
            if certain and not passing:
                raise
            unclear = local.sha in context.state.upload_intents
            found = (_look_for if unclear else _find)(context, local)  # a gateway's 429 may come too late
            if found is not None:
                return found
            if not left or not passing:
                raise
            context.emit("note", text=f"{error}; trying again")
            with waiting(f"{context.where} to take {local.name} again"):
                time.sleep(min(getattr(error, "retry_after", None) or PAUSE, LONGEST_RETRY_AFTER))
    raise AssertionError("unreachable")
