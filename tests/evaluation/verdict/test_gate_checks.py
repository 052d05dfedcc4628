"""Gates: values alone, or the whole interval of left minus right."""

from __future__ import annotations

import pytest

from ftrun.evaluation.results import GateResult, Scores
from support.evaluations import evaluated, passing, scores_of, some

ANSWERS = {"tuned": some(32, 40), "base": some(12, 40), "old": some(32, 40, offset=4)}


def gate(text: str, scores: Scores | None = None) -> GateResult:
    """Return the result of one gate."""
    (found,) = (scores or scores_of(ANSWERS, gates=[text])).gates
    return found


@pytest.mark.parametrize(
    ("text", "passed", "value"),
    [
        ("tuned.pass_rate >= 0.8", True, 0),
        ("tuned.pass_rate > 0.8", False, 0),
        ("tuned.pass_rate > base.pass_rate", True, 0.5),
        ("base.pass_rate <= tuned.pass_rate - 0.5", True, 0),
        ("0.9 < tuned.pass_rate + 0.1", False, 0),
        ("tuned.seconds < 2", True, -1),
    ],
)
def test_values_alone_are_compared_without_a_level(text: str, passed: bool, value: float) -> None:
    """What is equal but for the last digit of a float is equal."""
    found = gate(text)
    assert (found.gate, found.passed) == (text, passed)
    assert found.value == pytest.approx(value, abs=1e-9)
    assert bool(found.reason) == (not passed)


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("tuned.pass_rate > base.pass_rate @95%", True),
        ("tuned.pass_rate > base.pass_rate + 0.45 @95%", False),
        ("tuned.pass_rate >= old.pass_rate @95%", False),
        ("tuned.pass_rate >= old.pass_rate - 0.2 @95%", True),
        ("tuned.pass_rate >= 0.6 @95%", True),
        ("tuned.pass_rate >= 0.7 @95%", False),
        ("0.95 > tuned.pass_rate @95%", True),
        ("tuned.pass_rate >= 0.7 @60%", True),
    ],
)
def test_with_a_level_the_whole_interval_must_satisfy_it(text: str, passed: bool) -> None:
    """The interval is that of left minus right, on the same questions."""
    found = gate(text)
    assert found.passed == passed
    assert found.low is not None
    assert found.high is not None
    assert found.value is not None
    assert found.low <= found.value <= found.high


def test_the_interval_of_a_gate_is_that_of_the_comparison() -> None:
    """Both pair the questions."""
    scores = scores_of(ANSWERS, gates=["tuned.pass_rate > base.pass_rate @95%"])
    found, comparison = gate("", scores), scores.comparison("base")
    assert comparison is not None
    assert (found.low, found.high) == pytest.approx((comparison.low, comparison.high), abs=1e-9)


def test_a_gate_that_the_value_alone_would_pass_says_what_is_missing() -> None:
    """The reason has the interval, and about how many more questions may settle it."""
    found = gate("tuned.pass_rate > 0.7 @95%")
    assert "left minus right is -0.0" in found.reason
    assert "about 50 more questions may settle it" in found.reason


def test_a_metric_without_a_value_fails_the_gate_with_the_reason() -> None:
    """It is neither an error nor passed."""
    found = gate("tuned.cost_usd < 1")
    assert (found.passed, found.value) == (False, None)
    assert found.reason == "Gate missed: tuned.cost_usd < 1 (tuned.cost_usd has no value)."


def test_too_few_questions_fail_a_gate_with_a_level() -> None:
    """There is no interval that could satisfy it."""
    found = gate(
        "",
        scores_of(
            {"tuned": [True] * 3, "base": [False] * 3}, gates=["tuned.pass_rate > base.pass_rate @95%"]
        ),
    )
    assert not found.passed
    assert found.value == 1
    assert "too few questions: 3" in found.reason


def test_candidates_without_a_common_question_fail_the_gate() -> None:
    """Recorded answers may be to other questions."""
    records = [*passing({"tuned": some(5, 10)}), *passing({"old": some(5, 10)}, start=10)]
    scores, _ = evaluated(records, gates=["tuned.pass_rate >= old.pass_rate @90%"])
    assert scores.comparison("old") is None
    assert "no question was answered by both" in gate("", scores).reason
