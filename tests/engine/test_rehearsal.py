"""The rehearsal: what its training takes of memory, a tuned model that is gone, answers of every form."""

from __future__ import annotations

import json
import math
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from ftrun.engine import rehearsal
from ftrun.engine.backends import NumberFormat, Rejected, TrainingJob
from ftrun.engine.questions import Constraint, Question, Sampling, TokenScore, ToolCall, Tools, Usage


class Deaf:
    """Takes what a backend reports."""

    def event(self, message: str, *, level: Any = "info") -> None:
        """Take an event."""

    def started(
        self,
        *,
        hyperparameters: Mapping[str, int | float | str],
        total_steps: int,
        dtype: NumberFormat | None = None,
    ) -> None:
        """Take the beginning."""

    def step(self, step: int, metrics: Mapping[str, float], *, seconds_left: float | None = None) -> None:
        """Take a step."""

    def checkpoint(self, step: int, folder: Path, metrics: Mapping[str, float]) -> None:
        """Take a checkpoint."""


def test_a_rehearsal_holds_one_example_at_a_time(tmp_path: Path) -> None:
    """However large the training file is, it is read line by line and not kept."""
    row = {"messages": [{"role": "user", "content": "一番は？"}, {"role": "assistant", "content": "二番"}]}
    path = tmp_path / "train.jsonl"
    path.write_text((json.dumps(row) + "\n") * 5000, encoding="utf-8")
    job = TrainingJob(
        id="ftjob-1",
        model="rehearsal",
        training_file=path,
        validation_file=None,
        hyperparameters={"n_epochs": 1},
        seed=1,
        work=tmp_path,
    )
    tracemalloc.start()
    try:
        result = rehearsal.train(job, Deaf())
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert result.trained_tokens == 5000 * 2
    assert peak < path.stat().st_size / 2


def test_a_tuned_model_that_is_gone_fails_its_question_alone(tmp_path: Path) -> None:
    """It is refused when it comes, not while all are answered."""
    model = rehearsal.open_chat("rehearsal")
    for name, adapter in (("base", None), ("gone", tmp_path)):
        question = Question(id=name, messages=[], adapter=adapter, sampling=Sampling())
        if adapter is None:
            model.submit(question)
        else:
            with pytest.raises(FileNotFoundError):
                model.submit(question)
    told = list[str]()
    while model.busy:
        told += [progress.id for progress in model.step()]
    assert set(told) == {"base"}


def answer(**asked: Any) -> tuple[str, list[TokenScore], list[ToolCall], Usage]:
    """Return what a rehearsal says to a question."""
    messages = [{"role": "user", "content": "猫は何と鳴きますか？"}]
    chat = rehearsal.open_chat("rehearsal")
    chat.submit(Question(**{"messages": messages, **asked}))
    text, scores, calls, usage = "", list[TokenScore](), list[ToolCall](), None
    while chat.busy:
        for progress in chat.step():
            text, usage = text + progress.piece, progress.usage
            scores += progress.scores
            calls += progress.calls
    assert usage is not None
    return text, scores, calls, usage


CAT = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 12},
        "kind": {"$ref": "#/$defs/kind"},
        "age": {"anyOf": [{"type": "integer", "minimum": 3}, {"type": "null"}]},
        "words": {"type": "array", "items": {"type": "string"}, "minItems": 2},
        "spare": {"type": "number"},
    },
    "required": ["name", "kind", "age", "words"],
    "$defs": {"kind": {"enum": ["三毛", "黒"]}},
}
FUNCTION = {"name": "find_cat", "parameters": CAT}


def test_a_rehearsal_answers_in_the_form_that_is_wanted() -> None:
    """JSON of the schema, a raw prompt's continuation, log probabilities whose bytes are the text's."""
    text, *_ = answer(constraint=Constraint(schema=CAT))
    jsonschema.validate(json.loads(text), CAT)
    assert json.loads(answer(constraint=Constraint())[0]) == {"rehearsal": True}
    text, scores, _, usage = answer(prompt="昔々", sampling=Sampling(top_logprobs=3))
    assert text == "[rehearsal] The base model was asked: 昔々" and usage.prompt_tokens == 1
    assert b"".join(bytes(score.bytes) for score in scores).decode() == text
    assert all(len(score.top) == 3 and score.logprob <= 0 for score in scores)


def test_a_rehearsal_calls_a_function_that_must_be_called() -> None:
    """With the arguments that it requires; one that may be called is not."""
    other = {"name": "wait"}
    for tools in (
        Tools(functions=[FUNCTION], mode="required"),
        Tools(functions=[other, FUNCTION], only="find_cat"),
    ):
        text, _, (call,), usage = answer(tools=tools)
        assert (text, call.name, usage.finish_reason) == ("", "find_cat", "tool_calls")
        jsonschema.validate(json.loads(call.arguments), CAT)
    assert answer(tools=Tools(functions=[FUNCTION]))[2] == []


EIGHT = {"type": "object", "required": [*"abcdefgh"]}
MILLIONS: dict[str, Any] = {"type": "string"}
for _ in range(8):
    MILLIONS = {**EIGHT, "properties": dict.fromkeys("abcdefgh", MILLIONS)}


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^[0-9]{3}$"},
        {"type": "strin"},
        False,
        {"type": "array", "minItems": 10**9},
        {"type": "string", "minLength": 10**12},
        MILLIONS,
    ],
)
def test_a_rehearsal_refuses_what_it_cannot_make_up(schema: Any) -> None:
    """It says how to help it."""
    with pytest.raises(Rejected, match="`examples` or a `default`") as caught:
        answer(
            constraint=Constraint(schema={"type": "object", "properties": {"a": schema}, "required": ["a"]})
        )
    assert caught.value.param == "response_format"


def test_embeddings_of_a_rehearsal_are_the_same_again() -> None:
    """They have length 1, and are others for other texts."""
    found = [next(rehearsal.open_chat("rehearsal").embed([text], None)) for text in ("猫", "猫", "犬")]
    assert found[0] == found[1] != found[2]
    assert math.hypot(*found[0][0]) == pytest.approx(1)
