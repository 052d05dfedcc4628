"""Two candidates on the same questions: the difference, how sure it is, and which questions changed.

Pass rates are compared by McNemar's exact test with Tango's interval, means by Student's paired t, what is
computed from sums over all answers by the paired bootstrap. Questions that belong together are one group.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property

from ftrun.evaluation.results import Comparison, Flips
from ftrun.evaluation.statistics.estimates import FEWEST, FEWEST_PASSES, LEVEL, value_of
from ftrun.evaluation.statistics.means import Mean, grouped, mean_of, t_quantile
from ftrun.evaluation.statistics.observed import Key, Observed
from ftrun.evaluation.statistics.proportions import POWER, detectable, mcnemar, sign_flips, tango
from ftrun.evaluation.statistics.resampling import Resampled, Resampling

Interval = tuple[float, float]


class Pair:
    """Two metrics on the questions that have both: left minus right."""

    def __init__(self, left: Observed, right: Observed, resampling: Resampling) -> None:
        self.left, self.right = left.among(right.totals), right.among(left.totals)
        self._resampling = resampling
        self._of_passes = left.metric.binary and right.metric.binary

    @property
    def n(self) -> int:
        """Return how many questions have both."""
        return len(self.left.totals)

    @cached_property
    def difference(self) -> float | None:
        """Return left minus right; None where one of them is undefined."""
        if not self.n:
            return None
        left, right = (value_of(one, self._resampling) for one in (self.left, self.right))
        return None if left is None or right is None else left - right

    @cached_property
    def enough(self) -> bool:
        """Return whether there are as many groups of questions as an interval needs."""
        if self.difference is None or not (self.left.metric.resampled and self.right.metric.resampled):
            return False
        return self.left.groups >= (FEWEST_PASSES if self._of_passes else FEWEST)

    def interval(self, level: float = LEVEL) -> Interval | None:
        """Return the interval of the difference; None if there are too few questions.

        Where the exact test doesn't reject, it reaches 0, so that both say the same.
        """
        if not self.enough:
            return None
        counts = self._counts
        found = self._spread.interval(level) if counts is None else tango(*counts, self.n, level)
        if found is None or found[0] <= 0 <= found[1] or self._p < 1 - level:
            return found
        return min(found[0], 0.0), max(found[1], 0.0)

    @property
    def p(self) -> float | None:
        """Return the two-sided p-value of no difference; None if there are too few questions."""
        return self._p if self.enough else None

    @cached_property
    def _p(self) -> float:
        if self._counts is not None:
            return mcnemar(*self._counts)
        if self._of_passes:
            return sign_flips(self._whole_differences())
        # no test of signs would find less: a few differing questions can't be more convincing than that
        return max(self._spread.p, min(1.0, 2.0 ** (1 - self._differing())))

    @property
    def detectable(self) -> float | None:
        """Return the smallest difference that so many questions show with a power of 80 %."""
        if not self.enough:
            return None
        if self._counts is not None:
            return detectable(sum(self._counts) / self.n, self.n)
        freedom = self.left.groups - 1
        reach = t_quantile((1 + LEVEL) / 2, freedom) + t_quantile(POWER, freedom)
        return reach * self._spread.error if self._spread.error else None

    @property
    def flips(self) -> Flips | None:
        """Return on which questions only the left one passes, and only the right one; None unless this is
        about passes. Of several answers to a question, the majority counts.
        """
        if not self._of_passes:
            return None
        left, right = self.left.means(), self.right.means()
        fixed = tuple(name for name in left if left[name] > 0.5 >= right[name])
        broken = tuple(name for name in left if right[name] > 0.5 >= left[name])
        return Flips(fixed=fixed, broken=broken, same=len(left) - len(fixed) - len(broken))

    @cached_property
    def _counts(self) -> tuple[int, int] | None:
        """Return on how many questions only one passes; None unless all stand alone and have one answer."""
        if not (self._of_passes and self.left.single and self.right.single):
            return None
        left, right = self.left.means(), self.right.means()
        return sum(left[one] > right[one] for one in left), sum(left[one] < right[one] for one in left)

    @cached_property
    def _spread(self) -> Mean | Resampled:
        if self.left.is_mean and self.right.is_mean:
            left, right = self.left.means(), self.right.means()
            return mean_of(
                *grouped({name: (left[name] - right[name], 1.0) for name in left}, self.left.group)
            )
        left_drawn = self._resampling.of(self.left.key, self.left.totals)
        right_drawn = self._resampling.of(self.right.key, self.left.totals)
        return left_drawn.minus(right_drawn)

    def _whole_differences(self) -> list[int]:
        """Return each group's difference, multiplied so that it is a whole number."""
        sides = (self.left.totals, self.right.totals)
        unit = math.lcm(*{round(count) for side in sides for _, count in side.values()})
        left, right = self.left.means(), self.right.means()
        differences = {name: ((left[name] - right[name]) * unit, 1.0) for name in left}
        sums, _ = grouped(differences, self.left.group)
        return [round(one) for one in sums]

    def _differing(self) -> int:
        """Return how many groups have a question on which the two differ."""
        left, right = self.left, self.right
        differ = (
            [name for name, total in left.totals.items() if total != right.totals[name]]
            if left.is_mean or right.is_mean
            else [name for name in left.totals if _of(left, name) != _of(right, name)]
        )
        return len({left.group[name] for name in differ})


def _of(observed: Observed, question: str) -> Mapping[int, float]:
    return (observed.statistics or {})[question]


def compared(
    observed: Mapping[Key, Observed], candidates: Sequence[str], resampling: Resampling
) -> Iterator[Comparison]:
    """Yield how the first candidate compares with every other one in each metric that both have.

    p is adjusted by Holm's method: for a metric, its comparisons with all candidates are one family. Metrics
    of which neither more nor less is better are not compared.
    """
    subject, *others = candidates
    metrics = [metric for candidate, metric in observed if candidate == subject]
    for metric in metrics:
        here = [other for other in others if (other, metric) in observed]
        found = [
            _comparison(observed[subject, metric], observed[other, metric], resampling) for other in here
        ]
        yield from adjusted([one for one in found if one is not None])


def _comparison(mine: Observed, other: Observed, resampling: Resampling) -> Comparison | None:
    if mine.metric.higher_is_better is None:
        return None
    pair = Pair(*((mine, other) if mine.metric.higher_is_better else (other, mine)), resampling)
    if not pair.n:
        return None
    low, high = pair.interval() or (None, None)
    return Comparison(
        a=mine.candidate,
        b=other.candidate,
        metric=mine.metric.name,
        difference=pair.difference,
        low=low,
        high=high,
        p=pair.p,
        n=pair.n,
        flips=pair.flips,
        detectable=pair.detectable,
    )


def adjusted(family: Sequence[Comparison]) -> list[Comparison]:
    """Return the comparisons with p adjusted for their number."""
    known = [one for one in family if one.p is not None]
    values = iter(holm([one.p for one in known if one.p is not None]))
    return [one if one.p is None else replace(one, p=next(values)) for one in family]


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values adjusted by Holm's method (1979), in the order given."""
    order = sorted(range(len(values)), key=values.__getitem__)
    found, least = [0.0] * len(values), 0.0
    for rank, index in enumerate(order):
        least = max(least, min(1.0, (len(values) - rank) * values[index]))
        found[index] = least
    return found
