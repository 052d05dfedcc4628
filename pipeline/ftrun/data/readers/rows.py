"""The way from source files to rows: format, renamed columns, limits. Knows nothing of chats."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ftrun.data.diagnostics.findings import Findings
from ftrun.data.diagnostics.place import FilePlace, UnusableFileError
from ftrun.data.readers.cells import Needed
from ftrun.data.readers.columnar import read_arrow, read_parquet
from ftrun.data.readers.csv_rows import read_table
from ftrun.data.readers.database import read_database
from ftrun.data.readers.encodings import text_lines
from ftrun.data.readers.file_spans import Span, read_span
from ftrun.data.readers.gzip_files import told
from ftrun.data.readers.json_rows import read_json, read_jsonl
from ftrun.data.readers.selection import Choice, needs_ranks, row_rank
from ftrun.data.readers.sources import SourceFile
from ftrun.data.readers.sqlite_rows import read_sqlite
from ftrun.data.readers.workbook import read_workbook
from ftrun.data.types import MARK, Mark, take_mark
from ftrun.experiment.model import Experiment, Sample, Source
from ftrun.experiment.places import place_of
from ftrun.protocol.chat import TrainingRow

TEXT = ("csv", "tsv", "jsonl", "json")


class Row(NamedTuple):
    """One row and the line (from 1) at which it starts; its number where there are no lines.

    `mark`: it was generated. `lines`: those of the messages, where it is a conversation of several rows.
    `made`: what the values are as a training row, where that is known.
    """

    line: int
    values: Mapping[str, object]
    mark: Mark | None = None
    lines: tuple[int, ...] = ()
    made: TrainingRow | None = None


def read_rows(
    experiment: Experiment, file: SourceFile, place: FilePlace, findings: Findings, choice: Choice | None
) -> Iterator[Row]:
    """Yield the good rows of one file that `choice` takes (None: all); what is wrong goes to `findings`.

    Where the source says `group_by`, a row is a whole conversation.
    """
    rows = _rows(experiment, file, place, findings, choice)
    if not file.source.group_by:
        return rows
    from ftrun.data.readers.grouping import grouped  # it needs Row

    return _drawn(grouped(experiment, file, rows, place, findings), choice)


def _drawn(conversations: Iterator[Row], choice: Choice | None) -> Iterator[Row]:
    for row in conversations:
        if choice is None or choice.draws(row.values):
            yield row
        if choice is not None and choice.is_full:
            return


def _rows(
    experiment: Experiment, file: SourceFile, place: FilePlace, findings: Findings, choice: Choice | None
) -> Iterator[Row]:
    rows = _good_rows(experiment, file, place, findings)
    try:
        if choice is None:
            yield from rows
            return
        for portion in _portions(rows, choice.portion):
            verdicts = choice.judge([row.values for row in portion])
            for row, verdict in zip(portion, verdicts, strict=True):
                if choice.takes(row.values, verdict, place, row.line):
                    yield row
                if choice.is_full:
                    return  # what follows is nobody's business
    except UnusableFileError:
        return  # its problem has been added


def _good_rows(
    experiment: Experiment, file: SourceFile, place: FilePlace, findings: Findings
) -> Iterator[Row]:
    for line, values in numbered(file, place, _needed(experiment, file)):
        renamed = _renamed(experiment, file, values, place, line, findings)
        if renamed is not None:
            yield Row(line, *take_mark(renamed))


def _portions(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    """Yield the rows by `size`; those before an error of their file come before the error."""
    portion: list[Row] = []
    error: UnusableFileError | None = None
    try:
        for row in rows:
            portion.append(row)
            if len(portion) == size:
                yield portion
                portion = []
    except UnusableFileError as unusable:
        error = unusable
    if portion:
        yield portion
    if error is not None:
        raise error


def read_span_rows(
    experiment: Experiment, file: SourceFile, span: Span, place: FilePlace, findings: Findings
) -> Iterator[Row]:
    """Yield the good rows of a span of a file; OddFileError if the file must be read as a whole."""
    for line, values, made in read_span(span, place):
        renamed = _renamed(experiment, file, values, place, line, findings) if file.source.columns else values
        if renamed is values and MARK not in values:
            yield Row(line, values, made=made)
        elif renamed is not None:
            yield Row(line, *take_mark(renamed))


class Choices:
    """What decides over the rows of each source; a source's files share one."""

    def __init__(self, experiment: Experiment, files: Sequence[SourceFile], findings: Findings) -> None:
        self._experiment, self._files, self._findings = experiment, files, findings
        self._of: dict[tuple[str | int, ...], Choice] = {}

    def of(self, file: SourceFile) -> Choice:
        """Return what decides over the rows of `file`.

        A sample of so many rows is drawn by reading the source's files once before.
        """
        source = file.source
        if source.key not in self._of:
            ranks = self._ranks(source, source.sample) if needs_ranks(source) and source.sample else None
            self._of[source.key] = Choice(self._experiment, source, self._findings, ranks)
        return self._of[source.key]

    def _ranks(self, source: Source, sample: Sample) -> array[int]:
        unheard = Findings()  # what is wrong is told when the rows are read again
        before = Choice(self._experiment, replace(source, sample=None, limit=None), unheard)
        ranks = array("Q")
        for file in self._files:
            if file.source.key == source.key:
                place = FilePlace(file.path.name, unheard)
                rows = read_rows(self._experiment, file, place, unheard, before)
                ranks.extend(row_rank(row.values, sample.seed) for row in rows)
        return ranks

    def finish(self) -> None:
        """Add a problem for each source of whose rows none was chosen."""
        for choice in self._of.values():
            choice.finish()


