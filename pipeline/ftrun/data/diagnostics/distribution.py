"""Summaries of many numbers: quantiles as numpy computes them, and a histogram."""

from __future__ import annotations

import bisect
import itertools
import math
from collections import Counter
from collections.abc import Iterable

QUANTILES = (("median", 0.5), ("p5", 0.05), ("p10", 0.1), ("p90", 0.9), ("p95", 0.95))
Distribution = dict[str, float]
Bar = tuple[int, int, int]  # from, to (inclusive), how many


def distribution(values: Iterable[int]) -> Distribution:
    """Return sum, min, max, mean, median, p5, p10, p90 and p95; all 0 where there are no values.

    Quantiles are interpolated linearly. Equal values are held once: millions of examples have a few
    thousand lengths.
    """
    times = Counter(values)
    if not times:
        return dict.fromkeys(("sum", "min", "max", "mean", *dict(QUANTILES)), 0)
    ordered = sorted(times)
    ends = list(itertools.accumulate(times[value] for value in ordered))
    size, total = ends[-1], sum(value * count for value, count in times.items())

    def quantile(share: float) -> float:
        position = share * (size - 1)
        whole = math.floor(position)
        low, high = (ordered[bisect.bisect_right(ends, at)] for at in (whole, min(whole + 1, size - 1)))
        return low + (high - low) * (position - whole)

    result: Distribution = {"sum": total, "min": ordered[0], "max": ordered[-1], "mean": total / size}
    return result | {name: quantile(share) for name, share in QUANTILES}


def histogram(values: Iterable[int], bars: int = 8) -> tuple[Bar, ...]:
    """Return at most `bars` intervals of equal width with the number of values in each."""
    times = Counter(values)
    if not times:
        return ()
    low, high = min(times), max(times)
    width = max(1, math.ceil((high - low + 1) / bars))
    counts = [0] * math.ceil((high - low + 1) / width)
    for value, number in times.items():
        counts[(value - low) // width] += number
    return tuple(
        (low + index * width, min(high, low + (index + 1) * width - 1), count)
        for index, count in enumerate(counts)
    )
