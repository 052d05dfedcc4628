"""Means with Student's t, beside scipy and statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from ftrun.evaluation.statistics.means import grouped, mean_of, t_quantile, t_tail


@pytest.mark.parametrize("freedom", [1, 2, 5, 29, 199, 99_999])
def test_students_t_is_scipys(freedom: int) -> None:
    """Tails and quantiles are scipy's."""
    for t in (0.0, 0.001, 0.7, 2.0, 5.0, 30.0):
        assert t_tail(t, freedom) == pytest.approx(stats.t.sf(t, freedom), rel=1e-9, abs=1e-9)
    for share in (0.6, 0.8, 0.95, 0.975, 0.999):
        assert t_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_a_mean_of_single_values_is_students(seed: int) -> None:
    """Interval and p-value are those of scipy's one-sample t-test."""
    random = np.random.default_rng(seed)
    values = random.normal(0.3, 2, random.integers(2, 200))
    found, expected = mean_of(values.tolist(), [1.0] * len(values)), stats.ttest_1samp(values, 0)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-9, abs=1e-9)
    assert found.interval(0.9) == pytest.approx(tuple(expected.confidence_interval(0.9)), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(10))
def test_the_error_in_groups_is_the_cluster_robust_one(seed: int) -> None:
    """It is that of a regression on the constant with clustered errors, but for its correction of size."""
    random = np.random.default_rng(seed)
    groups = np.sort(random.integers(0, 12, 80))
    values = random.normal(1, 1, 80) + random.normal(0, 1, 12)[groups]
    sums, counts = grouped(
        {str(index): (value, 1.0) for index, value in enumerate(values)},
        {str(index): str(group) for index, group in enumerate(groups)},
    )
    found = mean_of(sums, counts)
    model = sm.OLS(values, np.ones(80)).fit(
        cov_type="cluster", cov_kwds={"groups": groups, "use_correction": False}
    )
    many = len(set(groups))
    assert found.error == pytest.approx(model.bse[0] * (many / (many - 1)) ** 0.5, rel=1e-9, abs=1e-9)
    assert found.value == pytest.approx(values.mean(), rel=1e-9, abs=1e-9)


def test_equal_differences_are_certain_and_none_is_none() -> None:
    """Without any spread there is no error; a mean of 0 is no difference."""
    assert mean_of([0.0] * 12, [1.0] * 12).p == 1
    assert mean_of([0.1] * 12, [1.0] * 12).p == 0
    assert mean_of([0.1] * 12, [1.0] * 12).interval() == pytest.approx((0.1, 0.1))
