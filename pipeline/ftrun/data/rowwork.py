"""Owns all that is done with a row where it is read: made an example, checked, counted, spooled.

It knows nothing of other rows, so any process can do it; what needs all of them is done by who gathers.
"""

from __future__ import annotations

import functools
import hashlib
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

from ftrun.data.checks import corpus_checks, row_checks
from ftrun.data.content.masking import Masker
from ftrun.data.examples import ExampleMaker, RowRenderer
from ftrun.data.faults import Fault
from ftrun.data.file_spans import Span
from ftrun.data.findings import MOST_PROBLEMS, Findings
from ftrun.data.json_fast import canonical_line, json_line
from ftrun.data.marks import Mark
from ftrun.data.models import encoding_of, family
from ftrun.data.place import FilePlace
from ftrun.data.rows import Row, read_span_rows
from ftrun.data.shapes import messages_of
from ftrun.data.sources import Role, SourceFile
from ftrun.data.split_keys import SplitKeys
from ftrun.data.tokens import count_examples, text_counter, texts_of
from ftrun.errors import DataError
from ftrun.experiment.model import Experiment

NO_SYSTEM, NO_USER = 1, 2  # bits of Batch.flags, beside those of Tokens.flags


_small = functools.partial(array, "I")
_large = functools.partial(array, "Q")


@dataclass(slots=True, kw_only=True)
class Batch:
    """What came of some rows of one file. Entry i of each array belongs to its i-th example.

    The examples' lines stand in the spool from `offset` on. `noted` are faults that content checks found,
    with i; of each code the first are kept and the rest is counted in `unnoted`.
    """

    role: Role
    offset: int
    rows: int = 0
    digests: bytearray = field(default_factory=bytearray)  # 16 bytes each
    lines: array[int] = field(default_factory=_small)
    ranks: array[int] = field(default_factory=_large)
    strata: array[int] = field(default_factory=_large)  # empty unless stratified
    tokens: array[int] = field(default_factory=_small)
    assistant: array[int] = field(default_factory=_small)
    messages: array[int] = field(default_factory=_small)
    flags: bytearray = field(default_factory=bytearray)
    marks: dict[int, Mark] = field(default_factory=dict)  # of generated rows
    facts: list[bytes] = field(default_factory=list)  # one for each corpus check
    noted: list[tuple[int, Fault]] = field(default_factory=list)
    unnoted: Counter[str] = field(default_factory=Counter)
    masked: Counter[str] = field(default_factory=Counter)  # what was replaced, by kind
    findings: Findings = field(default_factory=Findings)
    seconds: dict[str, float] = field(default_factory=dict)  # of processor time, by phase


class Task(NamedTuple):
    """Rows of one file: as they are, or the span of the file that holds them. `name`: as messages name it."""

    file: SourceFile
    name: str
    rows: list[Row]
    span: Span | None = None


