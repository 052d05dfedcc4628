"""Two who answered the same questions: the exact sign test."""

from __future__ import annotations

import pytest

from ftrun.evaluation.pairs import paired, sign_test


@pytest.mark.parametrize(
    ("better", "worse", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 0.0625), (0, 6, 0.03125), (9, 1, 22 / 1024), (3, 3, 1.0)],
)
def test_p_is_that_of_a_fair_coin(better: int, worse: int, p: float) -> None:
    """It is the share of all outcomes that are at least as uneven, on both sides; never above one."""
    assert sign_test(better, worse) == pytest.approx(p)


def test_thousands_of_questions_are_no_trouble() -> None:
    """Numbers too large for a float are divided exactly."""
    assert 0.8 < sign_test(5_000, 4_990) < 1
    assert sign_test(5_000, 0) == 0


def test_only_where_they_differ_counts() -> None:
    """Questions that both or neither pass are counted, and leave p alone."""
    found = paired([(True, True)] * 90 + [(False, False)] * 4 + [(True, False)] * 5 + [(False, True)])
    assert (found.both, found.neither, found.better, found.worse) == (90, 4, 5, 1)
    assert found.p == sign_test(5, 1)
