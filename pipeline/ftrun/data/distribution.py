"""Owns the numbers that sum up many numbers: quantiles as numpy computes them, and a histogram."""

from __future__ import annotations

import math
from collections.abc import Sequence

QUANTILES = (("median", 0.5), ("p5", 0.05), ("p10", 0.1), ("p90", 0.9), ("p95", 0.95))
Distribution = dict[str, float]
Bar = tuple[int, int, int]  # from, to (inclusive), how many


def distribution(values: Sequence[int]) -> Distribution:
    """Return sum, min, max, mean, median, p5, p10, p90 and p95; all 0 where there are no values."""
    if not values:
        return dict.fromkeys(("sum", "min", "max", "mean", *(name for name, _ in QUANTILES)), 0)
    ordered = sorted(values)
    result: Distribution = {
        "sum": sum(ordered),
        "min": ordered[0],
        "max": ordered[-1],
        "mean": sum(ordered) / len(ordered),
    }
    return result | {name: quantile(ordered, share) for name, share in QUANTILES}


def quantile(ordered: Sequence[int], share: float) -> float:
    """Return the quantile of sorted values by linear interpolation between the two nearest."""
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def histogram(values: Sequence[int], bars: int = 8) -> tuple[Bar, ...]:
    """Return at most `bars` intervals of equal width with the number of values in each."""
    if not values:
        return ()
    low, high = min(values), max(values)
    width = max(1, math.ceil((high - low + 1) / bars))
    counts = [0] * math.ceil((high - low + 1) / width)
    for value in values:
        counts[(value - low) // width] += 1
    return tuple(
        (low + index * width, min(high, low + (index + 1) * width - 1), count)
        for index, count in enumerate(counts)
    )
