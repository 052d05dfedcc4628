"""Read a catalogue: a gettext file (.po) with one line for each message and one for its translation."""

from __future__ import annotations

import re
from importlib.resources import files

WORD = "word"  # the context of words that are translated only where they are a whole value or cell
_ENTRY = re.compile(r'^(?:msgctxt "(.*)"\n)?msgid "(.+)"\nmsgstr "(.*)"$', re.MULTILINE)
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "\\": "\\"}


def entries(text: str) -> list[tuple[str, str, str]]:
    """Return (context, message, translation) of every entry."""
    return [(found[1] or "", _plain(found[2]), _plain(found[3])) for found in _ENTRY.finditer(text)]


def catalogue(language: str) -> str:
    """Return the text of a language's catalogue."""
    return (files("ftrun.language") / f"{language}.po").read_text(encoding="utf-8")


def quoted(text: str) -> str:
    """Return text as a string of a .po file."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


def _plain(text: str) -> str:
    if "\\" not in text:
        return text
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text)
