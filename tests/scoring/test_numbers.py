"""Which numbers a text has, and when an answer's is right."""

from __future__ import annotations

import random
from typing import Any

import pytest

from ftrun.errors import ConfigError
from ftrun.scoring.numbers import numbers_in
from ftrun.scoring.scorers import make_scorers
from ftrun.scoring.types import Answer, Sample


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("The answer is 42.", [42]),
        ("1,234.5 and 12,345,678", [1234.5, 12345678]),
        ("１２３４．５円", [1234.5]),
        ("答えは－５です", [-5]),
        ("−3.5 °C, -.5, +7", [-3.5, -0.5, 7]),
        ("-$1,200.50", [-1200.5]),
        ("3-5 and 2026-11-29", [3, 5, 2026, 11, 29]),
        ("1.5e-3, 2E5", [0.0015, 200000]),
        ("12万3,456円", [123456]),
        ("1億2,000万", [120_000_000]),
        ("5千万円、1.5兆円、3百万、2千", [50_000_000, 1.5e12, 3_000_000, 2000]),
        ("約1400万人", [14_000_000]),
        ("$1.5 million", [1_500_000]),
        ("3 millionaires", [3]),
        ("３万五千", []),  # digits among Chinese numerals: not sure, so not read
        ("12万三", []),
        ("一番は三百", []),
        ("v2.1 and a1 and x_3", []),
        ("GPT-4", [4]),
        ("第3章", [3]),
        ("1.2.3", [1.2]),
        ("", []),
        ("①", [1]),
    ],
)
def test_numbers_are_read_as_they_are_written(text: str, numbers: list[float]) -> None:
    """Widths, groups, signs, exponents and units; what isn't certain is no number."""
    assert [one.value for one in numbers_in(text)] == pytest.approx(numbers)


def test_written_numbers_are_read_back() -> None:
    """A thousand random numbers come back in every form that Python writes them in."""
    draw = random.Random(5)
    for _ in range(1000):
        value = round(draw.uniform(-1, 1) * 10 ** draw.randrange(9), draw.randrange(5))
        for text in (f"{value}", f"x = {value:,}", f"{value:.3e}", f"答えは{value:,}です"):
            (found,) = numbers_in(text)
            assert found.value == pytest.approx(value, rel=1e-3 if "e" in text else 1e-12)


def score(reference: str | None, answer: str, **options: Any) -> tuple[float | None, str] | None:
    """Return value and explanation of an answer's score."""
    (scorer,) = make_scorers([("numeric", options)])
    found = scorer.score(Sample(id="", turns=(), reference=reference), Answer(text=answer))
    return None if found is None else (found.value, found.explanation)


@pytest.mark.parametrize(
    ("reference", "answer", "options", "right"),
    [
        ("42", "First 6, then 7, so 42", {}, 1),
        ("42", "42, as 6 times 7", {}, 0),
        ("42", "42, as 6 times 7", {"which": "first"}, 1),
        ("42", "42, as 6 times 7", {"which": "only"}, 0),
        ("1,000", "千ではなく1000です", {}, 1),
        ("3.14", "3.1416", {}, 0),
        ("3.14", "3.1416", {"absolute": 0.01}, 1),
        ("0.2", "0.3", {"absolute": 0.1}, 1),
        ("0.2", "0.3", {"absolute": 0.0999}, 0),
        ("-200", "-198", {"relative": 0.01}, 1),
        ("-200", "-197", {"relative": 0.01}, 0),
        ("0", "0.0", {"relative": 0.5}, 1),
        ("12%", "0.12", {}, 1),
        ("12", "12 %", {}, 1),
        ("12%", "１２％", {}, 1),
        ("12%", "0.13", {}, 0),
        ("5", "none", {}, 0),
    ],
)
def test_the_right_number_within_the_tolerance(
    reference: str, answer: str, options: dict[str, Any], right: int
) -> None:
    """The last number counts unless told otherwise; a tolerance includes its end."""
    found = score(reference, answer, **options)
    assert found is not None and found[0] == right and bool(found[1]) is not bool(right)


def test_without_a_number_in_the_reference_nothing_is_judged() -> None:
    """A reference in words is for other scorers."""
    assert score("forty-two", "42") is None and score(None, "42") is None
    assert score("42", "no idea") == (0, "has no number")
    assert score("42", "1 or 42", which="only") == (0, "has several numbers")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"absolute": -1}, "`absolute` of the scorer numeric must be a number from 0, not -1"),
        ({"relative": "5%"}, 'must be a number from 0, not "5%"'),
        ({"relative": True}, "must be a number from 0, not true"),
        ({"which": "best"}, 'must be one of last, first, only, not "best"'),
        ({"tolerance": 1}, "has no option `tolerance`"),
    ],
)
def test_wrong_options_are_named(options: dict[str, Any], message: str) -> None:
    """A wrong option is an error before anything is asked."""
    with pytest.raises(ConfigError, match=message):
        score("1", "1", **options)
