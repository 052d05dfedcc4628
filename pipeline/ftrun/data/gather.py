"""Owns the first pass over the data: every row becomes an example in the spool, repeated ones are found.

Memory holds about fifty bytes an example, never its text.
"""

from __future__ import annotations

import itertools
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ftrun.data.checks import corpus_checks
from ftrun.data.choosing import Choice
from ftrun.data.examples import RowRenderer
from ftrun.data.findings import Findings
from ftrun.data.marks import Mark
from ftrun.data.notes import Notes
from ftrun.data.place import FilePlace
from ftrun.data.repeats import repeated
from ftrun.data.rows import Row, choice_of, read_rows
from ftrun.data.rowwork import Batch, RowWork, damaged_file
from ftrun.data.sources import Role, SourceFile, usable_files
from ftrun.data.split import TEST, TRAIN, VALIDATION
from ftrun.data.spool import Spool
from ftrun.experiment.model import Experiment, Source
from ftrun.experiment.places import shown_path

Announce = Callable[[str], None]
BATCH = 1000  # rows worked on at a time
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
    notes: Notes = field(default_factory=Notes)
    marks: dict[int, Mark] = field(default_factory=dict)  # of generated examples
    rows: int = 0
    duplicates: int = 0
    first_duplicate: tuple[int, int] | None = None
    seconds: dict[str, float] = field(default_factory=dict)  # of processor time, by phase
    _starts: list[int] = field(default_factory=list)  # where examples of another file begin, and of which
    _file_at: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.roles)

    def place_of(self, index: int) -> tuple[int, int]:
        """Return the index into `files` and the line of an example."""
        return self._file_at[bisect_right(self._starts, index) - 1], self.line_of[index]

    def place(self, index: int) -> tuple[str, int]:
        """Return file and line of an example as messages show them."""
        file, line = self.place_of(index)
        return shown_path(self.project / self.files[file]), line

    def open_file(self, name: str, weight: float = 1) -> None:
        """Begin with the examples of another file."""
        self.files.append(name)
        self.weights.append(weight)
        self._begin(len(self), len(self.files) - 1)

    def add(self, batch: Batch, spool_file: int) -> None:
        """Take over what came of some rows of the newest file."""
        file, count = len(self.files) - 1, len(batch.lines)
        self.marks |= {len(self) + index: mark for index, mark in batch.marks.items()}
        self.rows += batch.rows
        self.spool.add(spool_file, batch.offset, count)
        self.roles += bytes((OWN_PART[batch.role],)) * count
        self.line_of.extend(batch.lines)
        self.rank_of.extend(batch.ranks)
        self.stratum_of.extend(batch.strata)
        for name in ("digests", "tokens", "assistant", "messages", "flags"):
            getattr(self, name).extend(getattr(batch, name))
        for all_facts, facts in zip(self.facts, batch.facts, strict=True):
            all_facts += facts
        for index, fault in batch.noted:
            self.notes.add(fault, (file, batch.lines[index]))
        self.notes.add_uncounted(batch.unnoted)
        for phase, seconds in batch.seconds.items():
            self.seconds[phase] = self.seconds.get(phase, 0.0) + seconds

    def locate(self, files: Sequence[str], places: Iterable[tuple[int, int]]) -> None:
        """Say where the examples came from in truth: an index into `files` and a line for each."""
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
        before = list(itertools.accumulate(marks, initial=0)) if self.marks else ()
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
    announce: Announce | None,
    renderer: RowRenderer | None,
) -> Gathered:
    """Read all sources into `spool`; what is wrong goes to `findings`, and the good rows are gathered."""
    gathered = _nothing_yet(experiment, spool)
    work = RowWork(experiment, spool.files[0], renderer=renderer)
    for file, place, rows in _batches(experiment, findings, gathered, announce):
        batch = work.do(rows, file.role, place.name)
        findings.merge(batch.findings)
        gathered.add(batch, 0)
    gathered.find_duplicates(drop=experiment.data.dedupe == "exact")
    return gathered


def gather_written(experiment: Experiment, spool: Spool, files: Mapping[Role, Path]) -> Gathered:
    """Gather the examples of prepared files, as they are; DataError if one is damaged.

    Their places are those in the prepared files.
    """
    gathered = _nothing_yet(experiment, spool)
    work = RowWork(experiment, spool.files[0], written=True)
    findings = Findings()
    for role, path in files.items():
        file = SourceFile(path=path, source=WRITTEN, role=role, format="jsonl")
        place = FilePlace(shown_path(path), findings)
        gathered.open_file(relative_name(path, experiment.project.resolve()))
        rows = read_rows(experiment, file, place, findings, None)
        while batch := list(itertools.islice(rows, BATCH)):
            gathered.add(work.do(batch, role, place.name), 0)
        for error in findings.errors:
            raise damaged_file(place.name, error.line)
    return gathered


def _nothing_yet(experiment: Experiment, spool: Spool) -> Gathered:
    facts = [bytearray() for _ in corpus_checks(experiment)]
    return Gathered(spool=spool, project=experiment.project, facts=facts)


def _batches(
    experiment: Experiment, findings: Findings, gathered: Gathered, announce: Announce | None
) -> Iterator[tuple[SourceFile, FilePlace, list[Row]]]:
    choices: dict[tuple[str | int, ...], Choice] = {}
    project = experiment.project.resolve()
    files = usable_files(experiment, findings)
    for file in files:
        key = file.source.key
        if key not in choices:
            choices[key] = choice_of(experiment, file.source, files, findings)
        choice = choices[key]
        if choice.is_full:
            continue
        place = FilePlace(shown_path(file.path), findings)
        gathered.open_file(relative_name(file.path, project), file.source.weight)
        if announce:
            announce(f"reading {place.name}")
        seen = choice.seen
        rows = read_rows(experiment, file, place, findings, choice)
        while batch := list(itertools.islice(rows, BATCH)):
            yield file, place, batch
        if choice.seen == seen and not findings.failed:
            place.add("no_rows", "the file has no rows", 1)
    for choice in choices.values():
        choice.finish()


def relative_name(path: Path, project: Path) -> str:
    """Return the name of a data file relative to the (resolved) project, whole if it lies elsewhere."""
    resolved = path.parent.resolve() / path.name
    return str(resolved.relative_to(project)) if resolved.is_relative_to(project) else str(path)
