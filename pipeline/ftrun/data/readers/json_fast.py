"""Reading a JSON line quickly where that surely gives what the strict reader gives, and writing one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import orjson

from ftrun.protocol.chat import Chat, TrainingRow, chat_of

OPENING = b'{"messages":['
DEEPEST = 32  # levels of nesting; what goes deeper is read the strict way


class _UnsureError(Exception):
    """The value is not one that the fast reader reads as the strict one does."""


def plain_object(line: bytes) -> dict[str, Any] | None:
    """Return the object that a line holds; None if only the strict reader can tell what it is."""
    return read_line(line)[0]


def read_line(line: bytes) -> tuple[dict[str, Any] | None, TrainingRow | None]:
    """Return what `plain_object` does and, if the object is a chat, what is known of it as a training row.

    orjson refuses NaN, half characters and wrong bytes. But it takes the last of two equal keys, and makes
    floats of large integers: so keys are counted in the text too, and floats left to the strict reader.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None, None
    if type(value) is not dict:
        return None, None
    chat = chat_of(value)
    if chat is not None:
        written = orjson.dumps(value)
        if _has_quotes_of(line, written):
            return value, TrainingRow(value, chat, written)
    try:
        keys = _keys_in(value, 0)
    except _UnsureError:
        return None, None
    same = keys == line.count(b":") or keys == _keys_written(line, value)
    return (value if same else None), None


class LineReader:
    """Reads lines as `read_line` does; the first message, if it is that of earlier lines, is read once only.

    As system prompts are: they often make up half of a file.
    """

    def __init__(self) -> None:
        self._last: dict[str, Any] = {}  # the first message of the last chat
        self._shared = self._last  # that of the lines that begin with `_head`
        self._head = self._written = b""

    def read(self, line: bytes) -> tuple[dict[str, Any] | None, TrainingRow | None]:
        """Return what `read_line` does."""
        made = self._beyond_head(line) if self._head and line.startswith(self._head) else None
        if made is not None:
            return made.example, made
        value, made = read_line(line)
        if made is not None:
            self._look_at(made.example["messages"][0], line)
        return value, made

    def _beyond_head(self, line: bytes) -> TrainingRow | None:
        """Return what a line with the head is; None if the rest of it does not tell."""
        _, rest = read_line(OPENING + line[len(self._head) :])
        if rest is None or rest.chat is None or rest.line is None:
            return None
        rest.example["messages"].insert(0, self._shared.copy())
        rest.chat.texts.insert(0, self._shared["content"])
        chat = Chat((self._shared["role"], *rest.chat.roles), rest.chat.texts)
        return TrainingRow(rest.example, chat, self._written + rest.line[len(OPENING) :])

    def _look_at(self, first: dict[str, Any], line: bytes) -> None:
        """Take the beginning of a line for the head if its first message is that of the line before."""
        if first == self._last and first != self._shared:
            self._shared = first.copy()
            self._written = OPENING + orjson.dumps(first) + b","
            self._head = next(filter(line.startswith, _spellings(first)), b"")
        self._last = first


def _spellings(first: dict[str, Any]) -> Iterator[bytes]:
    """Yield how lines with a first message usually begin, up to the second one."""
    for comma, colon in ((", ", ": "), (",", ":")):
        for ascii_only in (False, True):
            message = json.dumps(first, ensure_ascii=ascii_only, separators=(comma, colon))
            yield f'{{"messages"{colon}[{message}{comma}'.encode()


def _has_quotes_of(line: bytes, written: bytes) -> bool:
    r"""Return whether a line has as many quotes as its shortest spelling: then no key is duplicated.

    A key more has two more quotes; and none is missing, as none within a text is spelled \u0022.
    """
    if b"\\" in line and b"\\u0022" in line:
        return False
    return line.count(b'"') == written.count(b'"')


def _keys_in(value: dict[str, Any] | list[Any], depth: int) -> int:
    if depth > DEEPEST:
        raise _UnsureError
    keys, values = (len(value), value.values()) if isinstance(value, dict) else (0, value)
    for one in values:
        kind = type(one)
        if kind is str:
            continue
        if kind is dict or kind is list:
            keys += _keys_in(one, depth + 1)
        elif kind is float:
            raise _UnsureError
    return keys


def _keys_written(line: bytes, value: dict[str, Any]) -> int | None:
    """Return how many keys stand in the text of `value`, equal ones included; None: hard to tell."""
    if b"\\" not in line:  # then texts stand there as they are, and all other colons follow keys
        return line.count(b":") - _colons_in(value)
    # a key ends in `":` unless there is space before the colon; `\\":` is within a text unless it ends in \\
    if any(unsure in line for unsure in (b" :", b"\t:", b"\r:", b'\\\\"')):
        return None
    return line.count(b'":') - line.count(b'\\":')


def _colons_in(value: Any) -> int:
    if isinstance(value, str):
        return value.count(":")
    if isinstance(value, dict):
        return sum(key.count(":") + _colons_in(one) for key, one in value.items())
    return sum(map(_colons_in, value)) if isinstance(value, list) else 0


def json_line(value: Any) -> bytes:
    """Return `value` as JSON in one line, without its end; ValueError if it has half a character."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, a key that is no text, great depth
        return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def canonical_line(value: Any) -> bytes:
    """Return the one spelling of equal values: keys sorted, no spaces."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        return text.encode(errors="surrogatepass")
