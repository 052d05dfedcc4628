"""Faults of a single example: a finding code, a message, and the field it is about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

Example = Mapping[str, Any]  # a whole training row: {"messages": [...], ...}
LONGEST_SHOWN = 40  # characters of a value in a message


class Fault(NamedTuple):
    """What is wrong with an example. `field` is a path such as messages[1].content; "" is the whole row.

    `hint` replaces the usual hint of the code where the fault suggests a better one.
    """

    code: str
    message: str
    field: str = ""
    hint: str | None = None


def shown(value: Any) -> str:
    """Return a value of the data as JSON, short enough for a message."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= LONGEST_SHOWN else text[: LONGEST_SHOWN - 1] + "…"


def nearest(value: Any, known: Iterable[str]) -> str | None:
    """Return the known string most like `value`, or None if none is similar."""
    import difflib  # only errors need it

    known = list(known)
    near = difflib.get_close_matches(str(value), known, n=1)
    if not near:  # `Celsius` for `celsius`
        lowered = {one.lower(): one for one in known}
        near = [lowered[one] for one in difflib.get_close_matches(str(value).lower(), list(lowered), n=1)]
    return near[0] if near else None


def did_you_mean(value: Any, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` to append to a message, or nothing if no known string is similar."""
    near = nearest(value, known)
    return "" if near is None else f"; did you mean {near!r}?"
