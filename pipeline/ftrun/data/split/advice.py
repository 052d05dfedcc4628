"""Advice for a split that leaves too few rows to train on: which sizes would work."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

from ftrun.data.split.division import part_size
from ftrun.experiment.model import Share, Split
from ftrun.protocol.spec import FEWEST_EXAMPLES

SHARED = ("validation", "test")
HELD_OUT_TWICE = "Delete it from one split: else the test rates too highly what validation helped to choose."


def sizes(split: Split | None, rows: int) -> dict[str, int]:
    """Return how many of `rows` go to validation and test; splits with files of their own are left out."""
    return {part: part_size(share, rows) for part, share in _shares(split).items()}


def taken(split: Split, rows: int) -> str:
    """Return a phrase that says where `rows` go."""
    return " and ".join(f"{number} to {part}" for part, number in sizes(split, rows).items())


def advice(split: Split, rows: int) -> str:
    """Return which sizes leave enough of `rows`, and how many rows the requested sizes need."""
    needed = f"what is asked for needs {_rows_needed(split)} rows"
    fitting = _fitting(split, rows)
    if not fitting:
        return f"Leave {' and '.join(_shares(split))} out of `data.split`, or add rows: {needed}."
    written = ", ".join(f"{part}: {number}" for part, number in fitting.items())
    left = rows - sum(fitting.values())
    return f"With these {rows} rows `{written}` leaves {left} to train on; {needed}."


def _shares(split: Split | None) -> dict[str, Share]:
    given = {part: getattr(split, part) for part in SHARED} if split else {}
    return {part: share for part, share in given.items() if not isinstance(share, tuple) and share}


def _fitting(split: Split, rows: int) -> dict[str, int]:
    """Return the largest sizes in the same proportion that leave enough; empty if there are none."""
    asked, room = sizes(split, rows), rows - FEWEST_EXAMPLES
    if room < len(asked):
        return {}
    fitting = {part: max(1, room * number // sum(asked.values())) for part, number in asked.items()}
    if sum(fitting.values()) > room:  # one was rounded up to 1
        largest = max(fitting, key=fitting.__getitem__)
        fitting[largest] -= sum(fitting.values()) - room
    return fitting


def _rows_needed(split: Split) -> int:
    shares = _shares(split).values()
    counts = sum(int(share) for share in shares if share >= 1)
    left = 1 - sum((Fraction(str(share)) for share in shares if share < 1), Fraction(0))
    rows = max(FEWEST_EXAMPLES, ceil((FEWEST_EXAMPLES + counts) / left) - len(shares))
    while rows - sum(sizes(split, rows).values()) < FEWEST_EXAMPLES:  # rounding: a few steps
        rows += 1
    return rows
