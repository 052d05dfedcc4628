"""The numbers that sum up many numbers: quantiles as numpy computes them, and a histogram."""

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
    """Return sum, min, max, mean, median, p5, p10, p90 and p95; all 0 where there are no values."""
    ladder = _Ladder(Counter(values))
    if not ladder.size:
        return dict.fromkeys(("sum", "min", "max", "mean", *(name for name, _ in QUANTILES)), 0)
    total = sum(value * times for value, times in ladder.times.items())
    result: Distribution = {
        "sum": total,
        "min": ladder.at(0),
        "max": ladder.at(ladder.size - 1),
        "mean": total / ladder.size,
    }
    return result | {name: ladder.quantile(share) for name, share in QUANTILES}


class _Ladder:
    """Sorted values, repeated ones held once: millions of examples have a few thousand lengths."""

    def __init__(self, times: Counter[int]) -> None:
        self.times = times
        self._values = sorted(times)
        self._ends = list(itertools.accumulate(times[value] for value in self._values))
        self.size = self._ends[-1] if self._ends else 0

    def at(self, position: int) -> int:
        """Return the value at a position of the sorted sequence, from 0."""
        return self._values[bisect.bisect_right(self._ends, position)]

    def quantile(self, share: float) -> float:
        """Return the quantile by linear interpolation between the two nearest values."""
        position = share * (self.size - 1)
        low = self.at(math.floor(position))
        high = self.at(min(math.floor(position) + 1, self.size - 1))
        return low + (high - low) * (position - math.floor(position))


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
