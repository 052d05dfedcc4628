"""Requests to the endpoints that generate text, changed at random: an answer of the SDK's type, or a 400."""

from __future__ import annotations

import copy
import json
import os
import random
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from openai.types import Completion
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent

from engine.test_sdk_types import strict
from support.engine_process import PATIENCE, Engine

FUNCTION = {
    "name": "a",
    "parameters": {"type": "object", "properties": {"x": {"type": "integer"}}, "required": ["x"]},
    "strict": True,
}
CALL = {"id": "c", "type": "function", "function": {"name": "a", "arguments": "{}"}}
CHAT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "短く"},
        {"role": "user", "content": [{"type": "text", "text": "東京は？"}], "name": "太郎"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c", "content": "晴れ"},
    ],
    "n": 2,
    "logprobs": True,
    "top_logprobs": 2,
    "stop": ["x"],
    "tools": [{"type": "function", "function": FUNCTION}],
    "tool_choice": {"type": "function", "function": {"name": "a"}},
    "response_format": {"type": "json_schema", "json_schema": {"name": "z", "schema": {"type": "object"}}},
    "stream": False,
    "logit_bias": {"5": 1},
    "max_tokens": 5,
    "seed": 4,
    "metadata": {"a": "b"},
    "frequency_penalty": 1,
    "parallel_tool_calls": True,
    "user": "u",
}
COMPLETION: dict[str, Any] = {
    "prompt": ["昔々", [1, 2]],
    "n": 2,
    "logprobs": 2,
    "echo": False,
    "stop": "a",
    "stream": False,
    "best_of": 2,
    "max_tokens": 4,
    "logit_bias": {"1": 2},
}
RESPONSE: dict[str, Any] = {
    "input": [
        {"role": "user", "content": [{"type": "input_text", "text": "東京は？"}]},
        {
            "type": "message",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "b"}],
            "id": "m",
        },
        {"type": "function_call", "call_id": "c", "name": "a", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "x"},
    ],
    "instructions": "短く",
    "tools": [{"type": "function", **FUNCTION}],
    "tool_choice": "auto",
    "text": {"format": {"type": "json_object"}, "verbosity": "medium"},
    "reasoning": {},
    "include": [],
    "top_logprobs": 1,
    "stream": False,
    "store": True,
    "previous_response_id": None,
}
KINDS: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "chat/completions": (CHAT, ChatCompletion, ChatCompletionChunk),
    "completions": (COMPLETION, Completion, None),  # its chunks have null until the end, unlike their type
    "responses": (RESPONSE, Response, ResponseStreamEvent),
}
ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.5, 10**30, 2**63, 1e308),
    *("", "a", "x" * 300, "\0", "required", "none", "resp_1", "日本"),
    *([], {}, [None], ["a"], [[]], [{}], [1, "a"], {"a": 1}, {"": ""}),
    *({"type": "text"}, {"type": []}, {"type": {}}, {"type": "function"}, [{"type": "function"}]),
]
KEYS = ("more", "type", "role", "content", "id", "name", "status")
REQUESTS = 3000 if os.environ.get("FTRUN_TEST_ALL") else 150


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of each value within `value`."""
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        if isinstance(inner, (dict, list)):
            yield from paths(inner, (*path, key))


def mutated(body: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Return a request with one to three values replaced, left out or added."""
    body = copy.deepcopy(body)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        *path, last = chance.choice(list(paths(body)))
        place: Any = body
        for key in path:
            place = place[key]
        odd, way = copy.deepcopy(chance.choice(ODD)), chance.random()
        if way < 0.6:
            place[last] = odd
        elif way < 0.8:
            del place[last]
        elif isinstance(place, dict):
            place[chance.choice(KEYS)] = odd
        else:
            place.append(odd)
    return {"stream": True, **body} if chance.random() < 0.3 else body


@pytest.mark.parametrize("path", KINDS)
def test_mutated_requests(engine: Engine, path: str) -> None:
    """Whatever is wrong with a request, the answer is right, or a refusal that names a parameter."""
    body, whole, piece = KINDS[path]
    chance = random.Random(path)  # the same requests each time
    headers = {"Authorization": f"Bearer {engine.token}"}
    seen = set[int]()
    with httpx2.Client(headers=headers, timeout=PATIENCE) as client:
        for _ in range(REQUESTS):
            request = {"model": "rehearsal", **mutated(body, chance)}
            answer = client.post(f"{engine.base_url}/{path}", json=request)
            seen.add(answer.status_code)
            shown = (json.dumps(request, ensure_ascii=False), answer.text[:500])
            assert answer.status_code in (200, 400), shown
            if answer.status_code == 400:
                assert answer.json()["error"]["param"], shown
            elif answer.headers["content-type"] == "application/json":
                strict(whole, answer.content)
            elif piece is not None:
                for line in answer.text.splitlines():
                    if line.startswith("data: {"):
                        strict(piece, line.removeprefix("data: "))
    assert seen == {200, 400}
