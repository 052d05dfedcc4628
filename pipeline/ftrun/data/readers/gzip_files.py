"""The bytes of a data file: gzip is unpacked whatever the file's name, within a bound."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from ftrun.data.diagnostics.findings import FilePlace, UnusableFileError

MAGIC = b"\x1f\x8b"
MOST_TIMES = 200  # what is unpacked, in file sizes: text shrinks to a tenth, made-up bombs to a thousandth
ALWAYS_ALLOWED = 64_000_000  # bytes unpacked, whatever the ratio
BUFFER = 1 << 20
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


class BombError(Exception):
    """A gzip file unpacks to far more than text would."""


@contextmanager
def open_data(path: Path) -> Iterator[BinaryIO]:
    """Yield the file for reading, unpacked if it is gzip; DAMAGED or BombError while it is read."""
    with path.open("rb") as raw:
        packed = raw.read(2) == MAGIC
        raw.seek(0)
        if not packed:
            yield raw
            return
        most = max(ALWAYS_ALLOWED, MOST_TIMES * path.stat().st_size)
        with (
            gzip.GzipFile(fileobj=raw) as unpacked,
            io.BufferedReader(_Bounded(unpacked, most), BUFFER) as data,
        ):
            yield cast(BinaryIO, data)


class _Bounded(io.RawIOBase):
    """A stream that ends with an error after too many bytes."""

    def __init__(self, stream: gzip.GzipFile, most: int) -> None:
        self._stream, self._most = stream, most

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        if self._stream.tell() > self._most:
            raise BombError
        return len(data)


@contextmanager
def read_problems(place: FilePlace) -> Iterator[None]:
    """Turn what can go wrong with the bytes of a file into a problem of it and UnusableFileError."""
    try:
        yield
    except DAMAGED as error:
        place.add("gzip", f"the gzip file is damaged or cut short: {error}", 1)
        raise UnusableFileError from error
    except BombError as error:
        place.add("gzip", f"the gzip file unpacks to more than {MOST_TIMES} times its size", 1)
        raise UnusableFileError from error
    except OSError as error:
        place.add("unreadable", f"the file can't be read: {error.strerror or error}", 1)
        raise UnusableFileError from error
