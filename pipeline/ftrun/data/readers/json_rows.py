"""Reading JSONL and JSON strictly: no duplicate keys, no NaN, no lone surrogates, exact lines."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import math
from collections.abc import Iterator
from typing import Any

import orjson

from ftrun.data.diagnostics.findings import FilePlace, UnusableFileError
from ftrun.data.readers.cells import Numbered

LARGEST_LOOK = 64_000_000  # characters joined to recognise a pretty-printed file
SPACE = " \t\r\n"


class StrictDecoder:
    """A JSON decoder that notes what the standard one would let pass."""

    def __init__(self) -> None:
        self.faults: list[tuple[str, str]] = []  # code and message of the value decoded last
        self._decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_constant=self._constant, parse_float=self._float
        )

    def decode_at(self, text: str, start: int) -> tuple[Any, int]:
        """Return the value at `start` and where it ends; ValueError if it is not JSON."""
        self.faults = []
        try:
            value, end = self._decoder.raw_decode(text, start)
        except RecursionError as error:
            raise ValueError("it is nested too deeply") from error
        if text.find("\\u", start, end) >= 0 and _has_lone_surrogate(value):
            self.faults.append(("json_surrogate", "there is a lone surrogate, half of a character"))
        return value, end

    def decode(self, text: str) -> Any:
        """Return the only value of `text`; ValueError if it is not JSON."""
        value, end = self.decode_at(text, len(text) - len(text.lstrip(SPACE)))
        if text[end:].strip(SPACE):
            raise json.JSONDecodeError("there is something after the object", text, end)
        return value

    def _object(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            self.faults.append(("json_duplicate_key", f"the key {twice!r} is duplicated in one object"))
        return found

    def _constant(self, name: str) -> None:
        self.faults.append(("json_number", f"{name} is not JSON"))

    def _float(self, digits: str) -> float:
        value = float(digits)
        if math.isinf(value):
            self.faults.append(("json_number", f"{digits[:40]} is too large for a number"))
        return value


def read_jsonl(lines: Iterator[str], place: FilePlace) -> Iterator[tuple[int, str]]:
    """Return the numbers and texts of the lines that are not blank; `row_of_line` makes rows of them.

    UnusableFileError, with the problem added to `place`, if the file is empty or not JSON lines.
    """
    numbered = enumerate(lines, 1)
    for number, line in numbered:
        if line.strip():
            rest = _refuse_whole(line, lines, number, place)
            rows = itertools.chain(((number, line),), enumerate(rest, number + 1))
            return ((number, line) for number, line in rows if line.strip())
    place.add("empty_file", "the file is empty", 1)
    raise UnusableFileError


def row_of_line(line: str, number: int, place: FilePlace) -> dict[str, object] | None:
    """Return the row that a line holds; None, with what is wrong added to `place`, if there is none."""
    decoder = _decoder()
    try:
        value = decoder.decode(line.rstrip("\r\n"))  # else a column could be that of the next line
    except ValueError as error:
        place.add("json_syntax", _words(error), number, column=getattr(error, "colno", None))
        return None
    return value if _is_good(value, decoder.faults, number, place) else None


@functools.cache
def _decoder() -> StrictDecoder:
    return StrictDecoder()


def read_json(lines: Iterator[str], place: FilePlace) -> Iterator[Numbered]:
    """Yield (line, row) of every good object in the JSON array that the file holds."""
    text = "".join(lines)
    position = _skip(text, 0)
    if position == len(text):
        place.add("empty_file", "the file is empty", 1)
        raise UnusableFileError
    if text[position] != "[":
        _report_no_array(text, place)
        raise UnusableFileError
    yield from _elements(text, position, place)


def _elements(text: str, position: int, place: FilePlace) -> Iterator[Numbered]:
    decoder, line, counted, elements = StrictDecoder(), 1, 0, 0
    position = _skip(text, position + 1)
    closed, before = text.startswith("]", position), position
    while not closed:
        line, counted = line + text.count("\n", counted, position), position
        elements += 1
        try:
            value, position = decoder.decode_at(text, position)
            if _is_good(value, decoder.faults, line, place):
                yield line, value
            position = _skip(text, position)
            closed = text.startswith("]", position)
            if not closed and not text.startswith(",", position):
                raise json.JSONDecodeError("a comma or ] is missing", text, position)
            position = position if closed else _skip(text, position + 1)
        except ValueError as error:
            where = getattr(error, "lineno", line)
            place.add("json_syntax", _words(error), where, column=getattr(error, "colno", None))
            raise UnusableFileError from error
    if elements > 1 and text.find("\n", before, position) < 0:
        words = f"all {elements:,} rows are in one line, so line numbers do not identify a row"
        place.add("json_one_line", words, line)
    after = _skip(text, position + 1)
    if after < len(text):
        line += text.count("\n", counted, after)
        place.add("json_syntax", "there is something after the array", line)


def _is_good(value: Any, faults: list[tuple[str, str]], line: int, place: FilePlace) -> bool:
    for code, message in faults:
        place.add(code, message, line)
    if isinstance(value, dict):
        return not faults
    is_array = isinstance(value, list) and value and isinstance(value[0], dict)
    code = "json_array_in_jsonl" if is_array else "json_row"
    place.add(code, f"the row is {_kind(value)}, not an object", line)
    return False


def _refuse_whole(first: str, rest: Iterator[str], number: int, place: FilePlace) -> Iterator[str]:
    """Return `rest`; raise UnusableFileError if the file is an array or pretty-printed, not JSON lines."""
    decoder = StrictDecoder()
    with contextlib.suppress(ValueError):
        decoder.decode(first)
        return rest
    if not first.lstrip().startswith(("{", "[")):
        return rest
    joined: list[str] = []
    size = 0
    for line in rest:
        joined.append(line)
        size += len(line)
        if size > LARGEST_LOOK:
            break
    text = first + "".join(joined)
    try:
        value, end = decoder.decode_at(text, _skip(text, 0))
    except ValueError:
        return itertools.chain(joined, rest)
    if end <= len(first.rstrip()):
        return itertools.chain(joined, rest)
    if isinstance(value, list):
        place.add("json_array_in_jsonl", "the file holds one JSON array, not an object in each line", number)
    else:
        place.add("json_pretty_printed", "an object is spread over several lines", number)
    raise UnusableFileError


def _report_no_array(text: str, place: FilePlace) -> None:
    decoder = StrictDecoder()
    start = _skip(text, 0)
    line = 1 + text.count("\n", 0, start)
    try:
        value, end = decoder.decode_at(text, start)
    except ValueError as error:
        place.add("json_syntax", _words(error), getattr(error, "lineno", line))
        return
    if isinstance(value, dict) and text[_skip(text, end) :].startswith("{"):
        place.add("jsonl_in_json", "the file holds one object after the other, not an array", line)
    elif isinstance(value, dict) and "messages" in value:
        place.add("jsonl_in_json", "the file holds a single row, not an array of rows", line)
    else:
        hint = _where_rows_are(value) or "Write an array of objects: [{...}, {...}]."
        place.add("json_row", f"the file holds {_kind(value)}, not an array of rows", line, hint=hint)


def _where_rows_are(value: Any) -> str | None:
    """Return how to take the rows out of an object that wraps them in one of its keys."""
    wrapped = value.items() if isinstance(value, dict) else ()
    for key, rows in wrapped:
        if isinstance(rows, list) and rows and all(isinstance(one, dict) for one in rows):
            return f"Its key {key!r} holds {len(rows)} of them: save that array alone as a file."
    return None


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in SPACE:
        position += 1
    return position


def _words(error: ValueError) -> str:
    words = getattr(error, "msg", str(error))
    return f"this is not JSON: {words[:1].lower()}{words[1:]}"


def _has_lone_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {dict: "an object", list: "an array", str: "a text", bool: "true or false"}
    return kinds.get(type(value), "a number")


def json_line(value: Any) -> bytes:
    """Return `value` as JSON in one line, without its end; ValueError if it has a lone surrogate."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, a key that is not a text, great depth
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def canonical_line(value: Any) -> bytes:
    """Return the one spelling of equal values: keys sorted, no spaces."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return text.encode(errors="surrogatepass")


def json_value(line: bytes) -> Any:
    """Return the value of a line that `json_line` wrote."""
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:  # too deep for it
        return json.loads(line)
