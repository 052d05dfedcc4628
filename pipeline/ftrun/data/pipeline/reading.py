"""The order in which files are read, and how their records are handed out in portions.

What is found while reading travels with the portions, so that problems are reported in the files' order.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ftrun.data.diagnostics.findings import Findings
from ftrun.data.diagnostics.place import FilePlace, UnusableFileError
from ftrun.data.pipeline.row_work import Task
from ftrun.data.readers.rows import Choices, needed_in, read_records, read_rows
from ftrun.data.readers.selection import Choice
from ftrun.data.readers.sources import SourceFile
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path

Announce = Callable[[str], None]
ROWS, SIZE = 1000, 1 << 17  # of a portion: at most so many records, and about so many characters


class FilePart(NamedTuple):
    """A part of the reading: `findings` come first, then what comes of `task`.

    `opens` is the name of a file that begins here, `ends` a file that is over; None: neither. `seen` is how
    many rows a file has among which some were chosen.
    """

    findings: Findings
    task: Task | None = None
    opens: str | None = None
    weight: float = 1
    ends: FilePlace | None = None
    seen: int | None = None


def portions(
    experiment: Experiment, files: Sequence[SourceFile], announce: Announce | None = None
) -> Iterator[FilePart]:
    """Yield all that is read, in order."""
    project, findings = experiment.project.resolve(), Findings()
    choices = Choices(experiment, files, findings)
    for file in files:
        choice = choices.of(file)
        if choice.is_full:
            continue
        place = FilePlace(shown_path(file.path), findings)
        if announce:
            announce(f"reading {place.name}")
        name = relative_name(file.path, project)
        yield FilePart(findings.drain(), opens=name, weight=file.source.weight)
        seen = choice.seen
        for task in _tasks(experiment, file, place, findings, choice):
            yield FilePart(findings.drain(), task)
        yield FilePart(findings.drain(), ends=place, seen=choice.seen - seen if choice.chooses else None)
    choices.finish()
    yield FilePart(findings.drain())


def _tasks(
    experiment: Experiment, file: SourceFile, place: FilePlace, findings: Findings, choice: Choice
) -> Iterator[Task]:
    """Yield the records of a file; where the source chooses among its rows, these are made here."""
    if choice.chooses:
        rows = read_rows(experiment, file, place, findings, choice)
        for some in _in_parts((row.line, row) for row in rows):
            yield Task(file, place.name, some)
        return
    try:
        records, decode = read_records(file, place, needed_in(experiment, file))
    except UnusableFileError:
        return  # its problem has been added
    for some in _in_parts(records):
        yield Task(file, place.name, some, decode)


def _in_parts(records: Iterator[tuple[int, Any]]) -> Iterator[list[tuple[int, Any]]]:
    """Yield the records in lists; they end where the file can't be read on."""
    part: list[tuple[int, Any]] = []
    size = 0
    with contextlib.suppress(UnusableFileError):  # its problem has been added
        for one in records:
            part.append(one)
            size += _size(one[1])
            if size > SIZE or len(part) == ROWS:
                yield part
                part, size = [], 0
    if part:
        yield part


def _size(record: Any) -> int:
    """Return about how many characters a line, the values of a table or those of a row have."""
    if isinstance(record, str):
        return len(record)
    if isinstance(record, list):
        return sum(map(len, record))
    values = record.values() if isinstance(record, dict) else record.values.values()
    return sum(len(one) for one in values if isinstance(one, str))


def relative_name(path: Path, project: Path) -> str:
    """Return the name of a data file relative to the (resolved) project, whole if it is elsewhere."""
    resolved = path.parent.resolve() / path.name
    return str(resolved.relative_to(project)) if resolved.is_relative_to(project) else str(path)
