"""Reading JSONL and JSON strictly: no duplicate keys, no NaN, no lone surrogates, exact lines."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from ftrun.data.diagnostics.codes import CODES
from ftrun.data.diagnostics.findings import FilePlace, UnusableFileError
from ftrun.data.readers.cells import Numbered
from ftrun.data.readers.exports.recognising import export_in
from ftrun.data.readers.looking.json_faults import cause_of
from ftrun.data.readers.looking.json_objects import (
    BY_NAME,
    PANDAS,
    is_by_column,
    is_by_name,
    is_row,
    list_at,
    position_at,
    row_lists,
    row_of,
    skip_space,
    taken,
)

LARGEST_LOOK = 64_000_000  # characters joined to recognise a pretty-printed file
ONE_OBJECT = "Add `format: json` to the source, or name the file .json."
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
    line = line.rstrip("\r\n")  # else a column could be that of the next line
    try:
        value = row_of(decoder.decode(line))
    except ValueError as error:
        cause = cause_of(error, line, row=True)
        words = f"this is not JSON: {cause.words}"
        column = None if getattr(error, "colno", None) is None else cause.offset + 1
        place.add("json_syntax", words, number, column=column, hint=cause.hint)
        return None
    return value if _is_good(value, decoder.faults, number, place) else None


@functools.cache
def _decoder() -> StrictDecoder:
    return StrictDecoder()


def read_json(lines: Iterator[str], place: FilePlace, records: str | None = None) -> Iterator[Numbered]:
    """Yield (line, row) of every good object in the JSON array that the file holds.

    The array may be in an object, under the key `records` or, without it, the only one with rows; an object
    may also be a chat, the only row.
    """
    text = "".join(lines)
    position = skip_space(text, 0)
    if position == len(text):
        place.add("empty_file", "the file is empty", 1)
        raise UnusableFileError
    if text[position] == "[":
        if records is not None:
            place.add(
                "records", "the file holds an array, so no key leads to its rows", 1, hint="Delete `records`."
            )
            raise UnusableFileError
        yield from elements(text, position, place)
        return
    value = only_object(text, place)
    line = 1 + text.count("\n", 0, position)
    if records is None and is_row(value):
        if _is_good(value, _decoder().faults, line, place):
            yield line, value
        return
    keys, inside = _keys(value, records, line, place)
    yield from elements(text, position_at(text, position, keys), place, inside)


def only_object(text: str, place: FilePlace) -> dict[str, Any]:
    """Return the object that the file holds; UnusableFileError, with the problem added, without one."""
    decoder, start = _decoder(), skip_space(text, 0)
    line = 1 + text.count("\n", 0, start)
    try:
        value, end = decoder.decode_at(text, start)
    except ValueError as error:
        _add_syntax(error, text, line, place)
        raise UnusableFileError from error
    if isinstance(value, dict) and text.startswith("{", skip_space(text, end)):
        whole = "\n" not in text[start:end]
        hint = None if whole else CODES["json_pretty_printed"].fix
        words = "the file holds one object after the other, not an array"
        place.add("jsonl_in_json", words, line, hint=hint)
    elif skip_space(text, end) < len(text):
        _add_syntax(json.JSONDecodeError("there is something after the object", text, end), text, line, place)
    elif not isinstance(value, dict):
        hint = "Write an array of objects: [{...}, {...}]."
        place.add("json_row", f"the file holds {_kind(value)}, not an array of rows", line, hint=hint)
    else:
        return value
    raise UnusableFileError


def _keys(
    value: dict[str, Any], records: str | None, line: int, place: FilePlace
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the keys that lead to the list of rows, and those that lead to the row in its entries."""
    lists = row_lists(value)
    if records is not None:
        found = list_at(value, records)
        if found is None:
            has = ", ".join(lists or map(str, value))
            place.add("records", f"the key {records!r} leads to no list of rows; there is: {has}", line)
            raise UnusableFileError
        return found
    held = ", ".join(f"`{path}` holds {count:,}" for path, count in lists.items())
    words, hint = (
        "the file holds an object, not an array of rows",
        "Write an array of objects: [{...}, {...}].",
    )
    export = export_in(value)
    if export is not None:
        service, count = export
        words = f"the file holds a chat export of {service.title()}, not an array of rows"
        hint = (
            f"Its key `{next(iter(lists), 'messages')}` holds {count} of them. To make conversations of the "
            f"messages: `format: {service}` on the source; `ftrun init` drafts the rest."
        )
    elif len(lists) == 1:
        path = next(iter(lists))
        place.add("records_found", f"the rows are those of the key {path!r}", line)
        found = list_at(value, path)
        assert found is not None
        return found
    elif lists:
        first = next(iter(lists))
        hint = (
            f"Of its keys, {held}: name one on the source, such as `records: {first}` (for `ftrun init`: "
            f"--records {first}); another one can be that of `data.split.validation` or `test`."
        )
    elif is_by_column(value):
        hint = PANDAS
    elif is_by_name(value):
        hint = BY_NAME
    place.add("json_row", words, line, hint=hint)
    raise UnusableFileError


