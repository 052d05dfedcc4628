"""Reading CSV, TSV and their like: records become mappings with the exact line at which each starts."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from ftrun.data.diagnostics.findings import FilePlace, UnusableFileError
from ftrun.data.readers.looking.tables import (
    INDEX,
    SEPARATORS,
    Look,
    first_lines,
    is_index,
    is_outer_index,
    look_at,
    nameless,
    separator_line,
    trimmed,
)

if TYPE_CHECKING:
    from _csv import Reader  # what csv.reader returns; it has no public name

Records = Iterator[tuple[int, list[str]]]
TITLE = (
    "If this first line is a title, set `header_row: N` on the source, N being the line with the column "
    'names; a value that contains the separator must be in quotes: "a, b".'
)
QUOTE = 'Put a value that contains the separator or a line break into quotes: "a, b".'
LONGEST_VALUE = 16_000_000  # characters; csv's own limit of 131,072 is below a long conversation


def read_table(
    lines: Iterable[str],
    usual: str,
    place: FilePlace,
    *,
    separator: str | None = None,
    header_row: int | None = None,
) -> tuple[list[str], Records]:
    """Return the column names, and an iterator over (line, values) of the records below them.

    Without a `separator` the first lines say what it is, `usual` if that does; without a `header_row` the
    first line with values has the names. UnusableFileError, with the problem added to `place`, if there is
    no header to use.
    """
    csv.field_size_limit(LONGEST_VALUE)
    above, said, rest = below(_no_json(lines, place), header_row)
    sample, whole = first_lines(rest)
    named = separator or said
    look = look_at(sample, named or usual, whole=whole, start=above + 1, fixed=named is not None)
    if look.unclear and look.separator != usual:
        refuse_unclear(look, place)
    reader = csv.reader(itertools.chain(sample, rest), delimiter=look.separator, strict=True)
    records = _records(reader, above, place)
    for line, record in records:
        if not any(record) and header_row is None:
            continue  # an empty line of a spreadsheet
        header = _header(record, line, look, place, chosen=header_row is not None)
        if named is None and look.separator != usual:
            words = f"the columns are separated by {SEPARATORS[look.separator]}"
            place.add("separator_found", words, line)
        return header, records
    words = "the file is empty" if header_row is None else f"there is no line {header_row} with column names"
    place.add("empty_file" if header_row is None else "header", words, 1)
    raise UnusableFileError


def separator_value(mark: str) -> str:
    """Return how an experiment file writes a separator."""
    return "tab" if mark == "\t" else f'"{mark}"'


def refuse_unclear(look: Look, place: FilePlace) -> None:
    """Raise UnusableFileError: the look found several separators."""
    marks = " and ".join(SEPARATORS[mark] for mark in look.unclear)
    ways = " or ".join(f"`separator: {separator_value(mark)}`" for mark in look.unclear)
    options = " or ".join(f"`--separator {shlex.quote(_option(mark))}`" for mark in look.unclear)
    hint = f"Set {ways} on the source (for `ftrun init`: {options})."
    place.add("separator", f"{marks} divide the columns equally well", look.header, hint=hint)
    raise UnusableFileError


def _option(mark: str) -> str:
    return "tab" if mark == "\t" else mark


def below(lines: Iterable[str], header_row: int | None) -> tuple[int, str | None, Iterator[str]]:
    """Return how many lines come before the header, the separator that `sep=` names there, and the rest."""
    rest = iter(lines)
    above = list(itertools.islice(rest, max(1, (header_row or 1) - 1)))
    said = separator_line(above[0]) if above else None
    if (header_row or 1) == 1 and said is None:
        return 0, None, itertools.chain(above, rest)
    return len(above), said, rest


def row_of_record(
    header: list[str], record: list[str], line: int, place: FilePlace
) -> dict[str, object] | None:
    """Return the row of a record; None if it has no values or, with a problem, not as many as columns.

    Values after the last column are left out if they are empty: spreadsheets write them next to and below
    what they were used for. So are those of columns without a name, if they are empty or number the rows.
    """
    if not any(record):
        return None
    if len(record) != len(header) and (len(record) < len(header) or any(record[len(header) :])):
        _add_ragged(record, header, line, place)
        return None
    row: dict[str, object] = dict(zip(header, record, strict=False))
    if "" in row:
        for index in nameless(header):
            numbers = not any(header[: index + 1])  # data frames write their index first
            if record[index].strip() and not (numbers and INDEX.fullmatch(record[index])):
                words = f"column {index + 1} has no name, but the value {record[index][:40]!r}"
                place.add("header", words, line, once=True)
                return None
        del row[""]
    return row


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


def _records(reader: Reader, above: int, place: FilePlace) -> Records:
    """Yield (first line, values) of every record that is not an empty line; `above` lines came before."""
    while True:
        line = above + reader.line_num + 1
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


def _header(record: list[str], line: int, look: Look, place: FilePlace, *, chosen: bool) -> list[str]:
    """Return the columns' names, "" for those that are not used; `chosen`: the source names the line."""
    names = [name if name.strip() else "" for name in trimmed(record)]
    if look.titled and not chosen and look.header > line:
        words = f"line {look.header} has the names of the columns; what is above it is not part of the table"
        place.add("header", words, line, hint=header_row_hint(look.header))
        raise UnusableFileError
    problems = [
        f"the column name {name!r} occurs {count} times"
        for name, count in Counter(filter(None, names)).items()
        if count > 1
    ]
    blank = [index for index in nameless(names) if not _is_unused(index, names, line, look)]
    if blank or not names:
        numbers = ", ".join(str(index + 1) for index in blank)
        problems = [f"column {numbers or 1} of {len(record)} has no name"]
    for problem in problems:
        place.add("header", problem, line, hint=TITLE if len(blank) == len(names) - 1 > 0 else None)
    if problems:
        raise UnusableFileError
    _refuse_other_separator(names, line, look.separator, place)
    if not names[0]:
        words = "column 1 has no name and numbers the rows, so it is not used"
        place.add("index_column", words, line)
    return names


