"""What a look at one example says: a code of the table, words, and the field that is meant."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

Example = Mapping[str, Any]  # a whole training row: {"messages": [...], ...}
LONGEST_SHOWN = 40  # characters of a value in a message


class Fault(NamedTuple):
    """What is wrong with an example. `field` is a path into it, such as messages[1].content; "": all of it.

    `hint` takes the place of the code's usual cure where the flaw itself suggests a better one.
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


def nearest(value: Any, known: list[str]) -> str | None:
    """Return the known text nearest to `value`, None if none is near."""
    import difflib  # only errors need it

    near = difflib.get_close_matches(str(value), known, n=1)
    if not near:  # `Celsius` for `celsius`
        lowered = {one.lower(): one for one in known}
        near = [lowered[one] for one in difflib.get_close_matches(str(value).lower(), list(lowered), n=1)]
    return near[0] if near else None
