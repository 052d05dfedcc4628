"""How a file is read: its records, the rows they hold, and which of these the source chooses.

`read_records` opens a file of any format, `rows_of` makes rows of its records: where nothing is chosen among
them any process can do it. Knows nothing of chats.
"""

from __future__ import annotations

import contextlib
import functools
import math
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from ftrun.data.diagnostics.findings import FilePlace, Findings, UnusableFileError
from ftrun.data.readers.cells import Needed, Numbered
from ftrun.data.readers.columnar import read_arrow, read_parquet
from ftrun.data.readers.conversations import grouped
from ftrun.data.readers.csv_rows import read_table, row_of_record
from ftrun.data.readers.database import read_database
from ftrun.data.readers.encodings import text_lines
from ftrun.data.readers.exports.reading import read_export
from ftrun.data.readers.gzip_files import read_problems
from ftrun.data.readers.json_rows import read_json, read_jsonl, row_of_line
from ftrun.data.readers.querying import read_sqlite
from ftrun.data.readers.selection import Choice, needed_columns, row_rank
from ftrun.data.readers.sources import TEXT, SourceFile
from ftrun.data.readers.workbook import read_workbook
from ftrun.data.shapes.rows import shaped
from ftrun.data.shapes.values import ShapeFault
from ftrun.data.types import Row, take_mark
from ftrun.experiment.model import Experiment, Source
from ftrun.experiment.places import place_of
from ftrun.protocol.faults import nearest

USUAL = {"csv": ",", "tsv": "\t"}
Item = TypeVar("Item")
Decode = Callable[[Any, int, FilePlace], dict[str, object] | None]


class Records(NamedTuple):
    """The records of a file, as (line or row number, record), and what makes a row's values of one.

    `decode(record, line, place)` gives None, with the problem added to the place, for a record that can't be
    used. It can be pickled.
    """

    records: Iterator[tuple[int, Any]]
    decode: Decode


def read_records(file: SourceFile, place: FilePlace, needed: Needed = None) -> Records:
    """Open a file and return its records.

    Columns that are not `needed` (None: all are) are null where their value can't be used.
    UnusableFileError, with the problem added, here or in the midst of the records, if it can't be read on.
    """
    source, path = file.source, file.path
    if file.format in TEXT:
        lines = text_lines(path, source.encoding, place)
        match file.format:
            case "csv" | "tsv":
                header, records = read_table(
                    lines,
                    USUAL[file.format],
                    place,
                    separator=separator_of(source),
                    header_row=source.header_row,
                )
                return Records(records, functools.partial(row_of_record, header))
            case "jsonl":
                return Records(read_jsonl(lines, place), row_of_line)
            case "json":
                return Records(read_json(lines, place, source.records), _as_it_is)
            case service:
                return Records(read_export(service, lines, source, place), _as_it_is)
    match file.format:
        case "parquet":
            rows = read_parquet(path, place, needed)
        case "arrow":
            rows = read_arrow(path, place, needed)
        case "xlsx":
            rows = read_workbook(path, source.sheet, place, needed, header_row=source.header_row)
        case "sqlite":
            rows = read_sqlite(path, source.query, place, needed)
        case "sql":
            assert source.sql is not None
            rows = read_database(source.sql, place, needed)
        case other:
            raise ValueError(f"no reader for the format {other!r}")
    return Records(_unless_unreadable(rows, place), _as_it_is)


def separator_of(source: Source) -> str | None:
    """Return the character that the source names as separator, if it names one."""
    return "\t" if source.separator == "tab" else source.separator


def _as_it_is(values: dict[str, object], _line: int, _place: FilePlace) -> dict[str, object]:
    return values


def _unless_unreadable(rows: Iterator[Numbered], place: FilePlace) -> Iterator[Numbered]:
    with read_problems(place):
        yield from rows


def numbered(file: SourceFile, place: FilePlace, needed: Needed = None) -> Iterator[Numbered]:
    """Yield (line or row number, values) of every good row as it is in the file.

    Raises what `read_records` does.
    """
    records, decode = read_records(file, place, needed)
    for line, record in records:
        values = decode(record, line, place)
        if values is not None:
            yield line, values


def rows_of(
    experiment: Experiment,
    file: SourceFile,
    records: Iterable[tuple[int, Any]],
    decode: Decode,
    place: FilePlace,
) -> Iterator[Row]:
    """Yield the good rows that some records of a file hold, with columns renamed and shapes converted."""
    for line, record in records:
        values = decode(record, line, place)
        if values is not None and file.source.columns:
            values = _renamed(experiment, file.source, values, place, line)
        if values is None:
            continue
        row = Row(line, *take_mark(values))
        made = _shaped(experiment, file.source, row, place) if file.source.shape is not None else row
        if made is not None:
            yield made


