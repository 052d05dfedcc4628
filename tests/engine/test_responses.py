"""/v1/responses: items in and out, whole and as the events that the SDK's types have."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import httpx2
import openai
import pydantic
import pytest
from openai.types.responses import Response, ResponseStreamEvent

from engine.test_chat_queue import LONG, info, post
from engine.test_sdk_types import strict
from support.engine_process import Engine, chat_worker, wait_until


class Answer(pydantic.BaseModel):
    """答え"""

    text: str
    sure: bool


TOOL: dict[str, Any] = {"type": "function", "name": "answer", "parameters": Answer.model_json_schema()}
CALL = {"type": "function_call", "call_id": "call_1", "name": "answer", "arguments": "{}"}
RESULT = {"type": "function_call_output", "call_id": "call_1", "output": "はい"}
ASKED = {"role": "user", "content": "東京は？"}
WAYS: list[dict[str, Any]] = [
    {},
    {"input": [ASKED], "instructions": "短く", "temperature": 0, "top_p": 0.5, "user": "u"},
    {"max_output_tokens": 2},
    {"top_logprobs": 2},
    {"include": ["message.output_text.logprobs"]},
    {"text": {"format": {"type": "json_object"}}, "metadata": {"a": "b"}},
    {"text": {"format": {"type": "json_schema", "name": "a", "schema": Answer.model_json_schema()}}},
    {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
    {"tools": [TOOL], "tool_choice": {"type": "function", "name": "answer"}},
    {
        "tools": [{**TOOL, "strict": True, "description": "答える"}],
        "tool_choice": {
            "type": "allowed_tools",
            "mode": "auto",
            "tools": [{"type": "function", "name": "answer"}],
        },
    },
]


def send(engine: Engine, **more: Any) -> httpx2.Response:
    """Send a request and return the answer, a 200."""
    headers = {"Authorization": f"Bearer {engine.token}"}
    body = {"model": "rehearsal", "input": "東京は？", **more}
    answer = httpx2.post(f"{engine.base_url}/responses", headers=headers, json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    return answer


def same(value: Any) -> Any:
    """Return a response without what differs each time: ids and times."""
    if isinstance(value, dict):
        left = {name: one for name, one in value.items() if not name.endswith(("id", "_at"))}
        return {name: same(one) for name, one in left.items()}
    return [same(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("how", WAYS)
def test_whole_and_as_events(engine: Engine, how: dict[str, Any]) -> None:
    """The whole answer and each event are the SDK's types, and the last event has the same response."""
    whole = send(engine, **how)
    found = strict(Response, whole.content)
    assert found.status == ("incomplete" if "max_output_tokens" in how else "completed")
    blocks = send(engine, stream=True, **how).text.strip().split("\n\n")
    events = []
    for block in blocks:
        name, data = block.split("\n")
        event = strict(ResponseStreamEvent, data.removeprefix("data: "))
        assert name == f"event: {event.type}"
        events.append(event)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = json.loads(blocks[-1].partition("data: ")[2])
    assert last["type"] == f"response.{found.status}"
    assert same(last["response"]) == same(whole.json())
    done = [event.item for event in events if event.type == "response.output_item.done"]
    assert done == events[-1].response.output
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert text == found.output_text


def test_scores_and_usage(engine: Engine) -> None:
    """A text has the log probabilities of its tokens if they were asked for; tokens are counted."""
    found = strict(Response, send(engine, top_logprobs=2).content)
    (text,) = found.output[0].content
    assert "".join(one.token for one in text.logprobs) == text.text
    assert {len(one.top_logprobs) for one in text.logprobs} == {2}
    assert found.usage.total_tokens == found.usage.input_tokens + found.usage.output_tokens
    assert strict(Response, send(engine).content).output[0].content[0].logprobs == []


