"""The bootstrap for metrics that are computed from sums over all answers: draw groups of questions again and
again, add up their statistics, and combine the sums. Draws are seeded, and the same for all metrics.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftrun.evaluation.statistics.means import t_quantile, t_tail
from ftrun.evaluation.statistics.observed import Key, Observed, Sparse
from ftrun.evaluation.statistics.proportions import NORMAL

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Matrix = NDArray[np.float64]

RESAMPLES = 10_000
AT_ONCE = 500  # resamples in memory at once
CELLS = 4_000_000  # numbers in memory at once, at most
SEED = 42


@dataclass(frozen=True, slots=True, kw_only=True)
class Resampled:
    """A number from all answers, and in each resample (NaN: undefined there), drawn from so many independent
    groups.

    Quantiles are widened as Student's t is beside the normal distribution (Hesterberg 2015): plain ones are
    too narrow for few groups.
    """

    whole: float
    values: Matrix
    groups: int

    def minus(self, other: Resampled) -> Resampled:
        """Return the difference in each resample; both are of the same questions."""
        return Resampled(
            whole=self.whole - other.whole, values=self.values - other.values, groups=self.groups
        )

    def interval(self, level: float = 0.95) -> tuple[float, float] | None:
        """Return the percentile interval; None if the number is undefined in most resamples."""
        import numpy as np  # of the extra `eval`

        known = self.values[np.isfinite(self.values)]
        if 2 * len(known) < len(self.values):
            return None
        tail = NORMAL.cdf(-self._widening * t_quantile((1 + level) / 2, self.groups - 1))
        low, high = np.quantile(known, (tail, 1 - tail))
        return float(low), float(high)

    @property
    def p(self) -> float:
        """Return the two-sided p-value of the number being 0: 1 minus the level at which the interval ends
        there.
        """
        below, above = int((self.values < 0).sum()), int((self.values > 0).sum())
        known = len(self.values) - int((self.values != self.values).sum())
        tail = (min(below, above) + (known - below - above) / 2 + 0.5) / (known + 1)
        if tail >= 0.5:
            return 1.0
        return 2 * t_tail(-NORMAL.inv_cdf(tail) / self._widening, self.groups - 1)

    @property
    def error(self) -> float:
        """Return the standard error."""
        import numpy as np  # of the extra `eval`

        return float(np.nanstd(self.values)) * self._widening

    @property
    def _widening(self) -> float:
        return math.sqrt(self.groups / (self.groups - 1))


def combined(observed: Observed) -> float | None:
    """Return a metric that isn't resampled, of all answers together; None where it is undefined."""
    import numpy as np  # of the extra `eval`

    sums = np.zeros((1, observed.width))
    for name in observed.totals:
        for place, number in (observed.statistics or {})[name].items():
            sums[0, place] += number
    value = float(observed.metric.combine(sums)[0])
    return value if math.isfinite(value) else None


class Resampling:
    """Metrics in resamples of questions. All metrics that aren't means are resampled together, once for each
    set of questions; memory doesn't grow with their number.
    """

    def __init__(self, observed: Mapping[Key, Observed]) -> None:
        self._known = observed
        self._drawn: dict[tuple[str, ...], dict[Key, Resampled]] = {}

    def of(self, key: Key, ids: Iterable[str]) -> Resampled:
        """Return a candidate's metric in each resample of these questions, all of which it answered."""
        questions = tuple(sorted(ids))
        drawn = self._drawn.setdefault(questions, {})
        if key not in drawn:
            wanted = {key: self._known[key], **(self._summed(questions) if not drawn else {})}
            drawn.update(_resampled(questions, wanted))
        return drawn[key]

    def _summed(self, questions: Sequence[str]) -> dict[Key, Observed]:
        """Return what is no mean, and known of all these questions."""
        return {
            key: one
            for key, one in self._known.items()
            if not one.is_mean and one.metric.resampled and all(name in one.totals for name in questions)
        }


def _resampled(questions: Sequence[str], wanted: Mapping[Key, Observed]) -> dict[Key, Resampled]:
    """Return each metric in each resample."""
    import numpy as np  # of the extra `eval`

    group = next(iter(wanted.values())).group
    places: dict[str, int] = {}
    index = [places.setdefault(group[name], len(places)) for name in questions]
    values: dict[Key, list[Matrix]] = {key: [] for key in wanted}
    tables = [_Table(several, questions, index) for several in _by_statistics(wanted)]
    together = np.hstack([table.table for table in tables])
    for weights in _weights(len(places)):
        sums, start = weights @ together, 0
        for table in tables:
            end = start + table.table.shape[1]
            for key, found in table.combined(sums[:, start:end]):
                values[key].append(found)
            start = end
    numbers = {key: np.concatenate(parts) for key, parts in values.items()}
    return {
        key: Resampled(whole=float(one[0]), values=one[1:], groups=len(places))
        for key, one in numbers.items()
    }


def _by_statistics(wanted: Mapping[Key, Observed]) -> list[list[Observed]]:
    """Return the metrics that are computed from the same statistics together; a mean has its own."""
    found: dict[int, list[Observed]] = {}
    for one in wanted.values():
        found.setdefault(id(one.totals if one.statistics is None else one.statistics), []).append(one)
    return list(found.values())


class _Table:
    """The statistics of some metrics: a row for each group, a column for each that isn't 0 everywhere."""

    def __init__(self, metrics: Sequence[Observed], questions: Sequence[str], index: Sequence[int]) -> None:
        import numpy as np  # of the extra `eval`

        self._metrics, first = metrics, metrics[0]
        rows: list[Sparse] = [_sparse(first, name) for name in questions]
        self._columns = sorted({place for row in rows for place in row})
        column = {place: number for number, place in enumerate(self._columns)}
        self.table: Matrix = np.zeros((max(index) + 1, len(column)))
        for row, at in zip(rows, index, strict=True):
            for place, number in row.items():
                self.table[at, column[place]] += number

    def combined(self, sums: Matrix) -> Iterator[tuple[Key, Matrix]]:
        """Yield each metric for each row of sums of the table's columns."""
        import numpy as np  # of the extra `eval`

        first = self._metrics[0]
        if first.is_mean:
            yield first.key, sums[:, 0] / sums[:, 1]
            return
        at_once = max(1, CELLS // first.width)
        found: list[list[Matrix]] = [[] for _ in self._metrics]
        for start in range(0, len(sums), at_once):
            part = sums[start : start + at_once]
            whole = np.zeros((len(part), first.width))
            whole[:, self._columns] = part
            for one, parts in zip(self._metrics, found, strict=True):
                parts.append(one.metric.combine(whole))
        for one, parts in zip(self._metrics, found, strict=True):
            yield one.key, np.concatenate(parts)


def _sparse(observed: Observed, question: str) -> Sparse:
    if observed.statistics is not None:
        return observed.statistics[question]
    total, count = observed.totals[question]
    return {0: total, 1: count}


def _weights(groups: int) -> Iterator[Matrix]:
    """Yield how often each resample has each group, for some resamples at once; first, each group once."""
    import numpy as np  # of the extra `eval`

    random = np.random.default_rng(SEED)
    yield np.ones((1, groups))
    at_once = max(1, min(AT_ONCE, CELLS // groups))
    for start in range(0, RESAMPLES, at_once):
        rows = min(at_once, RESAMPLES - start)
        drawn = random.integers(0, groups, size=(rows, groups)) + np.arange(rows)[:, None] * groups
        counts = np.bincount(drawn.ravel(), minlength=rows * groups)
        yield counts.reshape(rows, groups).astype(np.float64)
