"""Numbers over many scores: means, and F1 from counts. Each is computed from sums of statistics, so that
resampled answers cost one matrix product."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ftrun.scoring.types import Scale

if TYPE_CHECKING:
    from ftrun.scoring.types import Matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Mean:
    """The mean of a statistic: the sum in `column`, divided by the number of answers in the last column.

    Scores without statistics of their own have (value, 1).
    """

    name: str
    higher_is_better: bool | None = True
    binary: bool = False
    scale: Scale = "share"
    resampled: bool = True
    column: int = 0

    def combine(self, sums: Matrix) -> Matrix:
        """Return the mean for each row of sums; NaN without answers."""
        return quotient(sums[:, self.column], sums[:, -1])


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedF1:
    """F1 from the counts (right, given, wanted), pooled over all answers; 0 if nothing is right."""

    name: str
    higher_is_better: bool | None = True
    binary: bool = False
    scale: Scale = "share"
    resampled: bool = True

    def combine(self, sums: Matrix) -> Matrix:
        """Return 2 · right / (given + wanted) for each row of sums; NaN if nothing is given or wanted."""
        return quotient(2 * sums[:, 0], sums[:, 1] + sums[:, 2])


def share(name: str, *, higher_is_better: bool | None = True) -> Mean:
    """Return the metric of scores that are 0 or 1."""
    return Mean(name=name, higher_is_better=higher_is_better, binary=True)


def quotient(above: Matrix, below: Matrix, otherwise: float = float("nan")) -> Matrix:
    """Return above / below, `otherwise` where below is 0."""
    import numpy as np  # of the extra `eval`

    found = np.full(np.shape(above), otherwise)
    np.divide(above, below, out=found, where=np.asarray(below) != 0)
    return found
