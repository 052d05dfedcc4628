"""The first pass over the data: every row becomes an example in the spool, repeated ones are found.

Memory holds about fifty bytes an example, never its text.
"""

from __future__ import annotations

import contextlib
import itertools
from array import array
from bisect import bisect_right
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ftrun.data.diagnostics.findings import MOST_PROBLEMS, Findings
from ftrun.data.diagnostics.notes import Notes
from ftrun.data.pipeline.reading import Announce, FilePart, portions
from ftrun.data.pipeline.row_work import Batch, damaged_file
from ftrun.data.pipeline.spool import Spool
from ftrun.data.pipeline.workers import worked_on
from ftrun.data.quality.checks import corpus_checks
from ftrun.data.readers.sources import Role, SourceFile, usable_files
from ftrun.data.split.division import TEST, TRAIN, VALIDATION
from ftrun.data.split.duplicates import repeated
from ftrun.data.types import Mark
from ftrun.experiment.model import Experiment, Source
from ftrun.experiment.places import shown_path
from ftrun.protocol.faults import Fault

LARGE = 16_000_000  # bytes: reading them takes longer than starting processes
NUMBERS = ("line_of", "rank_of", "stratum_of", "tokens", "assistant", "messages")
WRITTEN = Source(path="", base=Path(), key=())
OWN_PART: dict[Role, int] = {"data": TRAIN, "validation": VALIDATION, "test": TEST}


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
    marks: dict[int, Mark] = field(default_factory=dict)  # of generated examples
    masked: Counter[str] = field(default_factory=Counter)  # what was replaced in texts, by kind
    rows: int = 0
    rows_before: int = 0  # those of earlier files
    duplicates: int = 0
    first_duplicate: tuple[int, int] | None = None
    near: int = 0  # rows left out as they nearly repeat earlier ones
    first_near: tuple[int, int] | None = None
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
            self._shown[name] = shown_path(self.project / name)
        return self._shown[name], line

    def open_file(self, name: str, weight: float = 1) -> None:
        """Begin with the examples of another file."""
        self.files.append(name)
        self.weights.append(weight)
        self.rows_before = self.rows
        self._begin(len(self), len(self.files) - 1)

    def add(self, batch: Batch) -> None:
        """Take over what came of some rows of the newest file."""
        count = len(batch.lines)
        self._note(batch)
        self.marks |= {len(self) + index: mark for index, mark in batch.marks.items()}
        self.rows += batch.rows
        self.spool.add(batch.text)
        self.roles += bytes((OWN_PART[batch.role],)) * count
        self.line_of.extend(batch.lines)
        self.rank_of.extend(batch.ranks)
        self.stratum_of.extend(batch.strata)
        for name in ("digests", "tokens", "assistant", "messages", "flags"):
            getattr(self, name).extend(getattr(batch, name))
        for all_facts, facts in zip(self.facts, batch.facts, strict=True):
            all_facts += facts
        self.notes.add_uncounted(batch.unnoted)
        self.masked.update(batch.masked)
        for phase, seconds in batch.seconds.items():
            self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds

    def _note(self, batch: Batch) -> None:
        """Take over what content checks said, as far as it will be told; called before its examples are."""
        for index, fault in batch.noted:
            self._times[fault.code] += 1
            if self._times[fault.code] <= MOST_PROBLEMS:
                self.noted.append((len(self) + index, fault))
            else:
                self.notes.add_uncounted({fault.code: 1})

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
        self.first_duplicate = self.place_of(marks.index(1))
        if drop:
            self.leave_out(marks)

    def leave_out(self, marks: bytearray) -> None:
        """Forget the examples that are marked."""
        kept = bytes(marks).translate(bytes((1, 0)) + bytes(254))
        self.spool.drop(marks)
        self._starts = [start - sum(marks[:start]) for start in self._starts]
        for name in NUMBERS:
            numbers = getattr(self, name)
            setattr(self, name, array(numbers.typecode, itertools.compress(numbers, kept)))
        self.roles, self.flags = (
            bytearray(itertools.compress(one, kept)) for one in (self.roles, self.flags)
        )
        before = list(itertools.accumulate(marks, initial=0)) if self.marks or self.noted else ()
        self.noted = [(index - before[index], fault) for index, fault in self.noted if kept[index]]
        self.marks = {index - before[index]: mark for index, mark in self.marks.items() if kept[index]}
        self.digests = _kept_records(self.digests, kept)
        self.facts = [_kept_records(facts, kept) for facts in self.facts]


def _kept_records(records: bytearray, kept: Sequence[int]) -> bytearray:
    """Return the records of equal size that are `kept`."""
    size = len(records) // len(kept)
    result = bytearray()
    for index in itertools.compress(range(len(kept)), kept):
        result += records[index * size : (index + 1) * size]
    return result


def gather(
    experiment: Experiment,
    spool: Spool,
    findings: Findings,
    announce: Announce | None = None,
) -> Gathered:
    """Read all sources into `spool`; what is wrong goes to `findings`, and the good rows are gathered."""
    files = usable_files(experiment, findings)
    large = sum(_size(file.path) for file in files) > LARGE
    read = portions(experiment, files, announce)
    done = worked_on(experiment, read, large=large)
    gathered = _gathered(experiment, spool, findings, done)
    gathered.find_duplicates(drop=experiment.data.dedupe != "off")
    return gathered


def gather_written(experiment: Experiment, spool: Spool, paths: Mapping[Role, Path]) -> Gathered:
    """Gather the examples of prepared files, as they are; DataError if one is damaged.

    Their places are those in the prepared files.
    """
    files = [SourceFile(path=paths[role], source=WRITTEN, role=role, format="jsonl") for role in paths]
    findings = Findings()
    large = sum(_size(file.path) for file in files) > LARGE
    done = worked_on(experiment, portions(experiment, files), written=True, large=large)
    gathered = _gathered(experiment, spool, findings, done)
    for error in findings.errors:
        raise damaged_file(error.file, error.line)
    return gathered


def _gathered(
    experiment: Experiment, spool: Spool, findings: Findings, done: Generator[tuple[FilePart, Batch | None]]
) -> Gathered:
    """Return what came of all portions; what is wrong with them goes to `findings`."""
    facts = [bytearray() for _ in corpus_checks(experiment)]
    gathered, found = Gathered(spool=spool, project=experiment.project, facts=facts), Findings()
    with contextlib.closing(done):
        for portion, batch in done:
            _take(gathered, found, portion, batch)
    findings.merge(found)
    return gathered


def _take(gathered: Gathered, findings: Findings, portion: FilePart, batch: Batch | None) -> None:
    found = portion.findings
    if portion.opens is not None:
        gathered.open_file(portion.opens, portion.weight)
    if batch is not None:
        found.merge(batch.findings)
        found.sort_by_line()  # records were read first and looked at then
        gathered.add(batch)
    findings.merge(found)
    seen = gathered.rows - gathered.rows_before if portion.seen is None else portion.seen
    if portion.ends is not None and not seen and not findings.failed:
        findings.add("no_rows", "the file has no rows", file=portion.ends.name, line=1)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # reading it reports why
