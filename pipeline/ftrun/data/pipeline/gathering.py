"""The first pass over the data: files are read in portions, and every row becomes an example in the spool.

What is found while reading travels with the portions, so that problems are reported in the files' order.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ftrun.data.diagnostics.findings import FilePlace, Findings, UnusableFileError
from ftrun.data.pipeline.gathered import Gathered, Spool
from ftrun.data.pipeline.row_work import FilePart, Task
from ftrun.data.pipeline.workers import worked_on
from ftrun.data.quality.checks import corpus_checks
from ftrun.data.readers.rows import Choices, Decode, in_portions, read_records, read_rows
from ftrun.data.readers.selection import needed_columns
from ftrun.data.readers.sources import SourceFile
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path

Announce = Callable[[str], None]
ROWS, SIZE = 1000, 1 << 18  # of a portion: at most so many records, and about so many characters (see _size)
LARGE = 16_000_000  # bytes: reading them takes longer than starting processes


def gather(
    experiment: Experiment,
    files: Sequence[SourceFile],
    spool: Spool,
    findings: Findings,
    announce: Announce | None = None,
    *,
    written: bool = False,
) -> Gathered:
    """Read `files` into `spool`; what is wrong goes to `findings`, and the good rows are gathered.

    `written`: they are prepared files, whose lines are examples already.
    """
    facts = [bytearray() for _ in corpus_checks(experiment)]
    gathered, found = Gathered(spool=spool, project=experiment.project, facts=facts), Findings()
    project, before = experiment.project.resolve(), 0
    large = sum(_bytes_of(file.path) for file in files) > LARGE
    done = worked_on(experiment, _parts(experiment, files, announce), written=written, large=large)
    with contextlib.closing(done):
        for part, batch in done:
            if part.opens is not None:
                gathered.open_file(relative_name(part.opens.path, project), part.opens.source.weight)
                before = gathered.rows
            if batch is not None:
                part.findings.merge(batch.findings)
                part.findings.sort_by_line()  # a portion is read whole before its rows are checked
                gathered.add(batch)
            found.merge(part.findings)
            seen = gathered.rows - before if part.seen is None else part.seen
            if part.ends is not None and not seen and not found.failed:
                found.add("no_rows", "the file has no rows", file=part.ends, line=1)
    findings.merge(found)
    return gathered


def _parts(
    experiment: Experiment, files: Sequence[SourceFile], announce: Announce | None
) -> Iterator[FilePart]:
    """Yield all that is read, in order; where a source chooses among its rows, they are made here."""
    findings = Findings()
    choices = Choices(experiment, files, findings)
    for file in files:
        choice, place = choices.of(file), FilePlace(shown_path(file.path), findings)
        if choice.is_full:
            continue
        if announce:
            announce(f"reading {place.name}")
        yield FilePart(findings.drain(), opens=file)
        before = choice.seen
        with contextlib.suppress(UnusableFileError):  # its problem has been added
            records: Iterator[tuple[int, Any]]
            decode: Decode | None = None
            if choice.chooses:
                records = ((row.line, row) for row in read_rows(experiment, file, place, choice))
            else:
                records, decode = read_records(file, place, needed_columns(experiment, file))
            for some in in_portions(records, ROWS, SIZE, _size):
                yield FilePart(findings.drain(), Task(file, place.name, some, decode))
        seen = choice.seen - before if choice.chooses else None
        yield FilePart(findings.drain(), ends=place.name, seen=seen)
    choices.finish()
    yield FilePart(findings.drain())


def _size(numbered: tuple[int, Any]) -> int:
    """Return the size of a record in characters; separate values count more, as they take more memory."""
    record = numbered[1]
    if isinstance(record, str):
        return len(record)
    if isinstance(record, list):
        return 4 * sum(map(len, record))
    values = record.values() if isinstance(record, dict) else record.values.values()
    return 2 * sum(len(one) for one in values if isinstance(one, str))


def relative_name(path: Path, project: Path) -> str:
    """Return the name of a data file relative to the (resolved) project, whole if it is elsewhere."""
    resolved = path.parent.resolve() / path.name
    return str(resolved.relative_to(project)) if resolved.is_relative_to(project) else str(path)


def _bytes_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0  # reading it reports why