def _needed(experiment: Experiment, file: SourceFile) -> Needed:
    if file.format in TEXT:  # every value of a text file is usable
        return None
    from ftrun.data.readers.columns_read import needed_columns  # imports jinja2

    return needed_columns(experiment, file.source)


def numbered(
    file: SourceFile, place: FilePlace, needed: Needed = None
) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield (line or row number, values) of every good row as it stands in the file.

    Columns that are not `needed` (None: all are) are null where their value can't be used.
    UnusableFileError, with the problem added, if the file can't be read on.
    """
    source, path = file.source, file.path
    if file.format in TEXT:
        yield from _read_text(file.format, text_lines(path, source.encoding, place), place)
        return
    with told(place):
        match file.format:
            case "parquet":
                yield from read_parquet(path, place, needed)
            case "arrow":
                yield from read_arrow(path, place, needed)
            case "xlsx":
                yield from read_workbook(path, source.sheet, place, needed)
            case "sqlite":
                yield from read_sqlite(path, source.query, place, needed)
            case _:
                assert source.sql is not None
                yield from read_database(source.sql, place, needed)


def _read_text(form: str, lines: Iterator[str], place: FilePlace) -> Iterator[tuple[int, dict[str, object]]]:
    match form:
        case "csv":
            return read_table(lines, ",", place)
        case "tsv":
            return read_table(lines, "\t", place)
        case "jsonl":
            return read_jsonl(lines, place)
        case _:
            return read_json(lines, place)


def _renamed(
    experiment: Experiment,
    file: SourceFile,
    values: dict[str, object],
    place: FilePlace,
    line: int,
    findings: Findings,
) -> dict[str, object] | None:
    columns = file.source.columns
    if not columns:
        return values
    missing = [old for old in columns.values() if old not in values]
    for old in missing:
        new = next(new for new, one in columns.items() if one == old)
        where = place_of(experiment, *file.source.key, "columns", new)
        findings.add(
            "missing_column", _missing(old, place.name, values), hint=_near(old, values), once=True, **where
        )
    others = {name: value for name, value in values.items() if name not in columns.values()}
    clashes = [new for new in columns if new in others]
    for new in clashes:
        place.add(
            "column_clash", f"`columns` names {new!r} anew, but the file has such a column", line, once=True
        )
    if missing or clashes:
        return None
    return {**others, **{new: values[old] for new, old in columns.items()}}


def _missing(old: str, file: str, values: Mapping[str, object]) -> str:
    return f"{file} has no column {old!r}; it has: {', '.join(map(str, values))}"


def _near(name: str, values: Mapping[str, object]) -> str | None:
    import difflib  # only errors need it

    near = difflib.get_close_matches(name, list(values), n=1)
    return f"Did you mean {near[0]!r}?" if near else None
