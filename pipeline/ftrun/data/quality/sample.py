"""One example of a sample with its place, and how several of them are named in a message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ftrun.data.quality.last_turn import Turn
from ftrun.data.quality.places import also

MOST_PLACES = 3


class Seen(NamedTuple):
    """A training example that was drawn: its number, file and line, and what it teaches."""

    number: int
    file: str
    line: int
    turn: Turn


def places(found: Sequence[Seen]) -> str:
    """Return where all but the first stand, for the end of a message; empty if there is but one."""
    named = [(one.file, one.line) for one in found[1 : MOST_PLACES + 1]]
    return also(found[0].file, named, len(found) - 1 - len(named))


def share(part: int, whole: int) -> str:
    """Return `part` of `whole` for people: 12 of 40 (30 %)."""
    return f"{part:,} of {whole:,} ({part / whole:.0%})"
