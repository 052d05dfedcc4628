"""The examples between reading and writing: lines in a temporary file that has no name."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ftrun.data.readers.json_rows import json_value


class Spool:
    """Lines in a file. A context: on leaving it the file is gone. Read after all is added."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._dropped = bytearray()
        self.size = 0  # bytes of all lines, also of those that were left out

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, text: bytes) -> None:
        """Add lines, each with its line break."""
        self._file.write(text)
        self.size += len(text)

    def drop(self, marks: bytearray) -> None:
        """Leave out those of the lines still there that are marked."""
        left = iter(marks)
        earlier = self._dropped
        self._dropped = bytearray(one or next(left) for one in earlier) if earlier else marks

    def lines(self) -> Iterator[bytes]:
        """Yield the lines that are left, each with its line break."""
        self._file.seek(0)
        if not self._dropped:
            return iter(self._file)
        return (line for line, dropped in zip(self._file, self._dropped, strict=True) if not dropped)

    def examples(self, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yield the examples at ascending `indices` of the lines that are left."""
        lines = self.lines()
        position = 0
        for index in indices:
            yield json_value(next(itertools.islice(lines, index - position, None)))
            position = index + 1