def _shaped(experiment: Experiment, source: Source, row: Row, place: FilePlace) -> Row | None:
    assert source.shape is not None
    try:
        values, places = shaped(row.values, source.shape, source.roles)
    except ShapeFault as fault:
        place.add("shape", fault.message, row.line, hint=fault.hint)
        return None
    kept = _up_to_answer(values.get("messages", ())) if experiment.train.method == "supervised" else None
    if kept is not None:
        words = "what follows the last answer of a conversation is left out"
        place.add("group_end", words, row.line, once=True)
        values = {**values, "messages": kept}
    return row._replace(values=values, places=places)


def _up_to_answer(messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]] | None:
    """Return messages up to the last answer; None if nothing follows it, or there is none."""
    answers = [index for index, one in enumerate(messages) if one["role"] == "assistant"]
    return list(messages[: answers[-1] + 1]) if answers and answers[-1] + 1 < len(messages) else None


def read_rows(experiment: Experiment, file: SourceFile, place: FilePlace, choice: Choice) -> Iterator[Row]:
    """Yield the rows of one file that `choice` takes, up to where it can't be read on.

    Where the source says `group_by`, a row is a whole conversation.
    """
    rows = _rows_that_meet(choice, _good_rows(experiment, file, place), place)
    for row in grouped(experiment, file, rows, place) if file.source.group_by else rows:
        if choice.draws(row.values):
            yield row
        if choice.is_full:
            return  # what follows is not needed


def _good_rows(experiment: Experiment, file: SourceFile, place: FilePlace) -> Iterator[Row]:
    records, decode = read_records(file, place, needed_columns(experiment, file))
    yield from rows_of(experiment, file, records, decode, place)


def _rows_that_meet(choice: Choice, rows: Iterator[Row], place: FilePlace) -> Iterator[Row]:
    for portion in in_portions(rows, choice.portion):
        verdicts = choice.judge([row.values for row in portion])
        for row, verdict in zip(portion, verdicts, strict=True):
            if choice.meets(verdict, place, row.line):
                yield row


def in_portions(
    items: Iterator[Item], most: int, size: float = math.inf, size_of: Callable[[Item], int] = lambda _: 0
) -> Iterator[list[Item]]:
    """Yield lists of up to `most` items, or of just over `size`, up to where the file can't be read on."""
    portion: list[Item] = []
    total = 0
    with contextlib.suppress(UnusableFileError):  # its problem has been added
        for one in items:
            portion.append(one)
            total += size_of(one)
            if len(portion) == most or total > size:
                yield portion
                portion, total = [], 0
    if portion:
        yield portion


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
            self._of[source.key] = Choice(self._experiment, source, self._findings, self._ranks(source))
        return self._of[source.key]

    def _ranks(self, source: Source) -> array[int]:
        ranks = array("Q")
        if source.sample is None or source.sample.size < 1:
            return ranks
        unheard = Findings()  # problems are reported when the rows are read again
        before = Choice(self._experiment, replace(source, sample=None, limit=None), unheard)
        for file in self._files:
            if file.source.key == source.key:
                rows = read_rows(self._experiment, file, FilePlace(file.path.name, unheard), before)
                ranks.extend(row_rank(row.values, source.sample.seed) for row in rows)
        return ranks

    def finish(self) -> None:
        """Add a problem for each source of whose rows none was chosen."""
        for choice in self._of.values():
            choice.finish()


def _renamed(
    experiment: Experiment, source: Source, values: dict[str, object], place: FilePlace, line: int
) -> dict[str, object] | None:
    columns = source.columns or {}
    missing = {new: old for new, old in columns.items() if old not in values}
    for new, old in missing.items():
        words = f"{place.name} has no column {old!r}; it has: {', '.join(map(str, values))}"
        near = nearest(old, map(str, values))
        hint = f"Did you mean {near!r}?" if near else None
        where = place_of(experiment, *source.key, "columns", new)
        place.findings.add("missing_column", words, hint=hint, once=True, **where)
    others = {name: value for name, value in values.items() if name not in columns.values()}
    clashes = [new for new in columns if new in others]
    for new in clashes:
        message = f"`columns` renames a column to {new!r}, but the file already has that column"
        place.add("column_clash", message, line, once=True)
    if missing or clashes:
        return None
    return {**others, **{new: values[old] for new, old in columns.items()}}
