"""Metrics with their 95 % intervals.

Pass rates have Wilson's interval, other means Student's; what is computed from sums over all answers (BLEU,
chrF, F1) is resampled. Where questions come in groups, or have several answers, groups are what counts.
"""

from __future__ import annotations

import math

from ftrun.evaluation.results import Estimate
from ftrun.evaluation.statistics.means import grouped, mean_of, t_quantile
from ftrun.evaluation.statistics.observed import Observed
from ftrun.evaluation.statistics.proportions import critical, wilson
from ftrun.evaluation.statistics.resampling import Resampling, combined

FEWEST_PASSES = 5  # questions, or groups of them: with fewer there is no interval for shares of 0s and 1s
FEWEST = 10  # and none for other numbers
LEVEL = 0.95
HIGHEST = {"share": 1.0, "points": 100.0}


def estimated(observed: Observed, resampling: Resampling, level: float = LEVEL) -> Estimate:
    """Return a metric over all its questions with its interval."""
    n = len(observed.totals)
    value = value_of(observed, resampling) if n else None
    interval = None if value is None else _interval(observed, resampling, level)
    low, high = interval or (None, None)
    return Estimate(value=value, n=n, low=low, high=high)


def value_of(observed: Observed, resampling: Resampling) -> float | None:
    """Return the metric over all its questions; None where it is undefined."""
    if observed.is_mean:
        total, count = _sums(observed)
        return total / count if count else None
    if not observed.metric.resampled:
        return combined(observed)
    whole = resampling.of(observed.key, observed.totals).whole
    return whole if math.isfinite(whole) else None


def _sums(observed: Observed) -> tuple[float, float]:
    totals = observed.totals.values()
    return math.fsum(total for total, _ in totals), math.fsum(count for _, count in totals)


def _interval(observed: Observed, resampling: Resampling, level: float) -> tuple[float, float] | None:
    if not observed.metric.resampled:
        return None
    if observed.metric.binary:
        return _passes_interval(observed, level)
    if observed.groups < FEWEST:
        return None
    if observed.is_mean:
        mean = mean_of(*grouped(observed.totals, observed.group))
        if not mean.error and observed.metric.scale == "share":  # all alike: no spread, yet not certain
            return wilson(mean.value * mean.groups, mean.groups, level)
        return _within(observed.metric.scale, mean.interval(level))
    return resampling.of(observed.key, observed.totals).interval(level)


def _passes_interval(observed: Observed, level: float) -> tuple[float, float] | None:
    """Return the interval of a share of 0s and 1s: Wilson's, with as many answers as are independent."""
    if observed.groups < FEWEST_PASSES:
        return None
    passed, answers = _sums(observed)
    if observed.single:
        return wilson(passed, answers, level)
    share = passed / answers
    effective = _independent(observed, share, answers, level)
    return wilson(share * effective, effective, level)


def _independent(observed: Observed, share: float, answers: float, level: float) -> float:
    """Return how many independent answers know as much (Korn and Graubard 1998)."""
    sums, counts = grouped(observed.totals, observed.group)
    error = mean_of(sums, counts).error
    if share in (0, 1):
        return float(len(sums))
    known = answers if not error else min(answers, share * (1 - share) / error**2)
    return known * (critical(level) / t_quantile((1 + level) / 2, len(sums) - 1)) ** 2


def _within(scale: str, interval: tuple[float, float]) -> tuple[float, float]:
    """Cut an interval at the ends of its scale."""
    highest = HIGHEST.get(scale)
    if highest is None:
        return interval
    return max(0.0, interval[0]), min(highest, interval[1])
