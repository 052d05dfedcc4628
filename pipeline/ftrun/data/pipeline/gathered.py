"""The gathered examples: their lines in a temporary file, and a few numbers about each in memory.

Memory holds about fifty bytes per example, never its text.
"""

from __future__ import annotations

import itertools
import tempfile
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftrun.data.diagnostics.findings import MOST_LISTED, MOST_PROBLEMS
from ftrun.data.diagnostics.notes import Notes
from ftrun.data.pipeline.row_work import Batch
from ftrun.data.readers.json_rows import json_value
from ftrun.data.readers.sources import Role
from ftrun.data.split.division import TEST, TRAIN, VALIDATION
from ftrun.data.split.duplicates import repeated
from ftrun.data.types import Mark, shown_source
from ftrun.protocol.faults import Fault

NUMBERS = ("line_of", "rank_of", "stratum_of", "tokens", "assistant", "messages")
DIGEST = 16  # bytes
OWN_PART: dict[Role, int] = {"data": TRAIN, "validation": VALIDATION, "test": TEST}


class Spool:
    """Lines in a file without a name. A context: on leaving it the file is gone. Read after all is added."""

    def __init__(self, folder: Path) -> None:
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - closed by __exit__
        self._folder, self._others = folder, list[Spool]()
        self._dropped = bytearray()
        self._mixed: Callable[[Iterator[bytes]], Iterator[bytes]] | None = None
        self.size = 0  # bytes of all lines, also of those that were left out

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        for one in (self, *self._others):
            one._file.close()

    def beside(self) -> Spool:
        """Return another spool, which is gone with this one."""
        self._others.append(Spool(self._folder))
        return self._others[-1]

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
        left: Iterator[bytes] = iter(self._file)
        if self._dropped:
            left = (line for line, dropped in zip(self._file, self._dropped, strict=True) if not dropped)
        return left if self._mixed is None else self._mixed(left)

    def mix(self, other: Spool, chosen: Sequence[int], before: Sequence[int]) -> None:
        """Put the `chosen` lines of another spool among these, each before the line at an index in `before`.

        Both are ascending, and no line is left out afterwards.
        """

        def mixed(own: Iterator[bytes]) -> Iterator[bytes]:
            written, position = 0, 0
            others = other.lines()
            for index, place in zip(chosen, before, strict=True):
                yield from itertools.islice(own, place - written)
                yield next(itertools.islice(others, index - position, None))
                written, position = place, index + 1
            yield from own

        self._mixed = mixed
        self.size += other.size

    def examples(self, indices: Iterable[int]) -> Iterator[dict[str, Any]]:
        """Yield the examples at ascending `indices` of the lines that are left."""
        lines = self.lines()
        position = 0
        for index in indices:
            yield json_value(next(itertools.islice(lines, index - position, None)))
            position = index + 1