def header_row_hint(line: int) -> str:
    """Return what to do about lines above the header."""
    return (
        f"If that is a title, set `header_row: {line}` on the source (for `ftrun init`: "
        f"--header-row {line}), or delete those lines."
    )


def _is_unused(index: int, names: Sequence[str], line: int, look: Look) -> bool:
    """Return whether a column without a name numbers the rows, or is empty, as far as was looked."""
    below_header = [record for number, record in look.records if number > line and record]
    values = [record[index] for record in below_header if index < len(record)]
    if not any(value.strip() for value in values):
        return bool(values)
    # data frames write their index first, with several columns if it has several levels
    inner = names[index + 1 : index + 2] != [""]
    return not any(names[: index + 1]) and (is_index(values) if inner else is_outer_index(values))


def _refuse_other_separator(names: Sequence[str], line: int, separator: str, place: FilePlace) -> None:
    for other, words in SEPARATORS.items():
        if len(names) == 1 and other not in (separator, "|") and other in names[0]:
            hint = f"Set `separator: {separator_value(other)}` on the source."
            place.add("header", f"the columns are separated by {words}: {names[0]!r}", line, hint=hint)
            raise UnusableFileError


def _add_ragged(record: list[str], header: list[str], line: int, place: FilePlace) -> None:
    values = "1 value" if len(record) == 1 else f"{len(record)} values"
    names = "1 column" if len(header) == 1 else f"{len(header)} columns"
    hint = TITLE if len(header) == 1 else None
    if len(record) > len(header) > 1:
        hint = f"{QUOTE} If column {len(header) + 1} has no name, give it one."
    place.add("ragged_row", f"the record has {values}, but the header names {names}", line, hint=hint)
