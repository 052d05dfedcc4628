"""Ready rows in other shapes than today's chats: refused with the way out, or made into chats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from openai.types.chat import ChatCompletionMessage

from ftrun import data

from .test_shapes import ANSWER, OPENAI, USER, lines
from .test_tools import call


def test_older_functions_are_refused_or_upgraded(make: Any, tmp_path: Path) -> None:
    """`functions` and `function_call` are an error with the way out, which turns them into tools."""
    called = {
        "role": "assistant",
        "content": None,
        "function_call": {"name": "get_weather", "arguments": "{}"},
    }
    schema = {"name": "get_weather", "parameters": {"type": "object", "properties": {}}}
    answer = {"role": "function", "name": "get_weather", "content": "20"}
    row = {"messages": [USER, called, answer, ANSWER], "functions": [schema]}
    made = make({"a.jsonl": lines([row])}, target=OPENAI)
    assert {one.code for one in data.examine(made).errors} >= {"legacy_functions"}
    object.__setattr__(made.data, "legacy_functions", "upgrade")
    data.prepare(made, tmp_path / "out")
    upgraded = json.loads((tmp_path / "out/train.jsonl").read_text())
    assert upgraded["tools"] == [{"type": "function", "function": schema}]
    assert upgraded["messages"][1:3] == [
        {**call("{}", id="call_1"), "content": None},
        {"role": "tool", "tool_call_id": "call_1", "content": "20"},
    ]


def test_answers_may_be_kept_as_the_api_gave_them(make: Any, tmp_path: Path) -> None:
    """What the SDK dumps of an answer has empty keys that a training row has not: they are left out."""
    kept = ChatCompletionMessage(role="assistant", content="good", annotations=[]).model_dump()
    assert {"refusal", "annotations", "audio", "function_call", "tool_calls"} <= kept.keys()
    made = make({"a.jsonl": lines([{"messages": [USER, kept]}])}, target=OPENAI)
    data.prepare(made, tmp_path / "out")
    assert json.loads((tmp_path / "out/train.jsonl").read_text())["messages"] == [USER, ANSWER]
    refused = make({"a.jsonl": lines([{"messages": [USER, {**kept, "refusal": "I can't."}]}])}, target=OPENAI)
    assert [one.code for one in data.examine(refused).errors] == ["unknown_key"]


def test_sharegpt_is_refused_or_converted(make: Any, tmp_path: Path) -> None:
    """`conversations` are an error with the way out, which makes chats of them; odd speakers stay errors."""
    turns = [
        {"from": "human", "value": "Hi", "markdown": None},
        {"from": "gpt", "value": "Hello!", "weight": 1},
    ]
    made = make({"a.jsonl": lines([{"system": "Be kind.", "conversations": turns}])}, target=OPENAI)
    (error,) = (one for one in data.examine(made).errors if one.code == "sharegpt")
    assert (error.line, "sharegpt: convert" in str(error.hint)) == (1, True)
    before = data.prepare_inputs(made)
    object.__setattr__(made.data, "sharegpt", "convert")
    assert data.prepare_inputs(made) != before
    data.prepare(made, tmp_path / "out")
    assert json.loads((tmp_path / "out/train.jsonl").read_text())["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!", "weight": 1},
    ]
    odd = {"conversations": [{"from": "observation", "value": "x"}, *turns, 7]}
    odd_ones = make({"b.jsonl": lines([odd])}, target=OPENAI)
    object.__setattr__(odd_ones.data, "sharegpt", "convert")
    assert {one.code for one in data.examine(odd_ones).errors} >= {"role", "message_shape"}