@dataclass(slots=True, kw_only=True)
class Gathered:
    """The examples of all sources in their order; entry i of each array belongs to line i of the spool."""

    spool: Spool
    project: Path
    files: list[str] = field(default_factory=list)  # relative to the project
    weights: list[float] = field(default_factory=list)  # of the files' sources
    times: bytearray = field(default_factory=bytearray)  # each example is written; empty: once
    roles: bytearray = field(default_factory=bytearray)  # the part of its file; TRAIN: it is divided
    digests: bytearray = field(default_factory=bytearray)  # 16 bytes each
    line_of: array[int] = field(default_factory=lambda: array("I"))
    rank_of: array[int] = field(default_factory=lambda: array("Q"))
    stratum_of: array[int] = field(default_factory=lambda: array("Q"))  # empty unless stratified
    tokens: array[int] = field(default_factory=lambda: array("I"))
    assistant: array[int] = field(default_factory=lambda: array("I"))
    messages: array[int] = field(default_factory=lambda: array("I"))
    flags: bytearray = field(default_factory=bytearray)  # NO_SYSTEM | NO_USER
    facts: list[bytearray] = field(default_factory=list)  # one for each corpus check
    noted: list[tuple[int, Fault]] = field(default_factory=list)  # of content checks, by example
    notes: Notes = field(default_factory=Notes)
    language: str | None = None
    marks: dict[int, Mark] = field(default_factory=dict)  # of generated examples
    masked: Counter[str] = field(default_factory=Counter)  # what was replaced in texts, by kind
    rows: int = 0
    duplicates: int = 0
    duplicate_places: list[tuple[int, int]] = field(default_factory=list)
    near: int = 0  # rows left out as they nearly repeat earlier ones
    near_places: list[tuple[int, int]] = field(default_factory=list)
    replay: Sequence[int] = ()  # those of `files` that have general rows
    seconds: dict[str, float] = field(default_factory=dict)  # of processor time, by phase
    _times: Counter[str] = field(default_factory=Counter)  # of what is noted, by code
    _starts: list[int] = field(default_factory=list)  # where examples of another file begin, and of which
    _file_at: list[int] = field(default_factory=list)
    _shown: dict[str, str] = field(default_factory=dict)  # names of files as messages show them

    def __len__(self) -> int:
        return len(self.roles)

    def place_of(self, index: int) -> tuple[int, int]:
        """Return the index into `files` and the line of an example."""
        return self._file_at[bisect_right(self._starts, index) - 1], self.line_of[index]

    def places_of(self, indices: Iterable[int]) -> list[tuple[int, int]]:
        """Return the places of examples, at most as many as a finding lists."""
        return list(map(self.place_of, itertools.islice(indices, MOST_LISTED)))

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield the index into `files` and the line of every example."""
        ends = [*self._starts[1:], len(self)]
        for file, start, end in zip(self._file_at, self._starts, ends, strict=True):
            yield from zip(itertools.repeat(file), self.line_of[start:end], strict=False)

    def place(self, index: int) -> tuple[str, int]:
        """Return file and line of an example as messages show them."""
        file, line = self.place_of(index)
        name = self.files[file]
        if name not in self._shown:
            self._shown[name] = shown_source(self.project, name)
        return self._shown[name], line

    def open_file(self, name: str, weight: float = 1) -> None:
        """Begin with the examples of another file."""
        self.files.append(name)
        self.weights.append(weight)
        self._begin(len(self), len(self.files) - 1)

    def add(self, batch: Batch) -> None:
        """Take over what came of some rows of the newest file."""
        for index, fault in batch.noted:
            self._times[fault.code] += 1
            if self._times[fault.code] <= MOST_PROBLEMS:
                self.noted.append((len(self) + index, fault))
            else:
                self._count_only(fault.code, [index], batch.lines)
        self.marks |= {len(self) + index: mark for index, mark in batch.marks.items()}
        self.rows += batch.rows
        self.spool.add(batch.text)
        self.roles += bytes((OWN_PART[batch.role],)) * len(batch.lines)
        self.line_of.extend(batch.lines)
        for name in ("digests", "rank_of", "stratum_of", "tokens", "assistant", "messages", "flags"):
            getattr(self, name).extend(getattr(batch, name))
        for all_facts, facts in zip(self.facts, batch.facts, strict=True):
            all_facts += facts
        for code, indices in batch.unnoted.items():
            self._count_only(code, indices, batch.lines)
        self.masked.update(batch.masked)
        for phase, seconds in batch.seconds.items():
            self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds

    def _count_only(self, code: str, indices: Sequence[int], lines: Sequence[int]) -> None:
        """Count faults of rows of the newest file."""
        file = len(self.files) - 1
        self.notes.add_uncounted(code, len(indices), [(file, lines[index]) for index in indices])

    def locate(self, files: Sequence[str], places: Iterable[tuple[int, int]]) -> None:
        """Set the sources that the examples came from: an index into `files` and a line for each."""
        self.files = list(files)
        self._starts, self._file_at = [], []
        for index, (file, line) in enumerate(places):
            self.line_of[index] = line
            if not self._file_at or self._file_at[-1] != file:
                self._begin(index, file)

    def _begin(self, index: int, file: int) -> None:
        self._starts.append(index)
        self._file_at.append(file)

    def find_duplicates(self, *, drop: bool) -> None:
        """Count the examples that repeat earlier ones of their role, and leave them out if `drop`."""
        marks = repeated(self.digests, self.roles)
        self.duplicates = sum(marks)
        if not self.duplicates:
            return
        self.duplicate_places = self.places_of(itertools.compress(range(len(self)), marks))
        if drop:
            self.leave_out(marks)

    def mix(
        self, other: Gathered, chosen: Sequence[int], before: Sequence[int], parts: bytearray
    ) -> bytearray:
        """Put the `chosen` examples of `other` among these, to be trained on; return the parts of all.

        Each goes before the example with an index in `before`; both are ascending. What checks found in them
        comes along.
        """
        self.spool.mix(other.spool, chosen, before)
        offset, lines = len(self.files), array("I", (other.line_of[one] for one in chosen))
        files = array("I", (file for file, _ in self.places()))
        theirs = array("I", (offset + other.place_of(one)[0] for one in chosen))
        wanted = set(chosen)
        for index, fault in other.noted:
            if index in wanted:
                file, line = other.place_of(index)
                self.notes.add(fault, [(offset + file, line)])
        for name in ("rank_of", "tokens", "assistant", "messages"):
            own, more = getattr(self, name), getattr(other, name)
            if more:  # prepared files have no ranks
                setattr(self, name, _mixed(own, [more[one] for one in chosen], before))
        digests = [other.digests[one * DIGEST : (one + 1) * DIGEST] for one in chosen]
        self.digests = _mixed_bytes(self.digests, digests, before)
        self.flags = _mixed_bytes(self.flags, [other.flags[one : one + 1] for one in chosen], before)
        train = [bytes((TRAIN,))] * len(chosen)
        self.roles = _mixed_bytes(self.roles, train, before)
        self.times = self.times and _mixed_bytes(self.times, [b"\1"] * len(chosen), before)
        self.line_of = _mixed(self.line_of, lines, before)
        self.replay = range(offset, offset + len(other.files))
        located = zip(_mixed(files, theirs, before), self.line_of[:], strict=True)
        self.locate([*self.files, *other.files], located)
        return _mixed_bytes(parts, train, before)

    def take_out(self, first: int) -> tuple[Gathered, range, array[int]]:
        """Remove the examples of the files from `first` on, so that `mix` can put them back: return what it
        takes. Their lines in the spool are left behind.
        """
        files = array("I", (file for file, _ in self.places()))
        marks = bytearray(file >= first for file in files)
        taken = array("I", itertools.compress(range(len(self)), marks))
        other = Gathered(spool=self.spool.beside(), project=self.project)
        for name in ("line_of", "rank_of", "tokens", "assistant", "messages"):
            numbers = getattr(self, name)
            setattr(other, name, array(numbers.typecode, itertools.compress(numbers, marks)))
        other.roles, other.flags = (
            bytearray(itertools.compress(one, marks)) for one in (self.roles, self.flags)
        )
        other.digests = _kept_records(self.digests, marks)
        number_of = {index: number for number, index in enumerate(taken)}
        other.noted = [(number_of[index], fault) for index, fault in self.noted if marks[index]]
        places = zip((files[one] - first for one in taken), other.line_of[:], strict=True)
        other.locate(self.files[first:], places)
        kept = bytes(marks).translate(bytes((1, 0)) + bytes(254))
        self.times = bytearray(itertools.compress(self.times, kept))
        self.leave_out(marks)
        self.files = self.files[:first]
        return other, range(len(taken)), array("I", (one - number for number, one in enumerate(taken)))

    def leave_out(self, marks: bytearray) -> None:
        """Forget the examples that are marked."""
        kept = bytes(marks).translate(bytes((1, 0)) + bytes(254))
        self.spool.drop(marks)
        before = array("I", itertools.accumulate(marks, initial=0))
        self._starts = [start - before[start] for start in self._starts]
        for name in NUMBERS:
            numbers = getattr(self, name)
            setattr(self, name, array(numbers.typecode, itertools.compress(numbers, kept)))
        self.roles, self.flags = (
            bytearray(itertools.compress(one, kept)) for one in (self.roles, self.flags)
        )
        self.noted = [(index - before[index], fault) for index, fault in self.noted if kept[index]]
        self.marks = {index - before[index]: mark for index, mark in self.marks.items() if kept[index]}
        self.digests = _kept_records(self.digests, kept)
        self.facts = [_kept_records(facts, kept) for facts in self.facts]


def _mixed(values: array[int], more: Sequence[int], before: Sequence[int]) -> array[int]:
    """Return the values with more of them among them."""
    result, written = array(values.typecode), 0
    for one, place in zip(more, before, strict=True):
        result += values[written:place]
        result.append(one)
        written = place
    return result + values[written:]


def _mixed_bytes(values: bytearray, more: Sequence[bytes | bytearray], before: Sequence[int]) -> bytearray:
    """Return records of equal size with more of them among them."""
    size = len(more[0]) if more else 1
    result, written = bytearray(), 0
    for one, place in zip(more, before, strict=True):
        result += values[written * size : place * size]
        result += one
        written = place
    return result + values[written * size :]


def _kept_records(records: bytearray, kept: Sequence[int]) -> bytearray:
    """Return the records of equal size that are `kept`."""
    size = len(records) // len(kept)
    result = bytearray()
    for index in itertools.compress(range(len(kept)), kept):
        result += records[index * size : (index + 1) * size]
    return result
