"""Writing the prepared files, whole or not at all, and hashing them."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import IO

from ftrun.data.pipeline.gathered import Gathered
from ftrun.data.split.division import TRAIN
from ftrun.data.types import SOURCES, Origin, Place, PreparedFile, origin_lines
from ftrun.files import atomic_writer, delete, sync_folder
from ftrun.protocol.spec import SPLITS

BLOCK = 1 << 20  # bytes written and hashed at a time
NONE: Mapping[str, Path] = MappingProxyType({})


class _Writer:
    """One prepared file while it is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash = file, hashlib.sha256()
        self._lines: list[bytes] = []
        self._size = self._blank = 0
        self.bytes = self.examples = 0

    def write(self, line: bytes) -> None:
        self._lines.append(line)
        self._size += len(line)
        if self._size >= BLOCK:
            self.flush()

    def copy(self, source: Path) -> None:
        """Write the lines of a file as they are; blank ones are not examples."""
        with source.open("rb") as lines:
            for line in lines:
                self._blank += not line.strip()
                self.write(line)

    def flush(self) -> None:
        block = b"".join(self._lines)
        self.examples += len(self._lines) - self._blank
        self.bytes += len(block)
        self._lines, self._size, self._blank = [], 0, 0
        self._hash.update(block)
        self._file.write(block)

    def facts(self, path: Path) -> PreparedFile:
        """Return what was written; all of it has been hashed."""
        return PreparedFile(
            path=path, sha256=self._hash.hexdigest(), bytes=self.bytes, examples=self.examples
        )


def write_files(
    folder: Path, gathered: Gathered, parts: bytearray, origin: Origin, verbatim: Mapping[str, Path] = NONE
) -> dict[str, PreparedFile]:
    """Write the file of each part and sources.jsonl into `folder`, and return the facts about the former.

    `verbatim` has the files, by part, that are copied byte for byte instead of the examples of all parts.
    """
    paths = {role: folder / f"{role}.jsonl" for role in SPLITS}
    present = [part for part in range(len(SPLITS)) if part == TRAIN or part in parts]
    if verbatim:
        present = [part for part, role in enumerate(SPLITS) if role in verbatim]
    with contextlib.ExitStack() as stack:
        writers = {part: _Writer(stack.enter_context(atomic_writer(paths[SPLITS[part]]))) for part in present}
        sidecar = stack.enter_context(atomic_writer(folder / SOURCES))
        times = gathered.times or itertools.repeat(1)
        for role, path in verbatim.items():
            writers[SPLITS.index(role)].copy(path)
        examples = zip(parts, gathered.spool.lines(), times, strict=False)
        for part, line, count in examples if not verbatim else ():
            for _ in range(count):
                writers[part].write(line)
        for writer in writers.values():
            writer.flush()
        sidecar.writelines(origin_lines(origin, _places(gathered, parts)))
    for part, role in enumerate(SPLITS):
        if part not in writers:
            delete(paths[role])
    sync_folder(folder)
    return {SPLITS[part]: writer.facts(paths[SPLITS[part]]) for part, writer in writers.items()}


def _places(gathered: Gathered, parts: bytearray) -> Iterator[Place]:
    """Yield part and place of every written example, in the order of the sources."""
    if not gathered.times:
        yield from ((SPLITS[part], *place) for part, place in zip(parts, gathered.places(), strict=True))
        return
    for part, place, count in zip(parts, gathered.places(), gathered.times, strict=True):
        for _ in range(count):
            yield SPLITS[part], *place
