"""Make foreign text safe: no control or bidi characters for a terminal, no formulas for a spreadsheet."""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Mapping

BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
OWN = "\r\a "  # text of these alone is our own: it clears a line, or rings the bell
FORMULA = tuple("=+-@\t\r＝＋－＠")


def escape_controls(text: str) -> str:
    """Return `text` with control characters written as `\\u001b`, which JSON reads back as the same text.

    Every stream passes its text through here; `visible` is for text that must also stay on one line.
    """
    if CONTROLS.search(text) is None or not text.strip(OWN):
        return text
    return CONTROLS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def without_formulas(table: str) -> str:
    """Return CSV text in which no cell is a formula: an apostrophe turns it into text."""
    import csv  # a run with nothing to do needs neither
    import io

    try:
        rows = list(csv.reader(io.StringIO(table)))
    except csv.Error:
        rows = [[line] for line in table.splitlines()]
    if not any(_is_formula(cell) for row in rows for cell in row):
        return table
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([f"'{cell}" if _is_formula(cell) else cell for cell in row] for row in rows)
    return text.getvalue()


def _is_formula(cell: str) -> bool:
    start = cell.lstrip(" \0\n\ufeff")
    if not start.startswith(FORMULA):
        return False
    with contextlib.suppress(ValueError):
        float(start)
        return False
    return True


def visible(text: str, *, keep_newlines: bool = False) -> str:
    """Return `text` with every control and bidi character written as an escape such as `\\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    if keep_newlines and CONTROLS.search(text) is None:
        return text
    return "".join(_shown(character, keep_newlines) for character in text)


def _shown(character: str, keep_newlines: bool) -> str:
    if keep_newlines and character in "\n\t":
        return character
    if character in BIDI or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return character.encode("unicode_escape").decode()
    return character


def one_line(text: str, most: int) -> str:
    """Return text on one line of at most so many characters, with an ellipsis where it was cut."""
    line = " ".join(text.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def readable(value: object) -> str:
    """Return a value of JSON as people write it: `n_epochs 2, batch_size auto`, without braces and quotes."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Mapping):
        pairs = (f"{name} {_inside(one)}" for name, one in value.items() if one is not None)
        return ", ".join(pairs) or "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_inside, value)) or "-"
    return str(value)


def _inside(value: object) -> str:
    """Return a value within another one; in parentheses if it has several parts."""
    return f"({readable(value)})" if isinstance(value, (Mapping, list, tuple)) else readable(value)


def display_width(text: str) -> int:
    """Return the number of terminal columns of `text`; East Asian wide characters take two."""
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
