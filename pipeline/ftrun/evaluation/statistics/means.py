"""Means with Student's t: intervals and tests for numbers in groups, from the standard library alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

TINY = 1e-300  # keeps the continued fraction from dividing by zero
PRECISE = 1e-15
MOST_TERMS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """A mean, its standard error (None: fewer than two groups), and from how many independent groups."""

    value: float
    error: float | None
    groups: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the interval of Student's t; call it where there is an error."""
        reach = t_quantile((1 + level) / 2, self.groups - 1) * (self.error or 0.0)
        return self.value - reach, self.value + reach

    @property
    def p(self) -> float:
        """Return the two-sided p-value of the mean being 0."""
        if not self.error:
            return 0.0 if self.value else 1.0
        return 2 * t_tail(abs(self.value) / self.error, self.groups - 1)


def mean_of(sums: Sequence[float], counts: Sequence[float]) -> Mean:
    """Return the mean of values in groups, given each group's sum and how many values it has.

    Groups may be dependent within, not among each other; with one value in each this is the usual mean with
    its standard error.
    """
    groups, count = len(sums), math.fsum(counts)
    value = math.fsum(sums) / count
    if groups < 2:
        return Mean(value=value, error=None, groups=groups)
    squares = math.fsum((one - value * many) ** 2 for one, many in zip(sums, counts, strict=True))
    error = math.sqrt(squares * groups / (groups - 1)) / count
    return Mean(value=value, error=error if error > abs(value) * PRECISE else 0.0, groups=groups)


def grouped(
    totals: Mapping[str, tuple[float, float]], groups: Mapping[str, str]
) -> tuple[list[float], list[float]]:
    """Return the sum and the number of the values of each group, given those of each question."""
    sums: dict[str, float] = {}
    counts: dict[str, float] = {}
    for name, (total, count) in totals.items():
        group = groups[name]
        sums[group] = sums.get(group, 0.0) + total
        counts[group] = counts.get(group, 0.0) + count
    return list(sums.values()), list(counts.values())


def t_tail(t: float, freedom: float) -> float:
    """Return the probability that Student's t is above `t`, which is not negative."""
    near = t * t / (freedom + t * t)
    return _beta_share(freedom / 2, 0.5, freedom / (freedom + t * t), near) / 2


@cache
def t_quantile(share: float, freedom: float) -> float:
    """Return the value below which Student's t is with this probability, from 0.5 to below 1."""
    low, high = 0.0, 1.0
    while t_tail(high, freedom) > 1 - share:
        low, high = high, high * 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if t_tail(middle, freedom) > 1 - share else (low, middle)
    return (low + high) / 2


def _beta_share(a: float, b: float, x: float, rest: float) -> float:
    """Return the regularized incomplete beta function: the share of Beta(a, b) below x; `rest` is 1 - x."""
    if x <= 0 or rest <= 0:
        return float(rest <= 0)
    if x > (a + 1) / (a + b + 2):  # there the fraction converges slowly
        return 1 - _beta_share(b, a, rest, x)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    return math.exp(logarithm) * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function, by Lentz's method."""
    lower = 1 / _away(1 - (a + b) * x / (a + 1))
    upper, value = 1.0, lower
    for m in range(1, MOST_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            lower = 1 / _away(1 + term * lower)
            upper = _away(1 + term / upper)
            value *= lower * upper
        if abs(lower * upper - 1) < PRECISE:
            break
    return value


def _away(value: float) -> float:
    return value if abs(value) > TINY else TINY
