"""How the bytes of a file get to the target: whole, or in parts that survive an interruption.

What is sent is hashed while it is read: a file that changes meanwhile is deleted again.
"""

from __future__ import annotations

import hashlib
import io
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

from ftrun.errors import FtrunError
from ftrun.paid.peers import file_lock, leave_note
from ftrun.state import Intent, PartialUpload
from ftrun.targets import RemoteFile
from ftrun.targets.matching import may_be
from ftrun.workflow.context import Context

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
    target: hiroyuki-train-<sha>.jsonl, or with another beginning (`upload.name`).
    """
    file = context.result("prepare")["files"][role]
    sha = str(file["sha256"])
    return LocalFile(
        path=context.path(role),
        name=f"{context.experiment.upload.name or context.experiment.name}-{role}-{sha[:16]}.jsonl",
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


def send_file(context: Context, local: LocalFile) -> RemoteFile:
    """Send the file once and return it; FtrunError where the server answers with another one."""
    in_parts = local.size > context.experiment.target.upload.multipart_above
    file = (_send_parts if in_parts else _send_whole)(context, local)
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