class RowWork:
    """Does the work on rows for one experiment. Renders with `renderer`, else with one of its own.

    `written`: the rows are examples that were prepared before.
    """

    def __init__(
        self,
        experiment: Experiment,
        spool: IO[bytes],
        *,
        renderer: RowRenderer | None = None,
        written: bool = False,
    ) -> None:
        self._experiment = experiment
        self._findings = Findings()
        self._keys = None if written else SplitKeys(experiment, self._findings)
        maker = ExampleMaker(experiment, self._findings, renderer)
        self._example_of = _written_example if written else maker.example_of
        self._family = family(experiment.target.model)
        self._count = text_counter(encoding_of(experiment.target).name, threads=1)
        self._masker = Masker(None if written else experiment.data.pii)
        self._row_checks = row_checks(experiment)
        self._corpus_checks = corpus_checks(experiment)
        self._spool = spool

    def do(self, task: Task) -> Batch:
        """Return what came of the rows of a task; OddFileError if its file must be read as a whole."""
        place = FilePlace(task.name, self._findings)
        batch = Batch(role=task.file.role, offset=self._spool.tell())
        clock = _Clock(batch.seconds)
        rows = self._read(task, place)
        batch.rows = len(rows)
        clock.lap("read")
        examples = self._make(batch, rows, place)
        batch.masked = self._masker.drain()
        clock.lap("make")
        self._count_into(batch, examples)
        clock.lap("count")
        self._check_into(batch, examples)
        clock.lap("check")
        self._write(batch, examples)
        clock.lap("write")
        batch.findings = self._findings.drain()
        return batch

    def _read(self, task: Task, place: FilePlace) -> list[Row]:
        if task.span is None:
            return task.rows
        return list(read_span_rows(self._experiment, task.file, task.span, place, self._findings))

    def _make(self, batch: Batch, rows: list[Row], place: FilePlace) -> list[dict[str, Any]]:
        examples: list[dict[str, Any]] = []
        for row in rows:
            example = self._example_of(row, place)
            if example is not None:
                example = self._masker.masked(example)
                digest = example_digest(example)
                if row.mark is not None:
                    batch.marks[len(examples)] = row.mark
                examples.append(example)
                batch.lines.append(row.line)
                batch.digests += digest
                self._add_keys(batch, row, digest, place)
        return examples

    def _add_keys(self, batch: Batch, row: Row, digest: bytes, place: FilePlace) -> None:
        if self._keys is None:
            return
        batch.ranks.append(self._keys.rank_of(row, digest, batch.role, place))
        if self._keys.stratified:
            batch.strata.append(self._keys.stratum_of(row, batch.role, place))

    def _count_into(self, batch: Batch, examples: Sequence[dict[str, Any]]) -> None:
        for tokens in count_examples(examples, self._count, self._family):
            batch.tokens.append(tokens.total)
            batch.assistant.append(tokens.assistant)
            batch.flags.append(tokens.flags)
        for index, example in enumerate(examples):
            roles = [message["role"] for message in messages_of(example)]
            batch.messages.append(len(roles))
            no_system = "system" not in roles and "developer" not in roles
            if roles:  # rows of prompt and completion have none
                batch.flags[index] |= NO_SYSTEM * no_system | NO_USER * ("user" not in roles)

    def _check_into(self, batch: Batch, examples: Sequence[dict[str, Any]]) -> None:
        noted: Counter[str] = Counter()
        for check in self._row_checks:
            for index, example in enumerate(examples):
                for fault in check(example):
                    noted[fault.code] += 1
                    if noted[fault.code] <= MOST_PROBLEMS:
                        batch.noted.append((index, fault))
                    else:
                        batch.unnoted[fault.code] += 1
        batch.noted.sort(key=lambda one: one[0])
        batch.facts = [b"".join(map(check.fact, examples)) for check in self._corpus_checks]

    def _write(self, batch: Batch, examples: Sequence[dict[str, Any]]) -> None:
        self._spool.writelines(json_line(example) + b"\n" for example in examples)
        self._spool.flush()


class _Clock:
    """Adds the processor time between laps."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds, self._last = seconds, time.process_time()

    def lap(self, phase: str) -> None:
        now = time.process_time()
        self._seconds[phase] = self._seconds.get(phase, 0.0) + now - self._last
        self._last = now


def _written_example(row: Row, place: FilePlace) -> dict[str, Any]:
    example: dict[str, Any] = dict(row.values)
    try:
        texts_of(example)
        _ = [message["role"] for message in messages_of(example)]
    except (KeyError, TypeError, AttributeError) as error:
        raise damaged_file(place.name, row.line) from error
    return example


def damaged_file(file: str | None, line: int | None) -> DataError:
    """Return the error for a line of a prepared file that is no example any more."""
    hint = "Make the file anew: ftrun run CONFIG --force prepare"
    message = "this line of a prepared file is damaged"
    return DataError(message, code="damaged_file", hint=hint, file=file, line=line)


def example_digest(example: dict[str, Any]) -> bytes:
    """Return 16 bytes that are equal for equal training rows, whatever the order of their keys."""
    value = example["messages"] if example.keys() == {"messages"} else example
    return hashlib.blake2b(canonical_line(value), digest_size=16).digest()
