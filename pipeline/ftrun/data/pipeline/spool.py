"""The examples between reading and writing: lines in temporary files that have no name."""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from ftrun.data.readers.json_fast import plain_object


class Spool:
    """Lines in one or more files. Whoever writes them says where; they are read by one at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.files: list[IO[bytes]] = [_nameless(folder)]
        self._segments: list[tuple[int, int, int]] = []  # file, offset, number of lines
        self._dropped = bytearray()

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self.files:
            file.close()

    @property
    def size(self) -> int:
        """Return the bytes of all lines, also of those that were left out."""
        for file in self.files:
            file.flush()
        return sum(os.fstat(file.fileno()).st_size for file in self.files)

    def new_file(self) -> int:
        """Open another file and return its number."""
        self.files.append(_nameless(self._folder))
        return len(self.files) - 1

    def forget(self) -> None:
        """Begin anew, with an empty file; nobody writes any more."""
        self._segments, self._dropped = [], bytearray()
        for file in self.files[1:]:
            file.close()
        del self.files[1:]
        self.files[0].seek(0)
        self.files[0].truncate()

    def add(self, file: int, offset: int, lines: int) -> None:
        """Take note of lines that somebody wrote into a file."""
        self._segments.append((file, offset, lines))

    def drop(self, marks: bytearray) -> None:
        """Leave out those of the lines still there that are marked."""
        left = iter(marks)
        earlier = self._dropped
        self._dropped = bytearray(one or next(left) for one in earlier) if earlier else marks

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that are left, each with its line break."""
        if not self._dropped:
            return self._all()
        return (line for line, dropped in zip(self._all(), self._dropped, strict=True) if not dropped)

    def examples(self, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yield the examples at ascending `indices` of the lines that are left."""
        lines = self.lines()
        position = 0
        for index in indices:
            line = next(itertools.islice(lines, index - position, None))
            position = index + 1
            example: dict[str, Any] | None = plain_object(line)
            yield json.loads(line) if example is None else example

    def _all(self) -> Iterator[bytes]:
        for file, offset, count in self._segments:
            self.files[file].seek(offset)
            yield from itertools.islice(self.files[file], count)


def _nameless(folder: Path) -> IO[bytes]:
    return tempfile.TemporaryFile(dir=folder)
