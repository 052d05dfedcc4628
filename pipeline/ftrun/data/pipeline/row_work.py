"""All that is done with single rows: decoded, made an example, checked, counted, written as a line.

It needs no other rows, so any process can do it; `gathering` does what needs all of them.
"""

from __future__ import annotations

import functools
import time
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ftrun.cost.models import encoding_of, family
from ftrun.cost.tokens import count_rows, countable, text_counter
from ftrun.data.diagnostics.findings import MOST_PROBLEMS, FilePlace, Findings
from ftrun.data.examples.cleaning import Cleaner
from ftrun.data.examples.digest import DigestMaker
from ftrun.data.examples.making import ExampleMaker
from ftrun.data.examples.masking import Masker
from ftrun.data.examples.own_fields import is_label, opens_with_system, own_field
from ftrun.data.quality.checks import corpus_checks, row_checks
from ftrun.data.readers.json_rows import json_line
from ftrun.data.readers.rows import Decode, rows_of
from ftrun.data.readers.sources import Role, SourceFile
from ftrun.data.split.keys import SplitKeys
from ftrun.data.types import Mark, Row
from ftrun.errors import DataError
from ftrun.experiment.model import Experiment
from ftrun.protocol.faults import Fault
from ftrun.protocol.plain_chats import SEQUENCES, TrainingRow, chat_of
from ftrun.protocol.training_rows import messages_of

NO_SYSTEM, NO_USER = 1, 2  # bits of Batch.flags, in addition to those of Tokens.flags
_small, _large = (functools.partial(array, kind) for kind in "IQ")


@dataclass(slots=True, kw_only=True)
class Batch:
    """What came of some rows of one file. Entry i of each array belongs to its i-th example.

    `text` has the examples' lines. `noted` are faults that content checks found, with i; of each code the
    first are kept, and of the rest only i, in `unnoted`.
    """

    role: Role
    text: bytes = b""
    rows: int = 0
    digests: bytearray = field(default_factory=bytearray)  # 16 bytes each
    lines: array[int] = field(default_factory=_small)
    rank_of: array[int] = field(default_factory=_large)
    stratum_of: array[int] = field(default_factory=_large)  # empty unless stratified
    tokens: array[int] = field(default_factory=_small)
    assistant: array[int] = field(default_factory=_small)
    messages: array[int] = field(default_factory=_small)
    flags: bytearray = field(default_factory=bytearray)
    marks: dict[int, Mark] = field(default_factory=dict)  # of generated rows
    facts: list[bytes] = field(default_factory=list)  # one for each corpus check
    noted: list[tuple[int, Fault]] = field(default_factory=list)
    unnoted: dict[str, list[int]] = field(default_factory=dict)
    masked: Counter[str] = field(default_factory=Counter)  # what was replaced, by kind
    findings: Findings = field(default_factory=Findings)
    seconds: dict[str, float] = field(default_factory=dict)  # of processor time, by phase


class Task(NamedTuple):
    """Records of one file with their lines, and what decodes them; without it they are Rows already.

    `name`: the file as messages name it.
    """

    file: SourceFile
    name: str
    records: list[tuple[int, Any]]
    decode: Decode | None = None


class FilePart(NamedTuple):
    """A part of the reading: `findings` come first, then what comes of `task`.

    `opens` is a file that begins here, `ends` the name of one that is over; None: neither. `seen` is the
    number of rows in a file from which some were chosen.
    """

    findings: Findings
    task: Task | None = None
    opens: SourceFile | None = None
    ends: str | None = None
    seen: int | None = None


