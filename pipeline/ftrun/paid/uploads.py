"""How a prepared file gets to the target: at most once, whatever dies, and exactly the bytes meant.

The name holds the hash, so a file whose answer was lost is found again. What is sent is hashed while it is
read: a file that changes meanwhile is taken back. Large ones go in parts that survive a break.

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
from ftrun.state.locks import held_by_user
from ftrun.targets import TRANSIENT, RemoteFile
from ftrun.targets.errors import is_certain
from ftrun.targets.matching import may_be
from ftrun.waiting import waiting
from ftrun.workflow.context import Context

LONGEST_PAUSE = 10.0  # seconds between two looks
TRIES, PAUSE, LONGEST_RETRY_AFTER = 4, 1.0, 120.0  # times, seconds, seconds
LEAST_LIFE = 60  # seconds that an upload in parts must still live to be gone on with
GONE = ("not_found", "refused")  # what a server says of an upload that is expired or cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Cargo:
    """A file to upload: `size` in bytes, `sha` the SHA-256 that its bytes must have."""

    path: Path
    name: str
    sha: str
    size: int


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
        """Go to a place; from the beginning the hash begins anew."""
        if (target, whence) == (0, io.SEEK_SET):
            self._restart()
        return super().seek(target, whence)


def deliver(context: Context, cargos: Sequence[Cargo], *, anew: bool) -> dict[str, RemoteFile]:
    """Return the target's files with these bytes, by hash, found or uploaded now: all are sent before the
    server's work on them is waited for. `anew`: they are not looked for.
    """
    what = "another run uploads this very file, from another folder of this machine"
    wanted = {cargo.sha: cargo for cargo in cargos}
    with ExitStack() as locks:
        for sha in sorted(wanted):  # in one order, so that two runs never wait for each other
            lock = held_by_user(file_lock(context, sha), what=what, wait=context.wait_for_lock)
            locks.enter_context(lock)
            take_over_notes(context, sha=sha)
        sent = {sha: _found_or_sent(context, cargo, anew=anew) for sha, cargo in wanted.items()}
        return until_processed(
            context,
            sent,
            ready=lambda sha, file: _record(context, wanted[sha], file),
            refused=lambda sha, file: _refuse(context, wanted[sha], file),
        )


def _found_or_sent(context: Context, cargo: Cargo, *, anew: bool) -> RemoteFile:
    file = None if anew else _there(context, cargo)
    if file is None:
        file = _send(context, cargo)
        leave_note(context, file_lock(context, cargo.sha), _intent(context, cargo), made=file.id)
        settle(context, "upload", file.id, "actual", usd=0.0, what=file.id)
    else:
        context.emit("note", text=f"{cargo.name} is there already as {file.id}: adopted")
    return file


def _refuse(context: Context, cargo: Cargo, file: RemoteFile) -> FtrunError:
    """Forget a file that no job can read, so that it is never adopted, and return the error."""
    context.state.upload_intents.pop(cargo.sha, None)
    context.state.uploads.pop(cargo.sha, None)
    context.save()
    take_back_note(context, file_lock(context, cargo.sha))
    return refused_error(context, file, cargo.path)


def _intent(context: Context, cargo: Cargo) -> Intent | None:
    return context.state.upload_intents.get(cargo.sha)


def _record(context: Context, cargo: Cargo, file: RemoteFile) -> None:
    state = context.state
    # as the target calls it: by that a known file is told from another's under the same id
    name, size = file.name or cargo.name, file.bytes or cargo.size
    state.uploads[cargo.sha] = Upload(file_id=file.id, name=name, bytes=size)
    intent = state.upload_intents.pop(cargo.sha, None)
    state.partial_uploads.pop(cargo.sha, None)
    context.save()
    leave_note(context, file_lock(context, cargo.sha), intent, made=file.id)


def _there(context: Context, cargo: Cargo) -> RemoteFile | None:
    """Return the file if the target has it; after an unclear upload it is looked for through a window."""
    found = _find(context, cargo)
    if found is None and is_open_upload(context, cargo.sha):
        context.emit("note", text=f"an earlier upload of {cargo.name} had no clear answer: looking for it")
        return _look_for(context, cargo)
    return found


def _find(context: Context, cargo: Cargo) -> RemoteFile | None:
    service = context.service()
    found = service.find_file(cargo.name, cargo.size)
    return found or noted_file(context, service, cargo.sha, name=cargo.name, size=cargo.size)


def _look_for(context: Context, cargo: Cargo) -> RemoteFile | None:
    window = 0.0 if context.local else context.experiment.target.settle  # the engine lists at once
    deadline, pause = time.monotonic() + window, 1.0
    with waiting(f"{cargo.name} to show in the list of {context.where}"):
        while True:
            found = _find(context, cargo)
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            time.sleep(min(pause, left))
            pause = min(pause * 2, LONGEST_PAUSE)


def _send(context: Context, cargo: Cargo) -> RemoteFile:
    """Upload the file; what failed in passing is tried again once it is certain that nothing arrived."""
    context.emit("note", text=f"uploading {cargo.name} ({cargo.size:,} bytes)")
    in_parts = cargo.size > context.experiment.target.upload.multipart_above
    for left in reversed(range(TRIES)):
        try:
            return _sent(cargo, _send_parts(context, cargo) if in_parts else _send_whole(context, cargo))
        except FtrunError as error:
            passing, certain = error.code in TRANSIENT, is_certain(error)
            if certain and (not passing or error.code == "rate_limited"):
                context.state.upload_intents.pop(cargo.sha, None)  # it was refused
                context.save()
                take_back_note(context, file_lock(context, cargo.sha))
            if certain and not passing:
                raise
            unclear = cargo.sha in context.state.upload_intents
            found = (_look_for if unclear else _find)(context, cargo)  # a gateway's 429 may come too late
            if found is not None:
                return found
            if not left or not passing:
                raise
            context.emit("note", text=f"{error}; trying again")
            with waiting(f"{context.where} to take {cargo.name} again"):
                time.sleep(min(getattr(error, "retry_after", None) or PAUSE, LONGEST_RETRY_AFTER))
    raise AssertionError("unreachable")


def _sent(cargo: Cargo, file: RemoteFile) -> RemoteFile:
    """Return the file of an answer; FtrunError where it is another one: ours is looked for then."""
    if not may_be(file, cargo.name, cargo.size):
        raise FtrunError(
            f"the server answered the upload of {cargo.name} ({cargo.size:,} bytes) with another file: "
            f"{file.id}, {file.name or 'without a name'}, {file.bytes:,} bytes, "
            f"purpose {file.purpose or 'unknown'}",
            code="unreadable_answer",
            hint="Nothing was paid for. If it happens again, ask the server's operator.",
        )
    return file


def _intend(context: Context, cargo: Cargo) -> None:
    """Write down that the file may be at the target from now on."""
    intent = Intent(id=str(uuid.uuid4()), phase="sending", at=time.time())
    context.state.upload_intents[cargo.sha] = intent
    context.save()
    leave_note(context, file_lock(context, cargo.sha), intent)


def _send_whole(context: Context, cargo: Cargo) -> RemoteFile:
    with Hashed(cargo.path) as source:
        while source.read(1 << 20):
            pass
        _check(cargo, source)
        source.seek(0)
        _intend(context, cargo)
        file = context.service().upload(source, cargo.name)
        try:
            _check(cargo, source)
        except FtrunError:
            context.service().delete_file(file.id)
            raise
    return file


def _check(cargo: Cargo, source: Hashed) -> None:
    if source.sha256.hexdigest() != cargo.sha:
        raise FtrunError(
            f"{cargo.path} is not what was prepared and checked; the target has nothing of it",
            code="changed_file",
            hint="Run with --force prepare.",
        )


def _send_parts(context: Context, cargo: Cargo) -> RemoteFile:
    """Send what is missing of the parts; an upload that the server has given up begins anew, once."""
    known = context.state.partial_uploads.get(cargo.sha)
    if known is not None and _goes_on(context, known):
        context.emit("note", text=f"going on after {len(known.parts)} parts")
        try:
            return _parts(context, cargo, known)
        except FtrunError as error:
            if error.code not in GONE:
                raise
    begun = context.service().begin_upload(cargo.name, cargo.size)
    size = context.experiment.target.upload.part_bytes
    fresh = PartialUpload(upload_id=begun.id, part_bytes=size, expires_at=begun.expires_at)
    context.state.partial_uploads[cargo.sha] = fresh
    context.save()
    return _parts(context, cargo, fresh)


def _goes_on(context: Context, known: PartialUpload) -> bool:
    late = known.expires_at is not None and known.expires_at <= time.time() + LEAST_LIFE
    return not late and known.part_bytes == context.experiment.target.upload.part_bytes


def _parts(context: Context, cargo: Cargo, partial: PartialUpload) -> RemoteFile:
    service = context.service()
    with Hashed(cargo.path) as source:
        number = 0
        while piece := source.read(partial.part_bytes):
            number += 1
            if number > len(partial.parts):
                partial.parts.append(service.add_part(partial.upload_id, piece))
                context.save()
                done = min(number * partial.part_bytes, cargo.size)
                context.emit("uploaded", name=cargo.name, bytes=done, of=cargo.size)
        try:
            _check(cargo, source)
        except FtrunError:
            service.cancel_upload(partial.upload_id)
            del context.state.partial_uploads[cargo.sha]
            raise
        _intend(context, cargo)
        return service.complete_upload(partial.upload_id, partial.parts, source.md5.hexdigest())
