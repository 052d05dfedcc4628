"""Intervals and tests for pass and fail, beside statsmodels, scipy and evalstats."""

from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from evalstats.core.resampling import tango_scc_paired_ci
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.proportion import proportion_confint

from ftrun.evaluation.statistics.proportions import detectable, mcnemar, sign_flips, tango, wilson


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [1, 2, 7, 20, 333, 10_000])
def test_the_interval_of_a_share_is_wilsons(n: int, level: float) -> None:
    """It is statsmodels' for every level, at the ends too."""
    for passed in sorted({0, 1, n // 3, n // 2, n - 1, n}):
        expected = proportion_confint(passed, n, alpha=1 - level, method="wilson")
        assert wilson(passed, n, level) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_mcnemar_is_exact(seed: int) -> None:
    """It is statsmodels' exact test, and counts only questions on which the two differ."""
    random_ = random.Random(seed)
    better, worse = random_.randint(0, 60), random_.randint(0, 60)
    expected = reference_mcnemar([[5, better], [worse, 9]], exact=True).pvalue
    assert mcnemar(better, worse) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_mcnemar_takes_thousands_of_questions() -> None:
    """Numbers too large for a float are divided exactly; without differences p is 1."""
    assert mcnemar(5_000, 4_900) == pytest.approx(stats.binomtest(5_000, 9_900).pvalue, rel=1e-9)
    assert mcnemar(5_000, 0) == 0
    assert mcnemar(0, 0) == 1


@pytest.mark.parametrize("seed", range(20))
def test_sign_flips_are_mcnemar_where_differences_are_single(seed: int) -> None:
    """With differences of -1, 0 and 1 both count the same outcomes."""
    random_ = random.Random(seed)
    differences = random_.choices([-1, 0, 1], k=random_.randint(1, 50))
    expected = mcnemar(differences.count(1), differences.count(-1))
    assert sign_flips(differences) == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_sign_flips_try_every_choice_of_signs(seed: int) -> None:
    """It is the share of all choices whose sum is as far from 0."""
    random_ = random.Random(seed)
    differences = [random_.randint(-4, 4) for _ in range(random_.randint(1, 9))]
    sums = [
        sum(sign * size for sign, size in zip(signs, differences, strict=True))
        for signs in itertools.product((-1, 1), repeat=len(differences))
    ]
    expected = sum(abs(one) >= abs(sum(differences)) for one in sums) / len(sums)
    assert sign_flips(differences) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def answers(better: int, worse: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return passes of two models that differ on so many of n questions."""
    left = np.array([1.0] * better + [0.0] * worse + [1.0] * (n - better - worse))
    right = np.array([0.0] * better + [1.0] * worse + [1.0] * (n - better - worse))
    return left, right


@pytest.mark.parametrize("seed", range(30))
def test_the_interval_of_a_difference_is_tangos(seed: int) -> None:
    """It is the closed form that evalstats has, without the correction that evalstats adds to it."""
    random_ = random.Random(seed)
    n = random_.randint(6, 400)
    better = random_.randint(1, n // 2)
    worse = random_.randint(1, n - better)
    expected = tango_scc_paired_ci(*answers(better, worse, n), 0.05, c=0.0)
    assert tango(better, worse, n) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("better", "worse", "n"), [(8, 3, 40), (20, 0, 20), (0, 0, 30), (1, 12, 50), (0, 7, 9)]
)
def test_the_ends_are_where_the_score_test_rejects(better: int, worse: int, n: int) -> None:
    """At each end the data are 1.96 standard errors away, under the likeliest shares with that difference."""
    for end in tango(better, worse, n):
        if abs(end) < 1:
            assert abs(score_statistic(better, worse, n, end)) == pytest.approx(
                stats.norm.ppf(0.975), abs=1e-4
            )


def score_statistic(better: int, worse: int, n: int, difference: float) -> float:
    """Return Tango's statistic with the shares found by a numerical search."""

    def unlikely(only_right: float) -> float:
        only_left = only_right + difference
        same = 1 - only_left - only_right
        shares = ((better, only_left), (worse, only_right), (n - better - worse, same))
        return -sum(count * math.log(max(share, 1e-300)) for count, share in shares)

    low, high = max(0.0, -difference), (1 - difference) / 2
    found = optimize.minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-13})
    spread = n * (2 * found.x + difference * (1 - difference))
    return (better - worse - n * difference) / math.sqrt(spread)


@pytest.mark.parametrize("n", [10, 40, 120])
def test_a_significant_difference_is_never_zero_in_its_interval(n: int) -> None:
    """Whatever the exact test rejects, the interval leaves out."""
    for better in range(0, n + 1, 1 + n // 40):
        for worse in range(0, n - better + 1, 1 + n // 40):
            if mcnemar(better, worse) < 0.05:
                low, high = tango(better, worse, n)
                assert not low <= 0 <= high


@pytest.mark.parametrize(("discordant", "n"), [(0.1, 200), (0.3, 60), (0.5, 150), (0.0, 40)])
def test_the_detectable_difference_is_found_four_times_in_five(discordant: float, n: int) -> None:
    """The exact test's power there is 80 %, a little more or less; more where none was seen to differ."""
    size = detectable(discordant, n)
    assert size is not None
    differing = max(discordant, size)
    shares = [(differing + size) / 2, (differing - size) / 2, 1 - differing]
    better = np.arange(n + 1)
    power = 0.0
    for worse in range(n + 1):
        counts = better[: n - worse + 1]
        found = np.array([mcnemar(int(one), worse) < 0.05 for one in counts])
        table = np.column_stack((counts, np.full_like(counts, worse), n - counts - worse))
        power += stats.multinomial.pmf(table, n, shares)[found].sum()
        if worse > n * shares[1] + 60:
            break
    assert 0.77 <= power <= (0.87 if discordant else 0.95)


def test_few_questions_can_show_no_difference() -> None:
    """Four questions never suffice for a significant difference, so nothing is detectable."""
    assert detectable(0.5, 4) is None
