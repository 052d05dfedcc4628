"""Files of eval prompts (JSON Lines, a JSON list, CSV, TSV), read as if their entries were in the YAML file.

So schema and rules judge both alike, and every value has its place. Nothing is validated here but keys.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NoReturn

from ftrun.encoding_detection import MARKS, NOT_TEXT, known_encoding, likely_encoding, sure_encoding
from ftrun.errors import Problem
from ftrun.experiment.nodes import Node, plain
from ftrun.experiment.places import excerpt, shown_path, shown_value

Format = Literal["jsonl", "json", "csv"]
FORMATS: Mapping[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
}
LARGEST = 20_000_000  # bytes
DEEPEST = 40
MOST_PROBLEMS = 20  # reported of one file
LONGEST_ID = 64
KEYS = ("id", "user", "messages", "system", "reference", "expect", "tools", "tags", "group")
EXPECT = ("contains", "not_contains", "equals", "regex", "tool_call", "all", "any")
COLUMNS = (*KEYS, *(f"expect.{name}" for name in EXPECT))
JSON_COLUMNS = ("messages", "tools", "expect", "expect.all", "expect.any")
LIST_COLUMNS = ("expect.contains", "expect.not_contains", "expect.equals", "expect.regex")
NOTE = "_"  # what begins with it is for people
SEPARATORS = (",", "\t", ";", "|")
LINE_END = re.compile(r"\r\n|\r|\n")
JSON_SPACE = re.compile(r"[ \t\r\n]*")
TAG_SEPARATOR = re.compile("[,、]")


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptFile:
    """What was read of a file: its text (for excerpts), its entries, and what is wrong with it."""

    text: str
    entries: tuple[Node, ...]
    problems: tuple[Problem, ...]


class _Unusable(Exception):
    """The rest of the file can't be read; the problem is reported."""


class _Fault(ValueError):
    """A value can't be used; the message says why."""


def read_prompts(path: Path, content: bytes, *, encoding: str | None = None) -> PromptFile:
    """Return the entries of a file of eval prompts, as far as they can be read, and its problems."""
    reader = _Reader(path)
    entries = []
    try:
        reader.begin(_decode(reader, content, encoding))
        readers: Mapping[Format, Callable[[_Reader], Iterator[Node]]] = {
            "jsonl": _read_lines,
            "json": _read_list,
            "csv": _read_table,
        }
        for entry in readers[FORMATS[path.suffix.lower()]](reader):
            entries.append(entry)  # one by one: those before an error are kept
        if not entries and not reader.problems:
            reader.add("the file has no questions", 0)
    except _Unusable:
        pass
    return PromptFile(text=reader.text, entries=tuple(entries), problems=tuple(reader.problems))


