"""Graders at the engine: validated and run as the API does it."""

from __future__ import annotations

from typing import Any

import openai
import pytest
from openai.types.fine_tuning.alpha import GraderRunResponse, GraderValidateResponse

from engine.test_sdk_types import strict

EQUAL = {
    "type": "string_check",
    "name": "equal",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "operation": "eq",
}
CLOSE = {
    "type": "text_similarity",
    "name": "close",
    "input": "{{sample.output_text}}",
    "reference": "{{item.answer}}",
    "evaluation_metric": "fuzzy_match",
}
FIELD = {**EQUAL, "name": "field", "input": "{{sample.output_json.city}}"}
BOTH = {
    "type": "multi",
    "name": "both",
    "graders": {"equal": EQUAL, "close": CLOSE},
    "calculate_output": "0.5 * equal + 0.5 * close",
}


def graded(client: openai.OpenAI, grader: Any, said: str, **item: Any) -> GraderRunResponse:
    """Run a grader, and hold the answer to its type."""
    raw = client.fine_tuning.alpha.graders.with_raw_response.run(
        grader=grader, model_sample=said, item={"answer": "東京", **item}
    )
    found: GraderRunResponse = strict(GraderRunResponse, raw.content)
    return found


def test_a_grader_is_run(client: openai.OpenAI) -> None:
    """The reward is the grader's number; a multi grader also tells those of its parts."""
    assert graded(client, EQUAL, "東京").reward == 1
    assert graded(client, EQUAL, "京都").reward == 0
    assert graded(client, FIELD, '{"city": "東京"}').reward == 1
    found = graded(client, BOTH, "東京都")
    assert found.sub_rewards == {"equal": 0.0, "close": 0.8}
    assert (found.reward, found.metadata.type, found.metadata.name) == (0.4, "multi", "both")


def test_why_a_reward_is_nought(client: openai.OpenAI) -> None:
    """A field that isn't there, an answer that isn't JSON and a formula without a value have their flags."""
    no_item = graded(client, {**EQUAL, "reference": "{{item.nothing}}"}, "東京").metadata.errors
    assert no_item.invalid_variable_error and not no_item.sample_parse_error
    assert graded(client, FIELD, "not JSON").metadata.errors.sample_parse_error
    broken = graded(client, {**BOTH, "calculate_output": "close / equal"}, "x")
    assert broken.reward == 0 and broken.metadata.errors.formula_parse_error


def test_a_grader_is_validated(client: openai.OpenAI) -> None:
    """A good one comes back as it was sent."""
    for grader in (EQUAL, CLOSE):
        found = client.fine_tuning.alpha.graders.validate(grader=grader)  # type: ignore[arg-type]
        assert isinstance(found, GraderValidateResponse)
        assert found.grader is not None and found.grader.to_dict() == grader


@pytest.mark.parametrize(
    ("grader", "words"),
    [
        ({**EQUAL, "operation": "is"}, "`operation` must be one of"),
        ({**EQUAL, "inptu": "x"}, "did you mean 'input'"),
        ({**EQUAL, "input": "{{sample.text}}"}, "sample.text"),
        ({**CLOSE, "evaluation_metric": "cosine"}, "cosine"),
        ({**BOTH, "calculate_output": "__import__('os')"}, "must not contain"),
        ({"type": "python", "name": "p", "source": "def grade(sample, item): return 1"}, "python"),
        ({"type": "score_model", "name": "m", "model": "rehearsal", "input": []}, "judge"),
    ],
)
def test_graders_that_cannot_be(client: openai.OpenAI, grader: Any, words: str) -> None:
    """A wrong grader, and one that this engine can't run, is refused by both calls with what is wrong."""
    for call in (
        lambda: client.fine_tuning.alpha.graders.validate(grader=grader),
        lambda: graded(client, grader, "東京"),
    ):
        with pytest.raises(openai.BadRequestError) as caught:
            call()
        assert caught.value.param == "grader" and words in caught.value.message


def test_templates_cannot_multiply_a_text_without_end(client: openai.OpenAI) -> None:
    """A small request would otherwise take all memory of the server."""
    with pytest.raises(openai.BadRequestError, match="texts of more than 1000000 characters") as caught:
        graded(client, {**EQUAL, "input": "{{sample.output_text}}" * 1000}, "x" * 10_000)
    assert caught.value.param == "grader"
