"""JSON in answers: read strictly, compared as values, shown briefly."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

FENCE = re.compile(r"\s*```(?:json|JSON)?[ \t]*\n(?P<inside>.*?)\n?[ \t]*```\s*", re.DOTALL)
LONGEST = 60  # characters of a value that are shown
DEEPEST = 100  # levels: what is deeper exhausts the stack of what reads it


class NotJson:
    """What `parsed` returns for a text that is not JSON, and why."""

    def __init__(self, reason: str) -> None:
        self.reason = reason


def parsed(text: str, *, fenced: bool = False) -> Any:
    """Return the value of a JSON text; NotJson if it isn't one (RFC 8259: without NaN and Infinity).

    `fenced`: a text that is one code block (``` or ```json) stands for what is inside.
    """
    found = FENCE.fullmatch(text) if fenced else None
    try:
        value = json.loads(found["inside"] if found else text, parse_constant=_refuse)
    except RecursionError:
        return NotJson("it is nested too deeply")
    except ValueError as error:
        return NotJson(str(error))
    return NotJson("it is nested too deeply") if _is_deep(value) else value


def _is_deep(value: Any) -> bool:
    """Return whether lists and objects are nested more than DEEPEST levels deep."""
    level = [value]
    for _ in range(DEEPEST):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return True


def _inside(value: Any) -> Iterable[Any]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON number")


def same(one: Any, other: Any) -> bool:
    """Return whether two JSON values are equal: numbers by value, true and false are not numbers."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other or math.isclose(one, other, rel_tol=1e-12)
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, Sequence) and isinstance(other, Sequence) and not isinstance(one, str):
        return len(one) == len(other) and all(map(same, one, other)) and not isinstance(other, str)
    return bool(one == other)


def as_text(value: Any) -> str:
    """Return a text as it is, another value as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def short(value: Any) -> str:
    """Return a value as JSON, cut if it is long."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