class _Reader:
    """A file's text, with the places of its characters, and the problems found so far."""

    def __init__(self, path: Path) -> None:
        self.path, self.text = path, ""
        self.problems: list[Problem] = []
        self._starts = [0]

    def begin(self, text: str) -> None:
        """Take the text of the file."""
        self.text = text
        self._starts = [0, *(found.end() for found in LINE_END.finditer(text))]

    def place(self, offset: int) -> tuple[int, int]:
        """Return line and column of a character."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def add(self, message: str, offset: int, *, hint: str | None = None, code: str = "prompt_file") -> None:
        """Report a problem at a character."""
        line, column = self.place(offset)
        shown = excerpt(self.text, line, column)
        where: dict[str, Any] = {"file": shown_path(self.path), "line": line, "column": column}
        self.problems.append(Problem(message + shown, code=code, hint=hint, **where))
        if len(self.problems) >= MOST_PROBLEMS:
            raise _Unusable

    def end(
        self, message: str, offset: int, *, hint: str | None = None, code: str = "prompt_file"
    ) -> NoReturn:
        """Report a problem after which nothing can be read."""
        self.add(message, offset, hint=hint, code=code)
        raise _Unusable

    def entry(
        self, values: Mapping[str, Any], begin: int, places: Mapping[str, tuple[int, int]]
    ) -> Iterator[Node]:
        """Yield the tree of an entry that begins at `begin`, unless a value can't be used, which is reported.

        `places` are the offsets of keys and values.
        """
        line, column = self.place(begin)
        node = Node({}, file=self.path, line=line, column=column)
        node.key_line, node.key_column = line, column
        given = {name: value for name, value in values.items() if not name.startswith(NOTE)}
        if given.get("id") is None:
            given["id"] = _default_id(self.path.stem, line)
        for name, value in given.items():
            key, at = places.get(name, (begin, begin))
            if name not in KEYS:
                self._refuse_key(name, KEYS, key)
                continue
            try:
                child = _tree(_plain(name, value), self.path, self.place(key), self.place(at))
            except _Fault as error:
                self.add(f"{name}: {error}", at)
                return
            node.value[name] = child
            self._place_parts(name, child, places)
        yield node

    def _place_parts(self, name: str, node: Node, places: Mapping[str, tuple[int, int]]) -> None:
        """Give the parts of a mapping that have cells of their own the places of those."""
        for part in node.value if isinstance(node.value, dict) else ():
            if f"{name}.{part}" in places:
                key, at = map(self.place, places[f"{name}.{part}"])
                node.value[part] = _tree(plain(node.value[part]), self.path, key, at)

    def _refuse_key(self, name: str, known: Sequence[str], offset: int) -> None:
        self.add(f"{name}: unknown key", offset, hint=unknown_hint(name, known), code="unknown_key")


def unknown_hint(name: str, known: Sequence[str]) -> str:
    """Return what an unknown key or column was probably meant to be, and how to keep it as a note."""
    import difflib  # only errors need it

    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.6)
    if near:
        return f"Did you mean `{near[0]}`? A name that begins with _ is a note, which is not read."
    return f"Known here: {', '.join(known)}. A name that begins with _ is a note, which is not read."


def _default_id(stem: str, line: int) -> str:
    """Return STEM:LINE, with a stem that fits and has no control characters."""
    name = "".join(one if one.isprintable() else "_" for one in stem)
    return f"{name[: LONGEST_ID - len(str(line)) - 1]}:{line}"


def _plain(name: str, value: Any) -> Any:
    """Return a value as the schema has it: ids and references are texts, whatever JSON made of them."""
    if name == "reference" and value is not None and not isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if name == "id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value


def _tree(value: Any, file: Path, key: tuple[int, int], place: tuple[int, int], depth: int = 0) -> Node:
    """Return JSON values as a tree of which every part has the place of the whole."""
    if depth > DEEPEST:
        raise _Fault(f"more than {DEEPEST} levels of nesting")
    if isinstance(value, str) and not _is_text(value):
        raise _Fault("a text has a lone surrogate, half of a character such as an emoji")
    node = Node(value, file=file, line=place[0], column=place[1])
    node.key_line, node.key_column = key
    if isinstance(value, dict):
        node.value = {name: _tree(one, file, key, place, depth + 1) for name, one in value.items()}
    elif isinstance(value, list):
        node.value = [_tree(one, file, key, place, depth + 1) for one in value]
    return node


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


# how bytes become text


def _decode(reader: _Reader, content: bytes, asked: str | None) -> str:
    """Return the text: a byte order mark is trusted, UTF-8 or a sure find is read, else `asked` names it."""
    kind = next((kind for mark, kind in NOT_TEXT if content.startswith(mark)), None)
    if kind is not None:
        reader.end(f"this is {kind}, not text", 0, hint="Save it as CSV or JSON Lines.", code="not_text")
    marked = next((name for mark, name in MARKS if content.startswith(mark)), None)
    name = marked or (known_encoding(asked) if asked else _found(content))
    if name is None:
        hint = "Use utf-8, cp932, euc_jp, utf-16 or another text encoding of Python."
        reader.end(f"encoding: {asked!r} is not a text encoding", 0, hint=hint, code="unknown_encoding")
    try:
        text = content.decode(name).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        reader.begin(content[: error.start].decode(name, "replace"))
        shown = name.removesuffix("-sig")
        message = f"this is not {shown} text (byte 0x{content[error.start]:02x})"
        reader.end(message, len(reader.text), hint=_encoding_hint(content), code="encoding")
    if "\0" in text:
        reader.begin(text)
        hint = _encoding_hint(content)
        reader.end("the file has NUL characters", text.index("\0"), hint=hint, code="nul_byte")
    return text


def _found(content: bytes) -> str:
    if b"\0" not in content:
        try:
            content.decode()
        except UnicodeDecodeError:
            pass
        else:
            return "utf-8"
    return sure_encoding(content) or "utf-8"


def _encoding_hint(content: bytes) -> str:
    likely = likely_encoding(content)
    if likely in (None, "utf-8"):
        return "Save the file as UTF-8."
    return f"It looks like {likely}: set `encoding: {likely}` next to `path`, or save the file as UTF-8."


# JSON


def _read_lines(reader: _Reader) -> Iterator[Node]:
    begin = 0
    for end in (*(found.start() for found in LINE_END.finditer(reader.text)), len(reader.text)):
        line = reader.text[begin:end]
        if line.strip():
            yield from _line_entry(reader, line, begin)
        begin = end + (2 if reader.text.startswith("\r\n", end) else 1)


def _line_entry(reader: _Reader, line: str, begin: int) -> Iterator[Node]:
    try:
        value, stop = _parse(reader, line, 0, begin)
    except _Fault:
        return  # it is reported, and other lines can be read
    if line[stop:].strip():
        reader.add("a line is one JSON object, but more follows it", begin + _space(line, stop))
    else:
        yield from _entry(reader, value, begin, begin + len(line))


def _read_list(reader: _Reader) -> Iterator[Node]:
    text = reader.text
    at = _space(text, 0)
    if not text.startswith("[", at):
        hint = "Put [ and ] around the questions, or name the file .jsonl if each line is one."
        reader.end("expected a list of questions", at, hint=hint)
    at = _space(text, at + 1)
    while not text.startswith("]", at):
        try:
            value, end = _parse(reader, text, at)
        except _Fault:
            raise _Unusable from None
        yield from _entry(reader, value, at, end)
        at = _space(text, end)
        if text.startswith(",", at):
            at = _space(text, at + 1)
        elif not text.startswith("]", at):
            reader.end("expected a comma or the end of the list", at)
    if text[at + 1 :].strip():
        reader.end("more follows the list", _space(text, at + 1))


def _space(text: str, at: int) -> int:
    found = JSON_SPACE.match(text, at)
    return found.end() if found else at


def _entry(reader: _Reader, value: Any, begin: int, end: int) -> Iterator[Node]:
    if not isinstance(value, dict):
        reader.add(f"expected the keys of a question, not {shown_value(value)}", begin)
        return
    yield from reader.entry(value, begin, _key_places(reader.text, value, begin, end))


def _key_places(text: str, keys: Mapping[str, Any], begin: int, end: int) -> dict[str, tuple[int, int]]:
    """Return where each key and its value probably begin: at the first such key in the text."""
    places = {}
    for key in keys:
        found = re.compile(rf"{re.escape(json.dumps(key, ensure_ascii=False))}\s*:\s*").search(
            text, begin, end
        )
        if found:
            places[key] = found.start(), found.end()
    return places


class _Strict(json.JSONDecoder):
    """JSON without duplicate keys and numbers that are not finite."""

    def __init__(self) -> None:
        super().__init__(object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise _Fault(f"the key {shown_value(double)} is there twice")
    return values


def _refuse_constant(text: str) -> NoReturn:
    raise _Fault(f"JSON has no number {text}")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise _Fault(f"{text} is too large a number")
    return number


STRICT = _Strict()


def _parse(reader: _Reader, text: str, at: int, offset: int = 0) -> tuple[Any, int]:
    """Return the JSON value at `at` of `text`, and where it ends; _Fault if there is none, which is reported.

    `offset` is where `text` begins in the file.
    """
    start = _space(text, at)
    try:
        value, stop = STRICT.raw_decode(text, start)
    except json.JSONDecodeError as error:
        reader.add(f"this is not JSON: {error.msg}", offset + min(error.pos, max(0, len(text) - 1)))
        raise _Fault from error
    except (ValueError, RecursionError) as error:
        reader.add(_reason(error), offset + start)
        raise _Fault from error
    return value, stop


def _reason(error: Exception) -> str:
    """Return in words why Python's parser gave up on a value that may be JSON."""
    if isinstance(error, _Fault):
        return str(error)
    if isinstance(error, json.JSONDecodeError):
        return f"this is not JSON: {error.msg}"
    return (
        "too many levels of nesting" if isinstance(error, RecursionError) else "a number has too many digits"
    )


