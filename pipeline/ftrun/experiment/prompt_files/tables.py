"""Questions in CSV and TSV: the columns are called as the keys of an entry, `expect.contains` as a path."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from ftrun.experiment.nodes import Node
from ftrun.experiment.places import LINE_BREAK, shown_value
from ftrun.experiment.prompt_files.entries import KEYS, NOTE, EntryReader, FaultError, unknown_hint
from ftrun.experiment.prompt_files.json_entries import parse_json

EXPECT = ("contains", "not_contains", "equals", "regex", "tool_call", "all", "any")
COLUMNS = (*KEYS, *(f"expect.{name}" for name in EXPECT))
JSON_COLUMNS = ("messages", "tools", "expect", "expect.all", "expect.any")
LIST_COLUMNS = ("expect.contains", "expect.not_contains", "expect.equals", "expect.regex")
SEPARATORS = (",", "\t", ";", "|")
TAG_SEPARATOR = re.compile("[,、]")
Cell = tuple[str, int]  # its text, and where it begins


def read_table(reader: EntryReader) -> Iterator[Node]:
    separator = _separator(reader)
    rows = _rows(reader, separator)
    header = next(rows, None)
    if header is None:
        reader.end("the file is empty", 0)
    names = [name.strip() for name, _ in header]
    _check_header(reader, header, names)
    for row in rows:
        if not any(text.strip() for text, _ in row):
            continue
        for text, at in row[len(names) :]:
            if text.strip():
                reader.add(f"{shown_value(text)} is in a column without a name", at)
        cells = {name: cell for name, cell in zip(names, row, strict=False) if cell[0].strip()}
        yield from _row_entry(reader, cells, row[0][1])


def _separator(reader: EntryReader) -> str:
    """Return what divides the first line into the most columns that are known."""
    if reader.path.suffix.lower() != ".csv":
        return "\t"
    first = LINE_BREAK.split(reader.text, maxsplit=1)[0]

    def known(separator: str) -> int:
        return len({name.strip(' "') for name in first.split(separator)} & set(COLUMNS))

    return max(SEPARATORS, key=known)


def _rows(reader: EntryReader, separator: str) -> Iterator[list[Cell]]:
    """Yield the rows of a table with the places of their cells. Quotes may hold anything."""
    plain = rf"[^{re.escape(separator)}\r\n]*"
    cell = re.compile(rf'(?:"([^"]*(?:""[^"]*)*)"|(?!")({plain}))({re.escape(separator)}|\r\n|\r|\n|\Z)')
    at, row = 0, list[Cell]()
    while at < len(reader.text) or row:
        found = cell.match(reader.text, at)
        if found is None:
            _refuse_quotes(reader, at)
        quoted, bare, end = found.groups()
        row.append((bare if quoted is None else quoted.replace('""', '"'), at))
        at = found.end()
        if end != separator:
            yield row
            row = []


def _refuse_quotes(reader: EntryReader, at: int) -> NoReturn:
    closing = re.compile(r'"[^"]*(?:""[^"]*)*"').match(reader.text, at)
    if closing is None:
        reader.end("a quoted cell has no closing quote", at)
    hint = 'Inside quotes a quote is written twice: "".'
    reader.end("text follows the closing quote of a cell", closing.end(), hint=hint)


def _check_header(reader: EntryReader, header: Sequence[Cell], names: Sequence[str]) -> None:
    for index, (name, (_, at)) in enumerate(zip(names, header, strict=True)):
        if name in names[:index] and name:
            reader.add(f"{name}: there are two columns of this name", at)
        elif name and name not in COLUMNS and not name.startswith(NOTE):
            hint = unknown_hint(name, COLUMNS)
            reader.add(f"{shown_value(name)}: unknown column", at, hint=hint, code="unknown_key")
    if not {"user", "messages"} & set(names):
        hint = "The first line names the columns, such as id,user,reference."
        reader.end("there is no column `user`", header[0][1], hint=hint)


def _row_entry(reader: EntryReader, cells: Mapping[str, Cell], begin: int) -> Iterator[Node]:
    values: dict[str, Any] = {}
    for name, (text, at) in cells.items():
        if name in COLUMNS:
            try:
                value = _cell_value(name, text)
            except FaultError as error:
                reader.add(f"{name}: {error}", at)
                return
            _, dot, condition = name.partition(".")
            if dot:
                values.setdefault("expect", {})[condition] = value
            else:
                values[name] = value if name != "expect" else {**value, **values.get("expect", {})}
    places = {name: (at, at) for name, (_, at) in cells.items()}
    parts = [at for name, (_, at) in cells.items() if name.startswith("expect.")]
    if parts:
        places.setdefault("expect", (parts[0], parts[0]))
    yield from reader.entry(values, begin, places)


def _cell_value(name: str, text: str) -> Any:
    """Return what a cell means: JSON where only JSON can say it, else the text."""
    if name == "tags":
        return _texts(text) or [tag.strip() for tag in TAG_SEPARATOR.split(text) if tag.strip()]
    if name in LIST_COLUMNS:
        return _texts(text) or text
    if name in JSON_COLUMNS or (name == "expect.tool_call" and text.lstrip()[:1] in ("{", "[")):
        value = parse_json(text)
        if name == "expect" and not isinstance(value, dict):
            raise FaultError(f"expected the keys of `expect` as JSON, not {shown_value(value)}")
        return value
    return None if name == "system" and text.strip() == "null" else text


def _texts(text: str) -> list[str]:
    """Return the texts of a JSON list of texts; nothing for any other text."""
    if not text.lstrip().startswith("["):
        return []
    try:
        found = parse_json(text)
    except FaultError:
        return []
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else []
