"""How a prepared file gets to the target: at most once, no matter what crashes, and with exactly its bytes.

The name holds the hash, so a file whose answer was lost is found again. What is sent is hashed while it is
read: a file that changes meanwhile is deleted again. Large ones go in parts that survive an interruption.

Where a run can die, and what the next one finds:
looked      nothing: the file is looked for again
part        the ids of the parts that arrived: the rest is sent
sending     an upload intent: the file is looked for through the settle window, then sent again
sent        as sending: it is found by its name and size
processing  as sending, and the note names the file: it is waited for
recorded    the file's id is in the state
"""

from __future__ import annotations

import hashlib
import io
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ftrun.errors import FtrunError
from ftrun.paid.peers import (
    file_lock,
    is_open_upload,
    leave_note,
    noted_file,
    take_back_note,
    take_over_notes,
)
from ftrun.paid.processing import refused_error, until_processed
from ftrun.paid.spending import settle
from ftrun.state import Intent, PartialUpload, Upload
from ftrun.state.ledger import Charge
from ftrun.state.locks import held_by_user
from ftrun.targets import TRANSIENT, RemoteFile
from ftrun.targets.errors.service_error import is_certain
from ftrun.targets.matching import may_be
from ftrun.waiting import waiting
from ftrun.workflow.context import Context

LONGEST_PAUSE = 10.0  # seconds between two looks
TRIES, PAUSE, LONGEST_RETRY_AFTER = 4, 1.0, 120.0  # times, seconds, seconds
LEAST_LIFE = 60  # seconds that an upload in parts must still live to be resumed
GONE = ("not_found", "refused")  # what a server says of an upload that is expired or cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """A file to upload: `size` in bytes, `sha` the SHA-256 that its bytes must have."""

    path: Path
    name: str
    sha: str
    size: int


def local_file(context: Context, role: str) -> LocalFile:
    """Return the prepared file of that role (train, validation), with its content-addressed name at the
    target: hiroyuki-train-<sha>.jsonl.
    """
    file = context.result("prepare")["files"][role]
    sha = str(file["sha256"])
    return LocalFile(
        path=context.path(role),
        name=f"{context.experiment.name}-{role}-{sha[:16]}.jsonl",
        sha=sha,
        size=int(file["bytes"]),
    )


class Hashed(io.BufferedReader):
    """A file that hashes what is read of it, from its beginning on."""

    def __init__(self, path: Path) -> None:
        super().__init__(io.FileIO(path))
        self._restart()

    def _restart(self) -> None:
        self.sha256, self.md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes and hash them."""
        piece = super().read(size)
        self.sha256.update(piece)
        self.md5.update(piece)
        return piece

    def seek(self, target: int, whence: int = io.SEEK_SET, /) -> int:
        """Go to a place; from the beginning the hash starts again."""
        if (target, whence) == (0, io.SEEK_SET):
            self._restart()
        return super().seek(target, whence)


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
        leave_note(context, file_lock(context, local.sha), _intent(context, local), made=file.id)
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
    return refused_error(context, file, local.path)


def _intent(context: Context, local: LocalFile) -> Intent | None:
    return context.state.upload_intents.get(local.sha)


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
    in_parts = local.size > context.experiment.target.upload.multipart_above
    for left in reversed(range(TRIES)):
        try:
            return _sent(local, _send_parts(context, local) if in_parts else _send_whole(context, local))
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


def _sent(local: LocalFile, file: RemoteFile) -> RemoteFile:
    """Return the file of an answer; FtrunError where it is another one: ours is looked for then."""
    if not may_be(file, local.name, local.size):
        raise FtrunError(
            f"the server answered the upload of {local.name} ({local.size:,} bytes) with another file: "
            f"{file.id}, {file.name or 'without a name'}, {file.bytes:,} bytes, "
            f"purpose {file.purpose or 'unknown'}",
            code="unreadable_answer",
            hint="Nothing was paid for. If it happens again, ask the server's operator.",
        )
    return file


def _intend(context: Context, local: LocalFile) -> None:
    """Write down that the file may be at the target from now on."""
    intent = Intent(id=str(uuid.uuid4()), phase="sending", at=time.time())
    context.state.upload_intents[local.sha] = intent
    context.save()
    leave_note(context, file_lock(context, local.sha), intent)


def _send_whole(context: Context, local: LocalFile) -> RemoteFile:
    with Hashed(local.path) as source:
        while source.read(1 << 20):
            pass
        _check(local, source)
        source.seek(0)
        _intend(context, local)
        file = context.service().upload(source, local.name)
        try:
            _check(local, source)
        except FtrunError:
            context.service().delete_file(file.id)
            raise
    return file


def _check(local: LocalFile, source: Hashed) -> None:
    if source.sha256.hexdigest() != local.sha:
        raise FtrunError(
            f"{local.path} is not what was prepared and checked; nothing of it is at the target",
            code="changed_file",
            hint="Run with --force prepare.",
        )


def _send_parts(context: Context, local: LocalFile) -> RemoteFile:
    """Send the missing parts; an upload that the server has given up starts again, once."""
    known = context.state.partial_uploads.get(local.sha)
    if known is not None and _resumable(context, known):
        context.emit("note", text=f"resuming after {len(known.parts)} parts")
        try:
            return _parts(context, local, known)
        except FtrunError as error:
            if error.code not in GONE:
                raise
    begun = context.service().begin_upload(local.name, local.size)
    size = context.experiment.target.upload.part_bytes
    fresh = PartialUpload(upload_id=begun.id, part_bytes=size, expires_at=begun.expires_at)
    context.state.partial_uploads[local.sha] = fresh
    context.save()
    return _parts(context, local, fresh)


def _resumable(context: Context, known: PartialUpload) -> bool:
    late = known.expires_at is not None and known.expires_at <= time.time() + LEAST_LIFE
    return not late and known.part_bytes == context.experiment.target.upload.part_bytes


def _parts(context: Context, local: LocalFile, partial: PartialUpload) -> RemoteFile:
    service = context.service()
    with Hashed(local.path) as source:
        number = 0
        while piece := source.read(partial.part_bytes):
            number += 1
            if number > len(partial.parts):
                partial.parts.append(service.add_part(partial.upload_id, piece))
                context.save()
                done = min(number * partial.part_bytes, local.size)
                context.emit("uploaded", name=local.name, bytes=done, of=local.size)
        try:
            _check(local, source)
        except FtrunError:
            service.cancel_upload(partial.upload_id)
            del context.state.partial_uploads[local.sha]
            raise
        _intend(context, local)
        return service.complete_upload(partial.upload_id, partial.parts, source.md5.hexdigest())
