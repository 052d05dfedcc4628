"""Questions in JSON Lines and in a JSON list: strict JSON, each entry with its place."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NoReturn

from ftrun.experiment.nodes import Node
from ftrun.experiment.places import LINE_BREAK, shown_value
from ftrun.experiment.prompt_files.entries import EntryReader, FaultError, UnusableError

JSON_SPACE = re.compile(r"[ \t\r\n]*")


def read_lines(reader: EntryReader) -> Iterator[Node]:
    begin = 0
    for end in (*(found.start() for found in LINE_BREAK.finditer(reader.text)), len(reader.text)):
        line = reader.text[begin:end]
        if line.strip():
            yield from _line_entry(reader, line, begin)
        begin = end + (2 if reader.text.startswith("\r\n", end) else 1)


def _line_entry(reader: EntryReader, line: str, begin: int) -> Iterator[Node]:
    try:
        value, stop = _parse(reader, line, 0, begin)
    except FaultError:
        return  # it is reported, and other lines can be read
    if line[stop:].strip():
        reader.add("a line is one JSON object, but more follows it", begin + _space(line, stop))
    else:
        yield from _entry(reader, value, begin, begin + len(line))


def read_list(reader: EntryReader) -> Iterator[Node]:
    text = reader.text
    at = _space(text, 0)
    if not text.startswith("[", at):
        hint = "Put [ and ] around the questions, or name the file .jsonl if each line is one."
        reader.end("expected a list of questions", at, hint=hint)
    at = _space(text, at + 1)
    while not text.startswith("]", at):
        try:
            value, end = _parse(reader, text, at)
        except FaultError:
            raise UnusableError from None
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


def _entry(reader: EntryReader, value: Any, begin: int, end: int) -> Iterator[Node]:
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
        raise FaultError(f"the key {shown_value(double)} is duplicated")
    return values


def _refuse_constant(text: str) -> NoReturn:
    raise FaultError(f"JSON has no number {text}")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise FaultError(f"{text} is too large a number")
    return number


STRICT = _Strict()


def _parse(reader: EntryReader, text: str, at: int, offset: int = 0) -> tuple[Any, int]:
    """Return the JSON value at `at` of `text`, and where it ends; FaultError if there is none (reported).

    `offset` is where `text` begins in the file.
    """
    start = _space(text, at)
    try:
        value, stop = STRICT.raw_decode(text, start)
    except json.JSONDecodeError as error:
        reader.add(f"this is not JSON: {error.msg}", offset + min(error.pos, max(0, len(text) - 1)))
        raise FaultError from error
    except (ValueError, RecursionError) as error:
        reader.add(_reason(error), offset + start)
        raise FaultError from error
    return value, stop


def _reason(error: Exception) -> str:
    """Return in words why Python's parser gave up on a value that may be JSON."""
    if isinstance(error, FaultError):
        return str(error)
    if isinstance(error, json.JSONDecodeError):
        return f"this is not JSON: {error.msg}"
    return (
        "too many levels of nesting" if isinstance(error, RecursionError) else "a number has too many digits"
    )


def parse_json(text: str) -> Any:
    try:
        return STRICT.decode(text)
    except (ValueError, RecursionError) as error:
        raise FaultError(_reason(error)) from error
