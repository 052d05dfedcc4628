"""Intervals and tests for pass and fail, exact where they can be; the standard library is all they need."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import NormalDist

POWER = 0.8
NORMAL = NormalDist()
STEPS = 100  # halvings of a bracket: more than a float has digits


def critical(level: float) -> float:
    """Return how many standard errors a two-sided interval of this level reaches."""
    return NORMAL.inv_cdf((1 + level) / 2)


def wilson(passed: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion (Wilson 1927); `n` above 0."""
    z, share = critical(level), passed / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return (0.0 if passed <= 0 else middle - reach), (1.0 if passed >= n else middle + reach)


def mcnemar(better: int, worse: int) -> float:
    """Return the two-sided exact p-value of McNemar's test (the sign test), in [0, 1]."""
    count, ways, tail = better + worse, 1, 0  # `ways` to choose k of `count`
    for k in range(min(better, worse) + 1):
        tail += ways
        ways = ways * (count - k) // (k + 1)
    return min(1.0, float(2 * tail / 2**count))


def sign_flips(differences: Sequence[int]) -> float:
    """Return the two-sided exact p-value of the sign-flip test: of all ways to choose the differences' signs,
    the share whose sum is as far from 0. With differences of -1, 0 and 1 this is McNemar's test.
    """
    ways = {0: 1}
    total = 0
    for size in map(abs, differences):
        if size:
            total += size
            ways = _flipped(ways, size)
    reached = abs(sum(differences))
    tail = sum(count for value, count in ways.items() if abs(value) >= reached)
    return tail / sum(ways.values()) if total else 1.0


def _flipped(ways: dict[int, int], size: int) -> dict[int, int]:
    found: dict[int, int] = {}
    for value, count in ways.items():
        for new in (value - size, value + size):
            found[new] = found.get(new, 0) + count
    return found


def tango(better: int, worse: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the score interval of the difference of two paired proportions (Tango 1998)."""
    z = critical(level)
    middle = (better - worse) / n

    def far(difference: float) -> float:
        return _tango_statistic(better, worse, n, difference)

    return (
        -1.0 if middle == -1 else _crossing(lambda one: far(one) <= z, middle, -1.0),
        1.0 if middle == 1 else _crossing(lambda one: far(one) >= -z, middle, 1.0),
    )


def _tango_statistic(better: int, worse: int, n: int, difference: float) -> float:
    """Return how many standard errors the data are from a difference: with the likeliest shares under it."""
    a, b = 2 * n, -better - worse + (2 * n - better + worse) * difference
    c = -worse * difference * (1 - difference)
    share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
    spread = n * (2 * share + difference * (1 - difference))
    away = better - worse - n * difference
    if spread <= 0:
        return 0.0 if away == 0 else math.copysign(math.inf, away)
    return away / math.sqrt(spread)


def _crossing(holds: Callable[[float], bool], inside: float, outside: float) -> float:
    """Return the value farthest from `inside` for which it still holds."""
    if holds(outside):
        return outside
    for _ in range(STEPS):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if holds(middle) else (inside, middle)
    return inside


def detectable(discordant: float, n: int) -> float | None:
    """Return the smallest difference of two paired pass rates that `n` questions show with a power of 80 %
    (Connor 1987, corrected for continuity: the test is exact), where they differ on this share of the
    questions; None if no difference would be.
    """
    z, power = critical(0.95), NORMAL.inv_cdf(POWER)

    def shown(difference: float) -> bool:
        if not difference:
            return False
        differing = max(discordant, difference)
        needed = z * math.sqrt(differing) + power * math.sqrt(differing - difference**2)
        return difference * n - 1 >= needed * math.sqrt(n)

    return _crossing(shown, 1.0, 0.0) if shown(1.0) else None
