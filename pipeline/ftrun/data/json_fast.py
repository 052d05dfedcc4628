"""Owns reading a JSON line quickly where that surely gives what the strict reader gives, and writing one."""

from __future__ import annotations

import json
from typing import Any

import orjson

DEEPEST = 32  # levels of nesting; what goes deeper is read the strict way


class _Unsure(Exception):
    """The value is not one that the fast reader reads as the strict one does."""


def plain_object(line: bytes) -> dict[str, Any] | None:
    """Return the object that a line holds; None if only the strict reader can tell what it is.

    orjson refuses NaN, half characters and wrong bytes. It takes the last of two equal keys, and makes
    floats of large integers: so keys are counted in the text, and floats are left to the strict reader.
    """
    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    # a key ends in `":`. Other spellings make that count wrong: space before the colon, a key or text ending
    # in a backslash
    if type(value) is not dict or b" :" in line or b"\t:" in line or b"\r:" in line or b'\\\\"' in line:
        return None
    try:
        keys = _keys_in(value, 0)
    except _Unsure:
        return None
    return value if keys == line.count(b'":') - line.count(b'\\":') else None


def _keys_in(value: dict[str, Any] | list[Any], depth: int) -> int:
    if depth > DEEPEST:
        raise _Unsure
    keys = len(value) if isinstance(value, dict) else 0
    for one in value.values() if isinstance(value, dict) else value:
        kind = type(one)
        if kind is dict or kind is list:
            keys += _keys_in(one, depth + 1)
        elif kind is float:
            raise _Unsure
    return keys


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
