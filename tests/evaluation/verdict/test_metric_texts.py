"""Values of metrics and differences of them, in sentences."""

from __future__ import annotations

import pytest

from ftrun.evaluation.results import Scores
from ftrun.evaluation.verdict.metric_texts import size_text, value_text

SCORES = Scores(scales={"rate": "share", "chrf": "points", "seconds": "seconds", "cost_usd": "usd"})


@pytest.mark.parametrize(
    ("metric", "value", "text", "size"),
    [
        ("rate", 0.825, "82%", "82 points"),
        ("rate", 0.01, "1%", "1 point"),
        ("chrf", 42.31, "42.3", "42 points"),
        ("chrf", 100.0, "100", "100 points"),
        ("seconds", 0.123, "0.12 s", "0.12 s"),
        ("seconds", 99.7, "100 s", "100 s"),
        ("cost_usd", 0.00123, "US$0.0012", "US$0.0012"),
        ("cost_usd", 1234.5, "US$1,234", "US$1,234"),
        ("own", 0.12345, "0.123", "0.123"),
        ("own", 999.7, "1,000", "1,000"),
        ("own", -12345.0, "-12,345", "-12,345"),
    ],
)
def test_numbers_are_written_for_people(metric: str, value: float, text: str, size: str) -> None:
    """A few digits, a unit, and never an exponent."""
    assert value_text(SCORES, metric, value) == text
    assert size_text(SCORES, metric, value) == size