class RowWork:
    """Does the work on rows for one experiment. `written`: they are examples that were prepared before."""

    def __init__(self, experiment: Experiment, *, written: bool = False) -> None:
        self._experiment = experiment
        self._findings = Findings()
        self._keys = None if written else SplitKeys(experiment)
        self._example_of = _written_example if written else ExampleMaker(experiment).example_of
        self._family = family(experiment.target.model)
        self._count = text_counter(encoding_of(experiment.target).name, threads=1)
        self._cleaner = Cleaner(() if written else experiment.data.clean)
        self._has_system = experiment.prompt.system is not None or bool(experiment.prompt.messages)
        self._masker = Masker(None if written else experiment.data.pii)
        self._row_checks = row_checks(experiment)
        self._corpus_checks = corpus_checks(experiment)
        self._digest = DigestMaker()

    def do(self, task: Task) -> Batch:
        """Return what came of the rows of a task."""
        place = FilePlace(task.name, self._findings)
        batch = Batch(role=task.file.role)
        clock = PhaseClock(batch.seconds)
        if task.decode is None:
            rows = [row for _, row in task.records]
        else:
            rows = list(rows_of(self._experiment, task.file, task.records, task.decode, place))
        batch.rows = len(rows)
        clock.lap("read")
        examples, used = self._make(batch, rows, place)
        batch.masked = self._masker.drain()
        clock.lap("make")
        self._count_into(batch, examples)
        clock.lap("count")
        self._check_into(batch, examples, used)
        clock.lap("check")
        batch.text = b"".join(json_line(one.example) + b"\n" for one in examples)
        clock.lap("write")
        batch.findings = self._findings.drain()
        return batch

    def _make(self, batch: Batch, rows: list[Row], place: FilePlace) -> tuple[list[TrainingRow], list[Row]]:
        """Return the examples, and the row of each."""
        examples: list[TrainingRow] = []
        used: list[Row] = []
        for row in rows:
            made = self._example_of(row, place)
            if made is not None:
                given = not self._has_system or opens_with_system(row.values)
                made = self._cleaner.cleaned(made, own_system=given)
                masked = self._masker.masked(made.example)
                if masked is not made.example:
                    made = TrainingRow(masked, chat_of(masked))
                digest = self._digest(made.example, made.chat)
                if row.mark is not None:
                    batch.marks[len(examples)] = row.mark
                examples.append(made)
                used.append(row)
                batch.lines.append(row.line)
                batch.digests += digest
                if self._keys is not None:
                    batch.rank_of.append(self._keys.rank_of(row, digest, batch.role, place))
                    if self._keys.stratified:
                        batch.stratum_of.append(self._keys.stratum_of(row, batch.role, place))
        return examples, used

    def _count_into(self, batch: Batch, examples: Sequence[TrainingRow]) -> None:
        counted = count_rows(examples, self._count, self._family)
        for one, (total, assistant, flags) in zip(examples, counted, strict=True):
            roles = one.chat.roles if one.chat else tuple(said["role"] for said in messages_of(one.example))
            batch.tokens.append(total)
            batch.assistant.append(assistant)
            batch.messages.append(len(roles))
            batch.flags.append(flags | _missing(roles))

    def _check_into(self, batch: Batch, examples: Sequence[TrainingRow], used: Sequence[Row]) -> None:
        noted: Counter[str] = Counter()
        for check in self._row_checks:
            for index, fault in check(examples):
                own = self._at_home(fault, used[index], examples[index])
                if own.code == "blank_answer" and is_label(own.field):
                    continue
                noted[fault.code] += 1
                if noted[fault.code] <= MOST_PROBLEMS:
                    batch.noted.append((index, own))
                else:
                    batch.unnoted.setdefault(fault.code, []).append(index)
        batch.noted.sort(key=lambda one: one[0])
        batch.facts = [check.facts(examples) for check in self._corpus_checks]

    def _at_home(self, fault: Fault, row: Row, made: TrainingRow) -> Fault:
        """Return a fault with the field of the user's row instead of the example's."""
        if self._keys is None or not fault.field:
            return fault
        return fault._replace(field=own_field(self._experiment, row, made.example, fault.field))


class PhaseClock:
    """Adds the processor time between laps."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self._seconds, self._last = seconds, time.process_time()

    def lap(self, phase: str) -> None:
        now = time.process_time()
        self._seconds[phase] = self._seconds.get(phase, 0.0) + now - self._last
        self._last = now


def _written_example(row: Row, place: FilePlace) -> TrainingRow:
    example: dict[str, Any] = dict(row.values)
    try:
        countable(example)
        _ = [message["role"] for message in messages_of(example)]
    except (KeyError, TypeError, AttributeError) as error:
        raise damaged_file(place.name, row.line) from error
    return TrainingRow(example, chat_of(example))


@functools.lru_cache(SEQUENCES)
def _missing(roles: tuple[str, ...]) -> int:
    """Return the flags of a sequence of roles; rows of prompt and completion have none."""
    no_system = "system" not in roles and "developer" not in roles
    return NO_SYSTEM * no_system | NO_USER * ("user" not in roles) if roles else 0


def damaged_file(file: str | None, line: int | None) -> DataError:
    """Return the error for a line of a prepared file that is no longer an example."""
    hint = "Make the file again: ftrun run CONFIG --force prepare"
    message = "this line of a prepared file is damaged"
    return DataError(message, code="damaged_file", hint=hint, file=file, line=line)
