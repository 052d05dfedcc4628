"""Owns templates that are nothing but text with `{{ name }}` in it: filled in without Jinja, much faster.

Only where that surely gives what Jinja would; everything else, and every error, is left to it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ftrun.experiment.sandbox import LARGEST_OUTPUT

NAME = re.compile(r"(?<!\{)\{\{ ?([^\W\d]\w*) ?\}\}")
MARKS = ("{{", "{%", "{#", "\r")  # Jinja also turns a return into a line break
# names that mean something else in an expression
RESERVED = frozenset(("and", "else", "if", "in", "is", "not", "or", "true", "false", "none")) | frozenset(
    ("True", "False", "None", "self", "loop", "caller", "varargs", "kwargs")
)


def plain_parts(text: str) -> list[str] | None:
    """Return texts and names in turn if a template is nothing else, None otherwise."""
    parts = NAME.split(text)
    if any(mark in part for part in parts[::2] for mark in MARKS) or not RESERVED.isdisjoint(parts[1::2]):
        return None
    parts[-1] = parts[-1].removesuffix("\n")  # as Jinja drops the line break at the end of a file
    return parts


def filled_in(parts: list[str] | None, names: Mapping[str, Any]) -> str | None:
    """Return what Jinja would render; None if it is to render, or to say what is wrong."""
    if parts is None:
        return None
    filled = parts.copy()
    for index in range(1, len(parts), 2):
        value = names.get(parts[index])
        if not isinstance(value, (str, int, float)):
            return None
        filled[index] = str(value)
    text = "".join(filled)
    return text if len(text) <= LARGEST_OUTPUT else None
