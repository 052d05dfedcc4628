"""Metrics with their 95 % intervals.

Pass rates have Wilson's interval, other means Student's; what is computed from sums over all answers (BLEU,
chrF, F1) is resampled. Where questions come in groups, or have several answers, groups are what counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ftrun.evaluation.means import grouped, mean_of, t_quantile
from ftrun.evaluation.observed import Observed
from ftrun.evaluation.proportions import critical, wilson
from ftrun.evaluation.results import Estimate

if TYPE_CHECKING:
    from ftrun.evaluation.resampling import Resampling

FEWEST_PASSES = 5  # questions, or groups of them: with fewer there is no interval for shares of 0s and 1s
FEWEST = 10  # and none for other numbers
LEVEL = 0.95
HIGHEST = {"share": 1.0, "points": 100.0}


def estimated(observed: Observed, resampling: Resampling, level: float = LEVEL) -> Estimate:
    """Return a metric over all its questions with its interval."""
    n = len(observed.sums)
    value = value_of(observed) if n else None
    interval = None if value is None else _interval(observed, resampling, level)
    low, high = interval or (None, None)
    return Estimate(value=value, n=n, low=low, high=high)


def value_of(observed: Observed) -> float | None:
    """Return the metric over all its questions; None where it is undefined."""
    if observed.column is not None:
        count = sum(one[-1] for one in observed.sums.values())
        total = sum(one[observed.column] for one in observed.sums.values())
        return float(total / count) if count else None
    from ftrun.evaluation.resampling import combined  # only what is no mean needs numpy

    return combined(observed)


def _interval(observed: Observed, resampling: Resampling, level: float) -> tuple[float, float] | None:
    if not observed.metric.resampled:
        return None
    if observed.metric.binary:
        return passes_interval(observed, level)
    if observed.groups < FEWEST:
        return None
    if observed.column is None:
        return resampling.of(observed.key, observed.sums).interval(level)
    mean = mean_of(*grouped_sums(observed))
    return within(observed.metric.scale, mean.interval(level))


def passes_interval(observed: Observed, level: float) -> tuple[float, float] | None:
    """Return the interval of a share of 0s and 1s: Wilson's, with as many answers as are independent."""
    groups, column = observed.groups, observed.column or 0
    if groups < FEWEST_PASSES:
        return None
    passed = sum(one[column] for one in observed.sums.values())
    answers = sum(one[-1] for one in observed.sums.values())
    if observed.single:
        return wilson(passed, answers, level)
    effective = _independent(observed, passed / answers, answers, level)
    return wilson(passed / answers * effective, effective, level)


def _independent(observed: Observed, share: float, answers: float, level: float) -> float:
    """Return how many independent answers know as much (Korn and Graubard 1998)."""
    sums, counts = grouped_sums(observed)
    error = mean_of(sums, counts).error
    if share in (0, 1):
        return float(len(sums))
    known = answers if not error else min(answers, share * (1 - share) / error**2)
    return known * (critical(level) / t_quantile((1 + level) / 2, len(sums) - 1)) ** 2


def grouped_sums(observed: Observed) -> tuple[list[float], list[float]]:
    """Return the sum of a mean's values in each group, and how many there are."""
    column = observed.column or 0
    totals = {name: one[column] for name, one in observed.sums.items()}
    counts = {name: one[-1] for name, one in observed.sums.items()}
    return grouped(totals, observed.group)[0], grouped(counts, observed.group)[0]


def within(scale: str, interval: tuple[float, float]) -> tuple[float, float]:
    """Cut an interval at the ends of its scale."""
    highest = HIGHEST.get(scale)
    if highest is None:
        return interval
    return max(0.0, interval[0]), min(highest, interval[1])
