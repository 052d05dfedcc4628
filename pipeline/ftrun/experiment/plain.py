"""Owns templates that are nothing but text with `{{ name }}` in it: filled in without Jinja, much faster.

Only where that surely gives what Jinja would; everything else, and every error, is left to it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ftrun.experiment.sandbox import LARGEST_OUTPUT

Filler = Callable[[Mapping[str, Any]], str | None]
NAME = re.compile(r"(?<!\{)\{\{ ?([^\W\d]\w*) ?\}\}")
MARKS = ("{{", "{%", "{#", "\r")  # Jinja also turns a return into a line break
# names that mean something else in an expression
RESERVED = frozenset(("and", "else", "if", "in", "is", "not", "or", "true", "false", "none")) | frozenset(
    ("True", "False", "None", "self", "loop", "caller", "varargs", "kwargs")
)


def plain_filler(text: str) -> Filler | None:
    """Return what fills in a template if it is nothing but text and names, None otherwise.

    It returns what Jinja would render; None if it is to render, or to say what is wrong.
    """
    parts = NAME.split(text)
    if any(mark in part for part in parts[::2] for mark in MARKS) or not RESERVED.isdisjoint(parts[1::2]):
        return None
    parts[-1] = parts[-1].removesuffix("\n")  # as Jinja drops the line break at the end of a file
    texts, wanted = parts[::2], parts[1::2]
    if not wanted and len(text) <= LARGEST_OUTPUT:
        return lambda _: texts[0]  # the same for all rows, which then is known wherever it turns up
    form = "%s".join(part.replace("%", "%%") for part in texts)

    def fill(names: Mapping[str, Any]) -> str | None:
        values = tuple([names.get(name) for name in wanted])
        for value in values:
            if not isinstance(value, (str, int, float)):
                return None
        filled = form % values
        return filled if len(filled) <= LARGEST_OUTPUT else None

    return fill