def _add_syntax(error: ValueError, text: str, line: int, place: FilePlace) -> None:
    """Add what makes the text of a file no JSON, at its line and column."""
    cause = cause_of(error, text, row=False)
    words, column = f"this is not JSON: {cause.words}", None
    if getattr(error, "lineno", None) is not None:
        line = 1 + text.count("\n", 0, cause.offset)
        column = cause.offset - text.rfind("\n", 0, cause.offset)
    place.add("json_syntax", words, line, column=column, hint=cause.hint)


def elements(
    text: str, position: int, place: FilePlace, inside: Sequence[str] | None = None
) -> Iterator[Numbered]:
    """Yield the rows of the array at `position`; `inside` are the keys that lead to the row of an entry."""
    decoder, line, counted, elements = StrictDecoder(), 1, 0, 0
    position = skip_space(text, position + 1)
    closed, before = text.startswith("]", position), position
    while not closed:
        line, counted = line + text.count("\n", counted, position), position
        elements += 1
        try:
            value, position = decoder.decode_at(text, position)
            value = row_of(taken(value, inside or ()))
            if _is_good(value, decoder.faults, line, place):
                yield line, value
            position = skip_space(text, position)
            closed = text.startswith("]", position)
            if not closed and not text.startswith(",", position):
                raise json.JSONDecodeError("a comma or ] is missing", text, position)
            position = position if closed else skip_space(text, position + 1)
        except ValueError as error:
            _add_syntax(error, text, line, place)
            raise UnusableFileError from error
    if elements > 1 and text.find("\n", before, position) < 0:
        words = f"all {elements:,} rows are in one line, so line numbers do not identify a row"
        place.add("json_one_line", words, line)
    after = skip_space(text, position + 1)
    if after < len(text) and inside is None:
        line += text.count("\n", counted, after)
        place.add("json_syntax", "there is something after the array", line)


def _is_good(value: Any, faults: list[tuple[str, str]], line: int, place: FilePlace) -> bool:
    for code, message in faults:
        place.add(code, message, line)
    if isinstance(value, dict):
        return not faults
    is_array = isinstance(value, list) and value and isinstance(value[0], dict)
    code = "json_array_in_jsonl" if is_array else "json_row"
    place.add(code, f"the row is {_kind(value)}, not an object", line, hint=_row_hint(value))
    return False


def _row_hint(value: Any) -> str | None:
    """Return what to do about a row that is a list or a text in a way that people write."""
    if isinstance(value, str) and value.lstrip().startswith(("{", "[")):
        return "It was made JSON twice: write json.dumps(row), not json.dumps(json.dumps(row))."
    if isinstance(value, list) and value and not any(isinstance(one, dict | list) for one in value):
        return 'Name what the list holds: {"question": "...", "answer": "..."}.'
    return None


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
        value, end = decoder.decode_at(text, skip_space(text, 0))
    except ValueError:
        return itertools.chain(joined, rest)
    if end <= len(first.rstrip()):
        return itertools.chain(joined, rest)
    if isinstance(value, list):
        place.add("json_array_in_jsonl", "the file holds one JSON array, not an object in each line", number)
    else:
        alone = skip_space(text, end) == len(text)
        hint = ONE_OBJECT if alone else None
        place.add("json_pretty_printed", "an object is spread over several lines", number, hint=hint)
    raise UnusableFileError


def _has_lone_surrogate(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, list) and value and {*map(type, value)} == {str}:
        return f"a list of {len(value)} texts"
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
