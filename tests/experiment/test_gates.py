"""The language of gates."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftrun.experiment.gates import Gate, Side, parse_gate


def _named(candidate: str, metric: str, number: float = 0.0) -> Side:
    return Side(candidate=candidate, metric=metric, number=number)


def _value(number: float) -> Side:
    return Side(candidate=None, metric=None, number=number)


@pytest.mark.parametrize(
    ("text", "left", "op", "right", "level"),
    [
        ("tuned.chrf > base.chrf @95%", _named("tuned", "chrf"), ">", _named("base", "chrf"), 95.0),
        ("tuned.pass_rate >= 0.8", _named("tuned", "pass_rate"), ">=", _value(0.8), None),
        (
            "tuned.general >= base.general - 0.02",
            _named("tuned", "general"),
            ">=",
            _named("base", "general", -0.02),
            None,
        ),
        (
            "tuned.chrf + 1.5 < gpt-4.1-mini.chrf @ 97.5 %",
            _named("tuned", "chrf", 1.5),
            "<",
            _named("gpt-4.1-mini", "chrf"),
            97.5,
        ),
        ("0.1>=tuned.refusals", _value(0.1), ">=", _named("tuned", "refusals"), None),
        ("tuned+docs.f1_macro <= .5", _named("tuned+docs", "f1_macro"), "<=", _value(0.5), None),
        ("org/model@v1.chrf > -1e-2", _named("org/model@v1", "chrf"), ">", _value(-0.01), None),
        (
            "ft:gpt-4.1:o::a1.chrf > 旧モデル.chrf",
            _named("ft:gpt-4.1:o::a1", "chrf"),
            ">",
            _named("旧モデル", "chrf"),
            None,
        ),
    ],
)
def test_gate_is_read(text: str, left: Side, op: str, right: Side, level: float | None) -> None:
    """Candidates keep dots and signs of their names; offsets and levels are numbers."""
    assert parse_gate(text) == Gate(text=text, left=left, op=op, right=right, level=level)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no comparison"),
        ("tuned.chrf", "no comparison"),
        ("tuned.chrf > base.chrf > old.chrf", "more than one"),
        ("tuned.chrf == 1", "== is not a comparison"),
        ("tuned.chrf => 1", "=> is not a comparison"),
        ("tuned.chrf ≥ 1", "≥ is not a comparison"),
        ("0.8 > 0.7", "two numbers"),
        ("> 0.7", "empty"),
        ("tuned.pass_rate >= 80%", "between 0 and 1"),
        ("tuned.pass_rate >= base.pass_rate - 5%", "between 0 and 1"),
        ("tuned.chrf >= base.chrf-0.05", "spaces around its sign"),
        ("tuned.chrf >= base.chrf - 0.05 @95", "@95%"),
        ("tuned.chrf > base.chrf @five%", "@95%"),
        ("tuned.chrf > base.chrf @100%", "below 100%"),
        ("tuned.chrf > base.chrf @5%", "at least 50%"),
        ("tuned > base", "neither a number nor CANDIDATE.METRIC"),
        ("gpt-4.1 > 0.5", "neither a number nor CANDIDATE.METRIC"),
        ("tuned.chrf > 1e999", "too large"),
    ],
)
def test_fault_is_named(text: str, fault: str) -> None:
    """What is wrong with a gate is said in words."""
    with pytest.raises(ValueError, match=fault):
        parse_gate(text)


PARTS = st.sampled_from(
    ["tuned", ".", "chrf", " ", "-", "0.05", ">", "=", "@", "95", "%", "<", "é", "\n", "1e9"]
)


@given(st.one_of(st.text(), st.lists(PARTS, max_size=14).map("".join)))
def test_any_text_is_a_gate_or_a_value_error(text: str) -> None:
    """No text breaks the parser, and a gate that was read names a metric."""
    try:
        gate = parse_gate(text)
    except ValueError as error:
        assert str(error)
    else:
        assert gate.left.metric or gate.right.metric
