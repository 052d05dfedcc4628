"""Two candidates on the same questions: differences, p-values, flips."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as reference_mcnemar
from statsmodels.stats.multitest import multipletests

from ftrun.evaluation.results import Comparison
from ftrun.evaluation.statistics.comparisons import Pair, adjusted, compared, holm
from ftrun.evaluation.statistics.observed import Observed
from ftrun.evaluation.statistics.resampling import Resampling
from ftrun.scoring.metrics import CountedF1, Mean, share
from ftrun.scoring.types import Metric

PASSES, NUMBERS, F1 = share("pass_rate"), Mean(name="number", scale="number"), CountedF1(name="field_f1")


def observed(
    values: Mapping[str, Sequence[float]],
    metric: Metric,
    candidate: str,
    group: Mapping[str, str] | None = None,
) -> Observed:
    """Return what a scorer found: of each question the values of its answers."""
    totals = {name: (sum(several), float(len(several))) for name, several in values.items()}
    own = {name: name for name in values}
    return Observed(candidate=candidate, metric=metric, totals=totals, group={**own, **(group or {})})


def single(values: Iterable[float], metric: Metric, candidate: str) -> Observed:
    """Return what a scorer found in one answer to each question."""
    return observed({f"q{number}": [float(one)] for number, one in enumerate(values)}, metric, candidate)


def counted(rows: np.ndarray, candidate: str) -> Observed:
    """Return what a scorer found: right, given and wanted fields of each answer."""
    found = single([0.0] * len(rows), F1, candidate)
    sparse = {
        f"q{number}": {place: float(one) for place, one in enumerate(row) if one}
        for number, row in enumerate(rows)
    }
    return replace(found, statistics=sparse, width=3)


def pair(left: Observed, right: Observed) -> Pair:
    """Return the comparison of two."""
    return Pair(left, right, Resampling({left.key: left, right.key: right}))


@pytest.mark.parametrize("seed", range(10))
def test_passes_are_compared_by_mcnemar(seed: int) -> None:
    """p is statsmodels' exact test of the table, and n counts the questions that both answered."""
    random = np.random.default_rng(seed)
    left, right = random.random(80) < 0.7, random.random(80) < 0.5
    better, worse = (left & ~right).sum(), (~left & right).sum()
    found = pair(single(left, PASSES, "a"), single(right[:70], PASSES, "b"))
    assert found.n == 70
    whole = pair(single(left, PASSES, "a"), single(right, PASSES, "b"))
    expected = reference_mcnemar([[0, better], [worse, 0]], exact=True).pvalue
    assert whole.p == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert whole.difference == pytest.approx(left.mean() - right.mean(), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_means_are_compared_by_students_paired_test(seed: int) -> None:
    """p and interval are scipy's."""
    random = np.random.default_rng(seed)
    left, right = random.normal(1, 1, 60), random.normal(0.7, 1, 60)
    found = pair(single(left, NUMBERS, "a"), single(right, NUMBERS, "b"))
    expected = stats.ttest_rel(left, right)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-9)
    assert found.interval() == pytest.approx(tuple(expected.confidence_interval(0.95)), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_sums_are_compared_by_the_paired_bootstrap(seed: int) -> None:
    """The interval is scipy's percentile bootstrap but for chance and the widening, and agrees with p."""
    random = np.random.default_rng(seed)
    wanted = random.integers(2, 7, 150)
    rows = [np.column_stack((random.binomial(wanted, rate), wanted, wanted)) for rate in (0.7, 0.62)]
    found = pair(*(counted(one, name) for one, name in zip(rows, "ab", strict=True)))

    def difference(index: np.ndarray) -> float:
        sums = [one[index].sum(axis=0) for one in rows]
        return float(sums[0][0] / sums[0][1] - sums[1][0] / sums[1][1])

    drawn = [difference(random.integers(0, 150, 150)) for _ in range(4000)]
    interval, p = found.interval(), found.p
    assert interval is not None
    assert p is not None
    assert found.difference == pytest.approx(difference(np.arange(150)), rel=1e-9, abs=1e-9)
    assert interval == pytest.approx(tuple(np.quantile(drawn, (0.025, 0.975))), abs=0.008)
    assert (p < 0.05) == (not interval[0] <= 0 <= interval[1])


def test_the_bootstrap_gives_the_same_every_time() -> None:
    """Draws are seeded, and don't depend on what else is resampled."""
    rows = np.random.default_rng(3).integers(1, 6, (40, 3)).astype(float)
    left, right = counted(rows, "a"), counted(rows[::-1], "b")
    again = Pair(left, right, Resampling({one.key: one for one in (right, left)}))
    assert pair(left, right).interval() == again.interval()


def test_the_widened_bootstrap_covers_more_than_scipys_with_few_groups() -> None:
    """With ten questions plain quantiles are too narrow."""
    rows = np.random.default_rng(5).integers(1, 9, (10, 2)).astype(float)
    rows = np.column_stack((np.minimum(rows[:, 0], rows[:, 1]), rows[:, 1], rows[:, 1]))
    one = counted(rows, "a")
    drawn = Resampling({one.key: one}).of(one.key, one.totals)
    low, high = drawn.interval() or (0, 0)
    plain = stats.bootstrap(
        (np.arange(10),),
        lambda index: rows[index, 0].sum() / rows[index, 1].sum(),
        vectorized=False,
        n_resamples=2000,
        method="percentile",
        rng=np.random.default_rng(1),
    ).confidence_interval
    assert low < plain.low
    assert plain.high < high


def test_groups_of_questions_count_once() -> None:
    """Ten questions that are one in ten copies tell no more than that one."""
    ids = [f"q{number}" for number in range(100)]
    group = {name: f"g{number // 10}" for number, name in enumerate(ids)}
    left = {name: [float(number // 10 < 8)] for number, name in enumerate(ids)}
    right = {name: [float(number // 10 < 4)] for number, name in enumerate(ids)}
    alone = pair(observed(left, PASSES, "a"), observed(right, PASSES, "b"))
    together = pair(observed(left, PASSES, "a", group), observed(right, PASSES, "b", group))
    assert (alone.p or 0) < 1e-9
    assert together.p == 0.125
    interval = together.interval()
    assert interval is not None
    assert interval[0] <= 0 <= interval[1]


def test_several_answers_to_a_question_are_one_question() -> None:
    """n counts questions, and the majority decides what flipped."""
    left = {f"q{number}": [1.0, 1.0, 0.0] for number in range(12)}
    right = {f"q{number}": [0.0, float(number > 8), float(number > 8)] for number in range(12)}
    found = pair(observed(left, PASSES, "a"), observed(right, PASSES, "b"))
    assert found.n == 12
    assert found.flips is not None
    assert (len(found.flips.fixed), found.flips.broken, found.flips.same) == (9, (), 3)
    assert found.difference == pytest.approx(2 / 3 - 6 / 36)
    assert found.p == pytest.approx(2 * 0.5**9, rel=1e-9, abs=1e-9)


def test_few_differing_questions_are_no_proof_of_means_either() -> None:
    """Four differences of the same sign would be significant by t, though a coin gives that in one of 8."""
    left = [1.0] * 4 + [0.5] * 36
    found = pair(single(left, NUMBERS, "a"), single([0.5] * 40, NUMBERS, "b"))
    assert stats.ttest_rel(left, [0.5] * 40).pvalue < 0.05
    assert found.p == 0.125
    interval = found.interval()
    assert interval is not None
    assert interval[0] <= 0


@pytest.mark.parametrize(("metric", "least"), [(PASSES, 5), (NUMBERS, 10)])
def test_too_few_questions_have_no_interval(metric: Metric, least: int) -> None:
    """Neither interval nor p nor a detectable difference; one question more has them."""
    for n, there in ((least - 1, False), (least, True)):
        values = [float(number % 2) for number in range(n)]
        found = pair(single(values, metric, "a"), single(values[::-1], metric, "b"))
        assert (found.interval() is not None) == there
        assert (found.p is not None) == there
        assert there or found.detectable is None


@pytest.mark.parametrize("seed", range(10))
def test_holm_is_that_of_statsmodels(seed: int) -> None:
    """Adjusted p-values are in the order given."""
    values = np.random.default_rng(seed).random(7) ** 3
    assert holm(values.tolist()) == pytest.approx(multipletests(values, method="holm")[1], rel=1e-9, abs=1e-9)


def test_a_comparison_without_p_takes_no_part_in_holm() -> None:
    """Of three comparisons one has too few questions: the others are adjusted for two."""
    one = Comparison(a="a", b="b", metric="m", difference=0.1, low=0, high=1, p=0.02, n=9)
    found = adjusted([one, replace(one, p=None), replace(one, p=0.5)])
    assert [other.p for other in found] == [0.04, None, 0.5]


def test_a_difference_is_positive_where_a_is_better() -> None:
    """Of metrics of which less is better it is turned round; those of which neither is are left out."""
    seconds = Mean(name="seconds", higher_is_better=False, scale="seconds")
    length = Mean(name="length", higher_is_better=None, scale="number")
    values = [1.0 + number / 10 for number in range(12)]
    known = {}
    for metric in (seconds, length):
        for candidate, factor in (("fast", 1), ("slow", 2)):
            one = single([factor * value for value in values], metric, candidate)
            known[one.key] = one
    (found,) = compared(known, ["fast", "slow"], Resampling(known))
    assert (found.a, found.b, found.metric) == ("fast", "slow", "seconds")
    assert found.difference == pytest.approx(np.mean(values), rel=1e-9, abs=1e-9)
    assert (found.low or 0) > 0
    assert found.better
