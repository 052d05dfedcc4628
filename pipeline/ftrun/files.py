"""Owns how ftrun writes and hashes files: whole or not at all. Knows nothing of what is in them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from ftrun.secrecy import hide_in_bytes

NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP)  # what a file system says that has no fsync of folders


@contextlib.contextmanager
def named_errors(path: Path) -> Iterator[None]:
    """Let an OSError of the block name `path`: a full disk tells it of a write to an open file to nobody."""
    try:
        yield
    except OSError as error:
        if error.filename is None and error.errno is not None:
            error.filename = str(path)
        raise


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` survive a power cut."""
    with named_errors(folder):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in NO_FOLDER_SYNC:
                raise
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def atomic_writer(path: Path, *, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Yield a binary file that replaces `path` when the block ends well, and vanishes when it does not.

    The temporary file lies beside `path`; file and folder are fsynced. OSError names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with named_errors(path):
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
            with os.fdopen(os.open(temporary, flags, mode), "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
    except BaseException:
        # on a file system that turned read-only the leftover stays; the error to tell is the first one
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def append_durably(path: Path, line: bytes, *, mode: int = 0o644, drop_torn: bool = False) -> None:
    """Add one line (with its line break) to `path`; when this returns it survives a power cut.

    A line that an earlier crash tore is closed first, so that it swallows no other; with `drop_torn` it is
    taken away.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    created = not path.exists()
    with named_errors(path):
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, mode), "rb+") as file:
            size = file.seek(0, os.SEEK_END)
            torn = size > 0 and (file.seek(size - 1), file.read(1))[1] != b"\n"
            if torn and drop_torn:
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
                torn = False
            file.write((b"\n" if torn else b"") + hide_in_bytes(line))
            file.flush()
            os.fsync(file.fileno())
    if created:
        sync_folder(path.parent)


def write_atomic(path: Path, data: bytes | str, *, mode: int = 0o644) -> None:
    """Write `data` (text as UTF-8) to `path`, whole or not at all, and never a key."""
    with atomic_writer(path, mode=mode) as file:
        file.write(hide_in_bytes(data.encode() if isinstance(data, str) else data))


def write_json(path: Path, value: Any, *, mode: int = 0o644) -> None:
    """Write `value` as sorted, indented JSON, whole or not at all."""
    write_atomic(path, json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True) + "\n", mode=mode)


def canonical_json(value: Any) -> bytes:
    """Return the one JSON spelling of `value` that fingerprints are made of (UTF-8, sorted, no spaces)."""
    return json.dumps(
        value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False
    ).encode()


def digest(value: Any) -> str:
    """Return the SHA-256 of `canonical_json(value)` in hex."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hex, reading it in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
