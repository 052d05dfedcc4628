"""Reading CSV and TSV: records become mappings with the exact line at which each starts."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from ftrun.data.diagnostics.findings import FilePlace, UnusableFileError

if TYPE_CHECKING:
    from _csv import Reader  # what csv.reader returns; it has no public name

Records = Iterator[tuple[int, list[str]]]
TITLE = (
    "If this first line is a title, delete all lines above the one with the column names; "
    'a value that contains the separator must be in quotes: "a, b".'
)
QUOTE = 'Put a value that contains the separator or a line break into quotes: "a, b".'
OTHER_SEPARATORS = {
    ";": ("semicolons", "Save the file with commas between the values."),
    "\t": ("tabs", "Add `format: tsv` to the source."),
    ",": ("commas", "Add `format: csv` to the source."),
}
LONGEST_VALUE = 16_000_000  # characters; csv's own limit of 131,072 is below a long conversation


def read_table(lines: Iterable[str], delimiter: str, place: FilePlace) -> tuple[list[str], Records]:
    """Return the column names, and an iterator over (line, values) of the records below them.

    UnusableFileError, with the problem added to `place`, if there is no header to use.
    """
    csv.field_size_limit(LONGEST_VALUE)
    records = _records(csv.reader(_no_json(lines, place), delimiter=delimiter, strict=True), place)
    for line, record in records:
        return _header(record, line, delimiter, place), records
    place.add("empty_file", "the file is empty", 1)
    raise UnusableFileError


def row_of_record(
    header: list[str], record: list[str], line: int, place: FilePlace
) -> dict[str, object] | None:
    """Return the row of a record; None if it has no values or, with a problem, not as many as columns.

    Values after the last column are left out if they are empty: spreadsheets write them next to and below
    what they were used for.
    """
    if len(record) == len(header):
        return dict(zip(header, record, strict=True)) if any(record) else None
    if not any(record):
        return None
    if len(record) < len(header) or any(record[len(header) :]):
        _add_ragged(record, header, line, place)
        return None
    return dict(zip(header, record, strict=False))


def _no_json(lines: Iterable[str], place: FilePlace) -> Iterator[str]:
    """Return the lines; UnusableFileError if the first one is that of a JSON file under another name."""
    rest = iter(lines)
    first = next(rest, "")
    start = first.strip()
    kind = "json" if start == "[" or start.startswith("[{") else ""
    if start.startswith("{"):
        with contextlib.suppress(ValueError, RecursionError):
            kind = "jsonl" if isinstance(json.loads(start), dict) else ""
    if kind:
        hint = f"Add `format: {kind}` to the source, or name the file .{kind}."
        place.add("json_in_table", "the file holds JSON objects, not columns", 1, hint=hint)
        raise UnusableFileError
    return itertools.chain((first,) if first else (), rest)


def _records(reader: Reader, place: FilePlace) -> Records:
    """Yield (first line, values) of every record that is not an empty line."""
    while True:
        line = reader.line_num + 1
        try:
            record = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            place.add("csv_quotes", _quotes(str(error)), line)
            continue
        if record:
            yield line, record


def _quotes(error: str) -> str:
    if "end of data" in error:
        return "a quote that is opened in this record is never closed"
    if "field larger" in error:
        return f"a value is longer than {LONGEST_VALUE:,} characters; perhaps a quote is not closed"
    return "a quoted value continues after its closing quote"


def _header(record: list[str], line: int, delimiter: str, place: FilePlace) -> list[str]:
    named = len(record) - next((n for n, name in enumerate(reversed(record)) if name.strip()), len(record))
    record = record[:named] if named > 1 else record
    times = Counter(record)
    problems = [
        f"the column name {name!r} occurs {count} times" for name, count in times.items() if count > 1
    ]
    if blank := [str(index) for index, name in enumerate(record, 1) if not name.strip()]:
        problems = [f"column {', '.join(blank)} of {len(record)} has no name"]
    title = TITLE if len(blank) == len(record) - 1 > 0 else None
    for problem in problems:
        place.add("header", problem, line, hint=title)
    if problems:
        raise UnusableFileError
    for other, (name, hint) in OTHER_SEPARATORS.items():
        if len(record) == 1 and other != delimiter and other in record[0]:
            place.add("header", f"the columns are separated by {name}: {record[0]!r}", line, hint=hint)
            raise UnusableFileError
    return record


def _add_ragged(record: list[str], header: list[str], line: int, place: FilePlace) -> None:
    values = "1 value" if len(record) == 1 else f"{len(record)} values"
    names = "1 column" if len(header) == 1 else f"{len(header)} columns"
    hint = TITLE if len(header) == 1 else None
    if len(record) > len(header) > 1:
        hint = f"{QUOTE} If column {len(header) + 1} has no name, give it one."
    place.add("ragged_row", f"the record has {values}, but the header names {names}", line, hint=hint)
