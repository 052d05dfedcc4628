"""Which tool calls an answer makes, beside those that were expected."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ftrun.scoring.expect import judge
from ftrun.scoring.scorers import make_scorers
from ftrun.scoring.tool_calls import call_failures
from ftrun.scoring.types import Answer, Sample

TOKYO = {"name": "weather", "arguments": {"city": "Tokyo", "days": 2}}


def call(name: str, arguments: Any = None) -> dict[str, Any]:
    """Return a tool call as the API has it."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {})
    return {"id": "1", "type": "function", "function": {"name": name, "arguments": text}}


@pytest.mark.parametrize(
    ("expected", "calls", "failures"),
    [
        ("weather", [call("weather", {"city": "Kobe"})], []),
        ("weather", [], ["does not call weather"]),
        ("weather", [call("search")], ["does not call weather", "calls search, which is not expected"]),
        (TOKYO, [call("weather", {"days": 2.0, "city": "Tokyo", "unit": "C"})], []),
        (TOKYO, [call("weather", {"city": "Tokyo"})], ["calls weather without days"]),
        (
            TOKYO,
            [call("weather", {"city": "Osaka", "days": "2"})],
            [
                'calls weather with city "Osaka" instead of "Tokyo"',
                'calls weather with days "2" instead of 2',
            ],
        ),
        (TOKYO, [call("weather", "{city")], ["calls weather with arguments that are not a JSON object"]),
        ({"name": "f", "arguments": {"x": {"a": [1, True]}}}, [call("f", {"x": {"a": [1, True]}})], []),
        (
            {"name": "f", "arguments": {"x": 1}},
            [call("f", {"x": True})],
            ["calls f with x true instead of 1"],
        ),
        (["a", "b"], [call("b"), call("a")], []),
        (["a", "a"], [call("a")], ["does not call a"]),
        ("a", [call("a"), call("a")], ["calls a, which is not expected"]),
        ([], [], []),
        ([], [call("a")], ["calls a, which is not expected"]),
        # each expected call takes the one that fits it, not the first of its name
        (
            [{"name": "f"}, {"name": "f", "arguments": {"x": 1}}],
            [call("f", {"x": 1}), call("f", {"x": 2})],
            [],
        ),
    ],
)
def test_calls_are_compared_one_by_one(
    expected: Any, calls: list[dict[str, Any]], failures: list[str]
) -> None:
    """Names and listed arguments must be equal, each call is used once, and others are failures."""
    assert list(call_failures(expected, calls)) == failures


def test_calls_are_a_condition_of_expect() -> None:
    """They combine with conditions on the text and with `any`."""
    expect = {"tool_call": "weather", "not_contains": "sorry"}
    assert judge(expect, "", [call("weather")]).passed is True
    assert judge(expect, "sorry", [call("weather")]).failures == ("contains “sorry”",)
    either = {"any": [{"tool_call": "weather"}, {"contains": "sunny"}]}
    assert judge(either, "It is sunny.").passed is True
    assert judge(either, "").failures == (
        "none of these holds: does not call weather; does not contain “sunny”",
    )


def test_the_scorer_judges_calls_alone() -> None:
    """Other conditions of `expect` are for pass_rate."""
    (scorer,) = make_scorers([("tool_call", {})])
    sample = Sample(id="", turns=(), expect={"tool_call": "a", "contains": "x"})
    good, bad = (scorer.score(sample, Answer(text="", tool_calls=calls)) for calls in ((call("a"),), ()))
    assert good is not None and good.value == 1
    assert bad is not None and (bad.value, bad.explanation) == (0, "does not call a")
    assert scorer.score(Sample(id="", turns=(), expect={"contains": "x"}), Answer(text="")) is None
