"""How foreign text reaches a terminal or a spreadsheet: control, escape and bidi characters are shown, not
obeyed, and formulas are text.
"""

from __future__ import annotations

import contextlib
import re
import unicodedata

BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
OWN = "\r\a "  # what we write alone: it takes a line away, or rings
FORMULA = tuple("=+-@\t\r＝＋－＠")


def unobeyed(text: str) -> str:
    """Return `text` with what a terminal would obey as `\\u001b`: JSON that holds it stays what it is.

    Every stream passes its text through here; `visible` is for texts that must also stay on one line.
    """
    if OBEYED.search(text) is None or not text.strip(OWN):
        return text
    return OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def without_formulas(table: str) -> str:
    """Return CSV text in which no cell is a formula: an apostrophe makes text of what would be one."""
    import csv  # a run with nothing to do needs none
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
    return "".join(_shown(character, keep_newlines) for character in text)


def _shown(character: str, keep_newlines: bool) -> str:
    if keep_newlines and character in "\n\t":
        return character
    if character in BIDI or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp"):
        return character.encode("unicode_escape").decode()
    return character


def display_width(text: str) -> int:
    """Return the number of terminal columns of `text`; East Asian wide characters take two."""
    return sum(_character_width(character) for character in text)


def _character_width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) == "Cf":
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
