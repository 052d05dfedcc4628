"""Curves as text, for a terminal: the loss by training step, in a few lines that a pipe can take too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

HEIGHT, WIDTH = 8, 60  # characters that the curves take
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class TextSeries:
    """The points (step, value) of a curve, and the character that it is drawn with."""

    mark: str
    points: Sequence[Point]


def text_curve(series: Sequence[TextSeries], *, width: int = WIDTH) -> list[str]:
    """Return the lines of a drawing, at most `width` columns wide; none for less than two steps.

    Where several steps share a column it shows their mean. A later series is drawn over an earlier one.
    """
    drawn = [one for one in series if one.points]
    steps = [step for one in drawn for step, _ in one.points]
    if not steps or min(steps) == max(steps):
        return []
    values = [value for one in drawn for _, value in one.points]
    low, high = min(values), max(values)
    labels = [f"{high - (high - low) * row / (HEIGHT - 1):.3g}" for row in range(HEIGHT)]
    edge = max(map(len, labels))
    columns = max(2, min(width - edge - 2, round(max(steps) - min(steps)) + 1))
    grid = [[" "] * columns for _ in range(HEIGHT)]
    for one in drawn:
        for column, value in _columns(one.points, min(steps), max(steps), columns):
            grid[_row(value, low, high)][column] = one.mark
    lines = [f"{label:>{edge}} │{''.join(row)}".rstrip() for label, row in zip(labels, grid, strict=True)]
    first, last = f"{min(steps):.0f}", f"{max(steps):.0f}"
    gap = " " * max(1, columns - len(first) - len(last))
    return [*lines, f"{'':>{edge}} └{'─' * columns}", f"{'':>{edge}}  {first}{gap}{last}"]


def _columns(points: Sequence[Point], first: float, last: float, columns: int) -> list[tuple[int, float]]:
    """Return the mean value of each column that has any."""
    found: dict[int, list[float]] = {}
    for step, value in points:
        found.setdefault(round((step - first) / (last - first) * (columns - 1)), []).append(value)
    return [(column, math.fsum(values) / len(values)) for column, values in found.items()]


def _row(value: float, low: float, high: float) -> int:
    """Return the line of a value, from the top."""
    return round((high - value) / (high - low) * (HEIGHT - 1)) if high > low else HEIGHT - 1
