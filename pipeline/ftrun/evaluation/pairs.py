"""Compare two candidates on the same questions: is the difference statistically significant?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """How often one is right where the other is: `better` and `worse` count where only one of them is.

    `p` is the probability of a split at least as uneven if both were equally good.
    """

    both: int
    better: int
    worse: int
    neither: int
    p: float


def paired(verdicts: Iterable[tuple[bool, bool]]) -> Paired:
    """Compare (passed by one, passed by the other) question by question."""
    seen = Counter(verdicts)
    better, worse = seen[True, False], seen[False, True]
    return Paired(
        both=seen[True, True],
        better=better,
        worse=worse,
        neither=seen[False, False],
        p=sign_test(better, worse),
    )


def sign_test(better: int, worse: int) -> float:
    """Return the two-sided exact p-value of the sign test (McNemar's exact test), in [0, 1]."""
    count, ways, tail = better + worse, 1, 0  # `ways` to choose k of `count`
    for k in range(min(better, worse) + 1):
        tail += ways
        ways = ways * (count - k) // (k + 1)
    return min(1.0, float(2 * tail / 2**count))