# tables

Cell = tuple[str, int]  # its text, and where it begins


def _read_table(reader: _Reader) -> Iterator[Node]:
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


def _separator(reader: _Reader) -> str:
    """Return what divides the first line into the most columns that are known."""
    if reader.path.suffix.lower() != ".csv":
        return "\t"
    first = LINE_END.split(reader.text, maxsplit=1)[0]

    def known(separator: str) -> int:
        return len({name.strip(' "') for name in first.split(separator)} & set(COLUMNS))

    return max(SEPARATORS, key=known)


def _rows(reader: _Reader, separator: str) -> Iterator[list[Cell]]:
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


def _refuse_quotes(reader: _Reader, at: int) -> NoReturn:
    closing = re.compile(r'"[^"]*(?:""[^"]*)*"').match(reader.text, at)
    if closing is None:
        reader.end("a quoted cell has no closing quote", at)
    hint = 'Inside quotes a quote is written twice: "".'
    reader.end("text follows the closing quote of a cell", closing.end(), hint=hint)


def _check_header(reader: _Reader, header: Sequence[Cell], names: Sequence[str]) -> None:
    for index, (name, (_, at)) in enumerate(zip(names, header, strict=True)):
        if name in names[:index] and name:
            reader.add(f"{name}: there are two columns of this name", at)
        elif name and name not in COLUMNS and not name.startswith(NOTE):
            hint = unknown_hint(name, COLUMNS)
            reader.add(f"{shown_value(name)}: unknown column", at, hint=hint, code="unknown_key")
    if not {"user", "messages"} & set(names):
        hint = "The first line names the columns, such as id,user,reference."
        reader.end("there is no column `user`", header[0][1], hint=hint)


def _row_entry(reader: _Reader, cells: Mapping[str, Cell], begin: int) -> Iterator[Node]:
    values: dict[str, Any] = {}
    for name, (text, at) in cells.items():
        if name in COLUMNS:
            try:
                value = _cell_value(name, text)
            except _Fault as error:
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
        value = _json(text)
        if name == "expect" and not isinstance(value, dict):
            raise _Fault(f"expected the keys of `expect` as JSON, not {shown_value(value)}")
        return value
    return None if name == "system" and text.strip() == "null" else text


def _json(text: str) -> Any:
    try:
        return STRICT.decode(text)
    except (ValueError, RecursionError) as error:
        raise _Fault(_reason(error)) from error


def _texts(text: str) -> list[str]:
    """Return the texts of a JSON list of texts; nothing for any other text."""
    if not text.lstrip().startswith("["):
        return []
    try:
        found = _json(text)
    except _Fault:
        return []
    return found if isinstance(found, list) and all(isinstance(one, str) for one in found) else []