def test_the_sdk_parses_and_streams(client: openai.OpenAI) -> None:
    """`parse`, `stream` and a loop of calls work with the SDK's helpers; what they return is sent back."""
    parsed = client.responses.parse(model="rehearsal", input="東京は？", text_format=Answer)
    assert isinstance(parsed.output_parsed, Answer)
    with client.responses.stream(model="rehearsal", input="東京は？", text_format=Answer) as stream:
        assert "response.output_text.delta" in [event.type for event in stream]
        assert stream.get_final_response().output_parsed == parsed.output_parsed
    tools: Any = [TOOL]
    with client.responses.stream(
        model="rehearsal", input="東京は？", tools=tools, tool_choice="required"
    ) as stream:
        (call,) = stream.get_final_response().output
    assert call.type == "function_call" and Answer.model_validate_json(call.arguments)
    result = {"type": "function_call_output", "call_id": call.call_id, "output": "はい"}
    history: Any = [ASKED, *parsed.output, ASKED, call, result]
    answer = client.responses.create(model="rehearsal", input=history, tools=tools)
    assert answer.output_text
    parts: Any = [{"type": "input_text", "text": "東"}, {"type": "input_text", "text": "京"}]
    asked: Any = [{"type": "message", "role": "user", "content": parts}]
    assert client.responses.create(model="rehearsal", input=asked).output_text.endswith("東京")


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a"]}, "input[0]"),
        ({"input": [{"role": "tool", "content": "a"}]}, "input[0].role"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{**ASKED, "phase": "commentary"}]}, "input[0].phase"),
        (
            {"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "a"}]}]},
            "input[0].content[0].type",
        ),
        ({"input": [{"type": "reasoning", "summary": []}]}, "input[0].type"),
        ({"input": [{"type": "item_reference", "id": "a"}]}, "input[0].type"),
        ({"input": [ASKED, RESULT]}, "input"),
        ({"input": [ASKED, CALL]}, "input"),
        ({"input": [ASKED, CALL, {**RESULT, "output": None}]}, "input[2].output"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"store": True}, "store"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"reasoning": {"effort": "high"}}, "reasoning"),
        ({"include": ["file_search_call.results"]}, "include"),
        ({"tools": [{"type": "web_search"}]}, "tools[0].type"),
        ({"tools": [{**TOOL, "async": True}]}, "tools[0].async"),
        ({"tools": [TOOL], "tool_choice": {"type": "mcp", "server_label": "a"}}, "tool_choice.type"),
        ({"text": {"verbosity": "low"}}, "text.verbosity"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format.schema"),
        ({"max_output_tokens": 0}, "max_output_tokens"),
        ({"stop": "a"}, "stop"),
        ({"stream_options": {"include_obfuscation": False}}, "stream_options"),
        ({"prompt": {"id": "a"}}, "prompt"),
    ],
)
def test_what_cant_be_done_is_refused_by_name(
    client: openai.OpenAI, change: dict[str, Any], param: str
) -> None:
    """A value out of bounds, and whatever would be ignored, is a 400 with its parameter."""
    body = {"model": "rehearsal", "input": "a", **change}
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/responses", cast_to=object, body=body)
    assert caught.value.param == param


def test_no_response_is_kept(client: openai.OpenAI) -> None:
    """Showing and deleting one is a 404 that says so."""
    found = client.responses.create(model="rehearsal", input="a", store=False)
    for act in (client.responses.retrieve, client.responses.delete):
        with pytest.raises(openai.NotFoundError, match="keeps no responses"):
            act(found.id)


def test_a_stream_that_breaks_ends_with_a_failed_response(own_engine: Callable[..., Engine]) -> None:
    """When the process dies that answers, the last event says so, and the response has the error."""
    engine = own_engine()
    body = {"model": "rehearsal", "input": LONG, "max_output_tokens": 32768, "stream": True}
    connection = post(engine, body, "/v1/responses")
    reply = connection.getresponse()
    reply.read(20_000)
    os.kill(chat_worker(engine), signal.SIGKILL)
    last = reply.read().decode().strip().split("\n\n")[-1]
    event = strict(ResponseStreamEvent, last.partition("data: ")[2])
    assert event.type == "response.failed" and event.response.error.code == "server_error"
    connection.close()
    wait_until(lambda: all(not chat["answering"] for chat in info(engine)["chats"]))
