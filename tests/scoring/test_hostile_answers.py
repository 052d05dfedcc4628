"""Whatever a model says, every scorer gives a finite number in reasonable time."""

from __future__ import annotations

import json
import math
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from ftrun.scoring.scorers import METRICS, make_scorers
from ftrun.scoring.texts.degenerate import degenerate, expected_language
from ftrun.scoring.types import Answer, Sample

OPTIONS: dict[str, dict[str, Any]] = {
    "regex": {"pattern": "(a+)+$"},
    "classification": {"labels": ["yes", "no"]},
    "json_schema": {"schema": {"$ref": "#/$defs/any", "$defs": {"any": {"items": {"$ref": "#/$defs/any"}}}}},
    "grader": {
        **{"type": "text_similarity", "name": "near", "evaluation_metric": "meteor"},
        **{"input": "{{sample.output_text}}", "reference": "{{item.reference}}"},
    },
}
SCORERS = make_scorers(
    [(name, OPTIONS.get(name, {})) for name in METRICS if name not in ("embedding", "distinct_n")]
)
REFERENCES = ["yes", '{"a": [1, "x"], "b": null}', "12.5万円", "それはあなたの感想ですよね。", ""]
TEXTS = [
    "[" * 900 + "]" * 900,
    '{"a": ' * 300 + "1" + "}" * 300,
    "\ud83d",
    "\x00\x1b[31m\u202e",
    "９" * 5000,
    "1" * 400 + "億",
    "1e999 and -1e-999",
    "万億兆千" * 1000,
    "猫" * 20_000,
    "a" * 20_000 + "!",
    "{{item.reference}}",
    "```json\n" * 1000,
    "-" * 10_000,
    "1," * 5000,
    ". " * 5000,
]


def check(answer: str, reference: str) -> None:
    """Score an answer by everything."""
    sample = Sample(
        id="1",
        turns=({"role": "user", "content": answer},),
        reference=reference,
        expect={"contains": "x", "tool_call": {"name": "f", "arguments": {"x": [1]}}},
    )
    call = {"function": {"name": answer, "arguments": answer}}
    for scorer in SCORERS:
        for calls in ((), (call, {"function": None})) if scorer.name in ("expect", "tool_call") else ((),):
            score = scorer.score(sample, Answer(text=answer, tool_calls=calls, seconds=1.0, usd=0.0))
            if score is None:
                continue
            assert score.value is None or math.isfinite(score.value), (scorer.name, score)
            assert all(map(math.isfinite, score.statistics)), (scorer.name, score)
            assert len(score.explanation) < 100 + 5 * len(answer)
    degenerate(answer, expected_language(sample))


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: json.dumps(text[:12]))
def test_extreme_answers_are_scored(text: str) -> None:
    """Deep JSON, lone surrogates, endless digits and texts that patterns fear."""
    began = time.process_time()
    for reference in REFERENCES[1:3]:
        check(text, reference)
    assert time.process_time() - began < 30


@settings(max_examples=60, deadline=None)
@given(
    answer=some.one_of(
        some.text(max_size=60),
        some.text(some.sampled_from('はい猫yes1２万億,.%-+eE \n{}[]":'), max_size=40),
        some.recursive(
            some.none() | some.booleans() | some.floats() | some.text(max_size=5),
            lambda inner: (
                some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=3), inner, max_size=4)
            ),
        ).map(json.dumps),
    ),
    reference=some.sampled_from(REFERENCES),
)
def test_any_answer_is_scored(answer: str, reference: str) -> None:
    """Random texts, numbers and JSON."""
    check(answer, reference)
