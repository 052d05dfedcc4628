"""/v1/responses: items in and out, whole and as the events that the SDK's types have."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import openai
import pydantic
import pytest
from openai.pagination import SyncCursorPage
from openai.types.responses import Response, ResponseItem, ResponseStreamEvent

from engine.test_chat_queue import LONG, info, post
from engine.test_sdk_types import Ask, strict
from engine.test_sdk_types import ask as ask
from ftrun.engine.store import Store
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
    dumped: Any = [ASKED, *(one.model_dump(warnings=False) for one in (*parsed.output, call)), result]
    history: Any = [ASKED, *parsed.output, ASKED, call, result]
    assert client.responses.create(model="rehearsal", input=dumped).output_text
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
        ({"input": [{"type": "item_reference", "id": "a"}]}, "input[0].id"),
        ({"input": [ASKED, RESULT]}, "input"),
        ({"input": [ASKED, CALL]}, "input"),
        ({"input": [ASKED, CALL, {**RESULT, "output": None}]}, "input[2].output"),
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"conversation": "conv_1"}, "conversation"),
        ({"store": "yes"}, "store"),
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


def test_responses_are_kept(ask: Ask, client: openai.OpenAI) -> None:
    """A response, whole or streamed, is shown as it was, with its items; once deleted it is a 404."""
    body = {
        "model": "rehearsal",
        "input": [ASKED, CALL, RESULT, {"role": "assistant", "content": "a"}, ASKED],
    }
    made = ask(Response, "POST", "/responses", json=body)
    path = f"/responses/{made.id}"
    assert ask(Response, "GET", path) == made
    listed = ask(SyncCursorPage[ResponseItem], "GET", f"{path}/input_items?order=asc").data
    assert [item.type for item in listed] == [
        *("message", "function_call", "function_call_output", "message", "message")
    ]
    pages = list(client.responses.input_items.list(made.id, limit=2, order="desc"))
    assert [item.id for item in pages] == [item.id for item in reversed(listed)]
    ask(SyncCursorPage[ResponseItem], "GET", f"{path}/input_items?after=msg_none", status=400)
    ask(Response, "GET", f"{path}?stream=true", status=400)
    client.responses.delete(made.id)
    for method, where in (("GET", path), ("DELETE", path), ("GET", f"{path}/input_items")):
        ask(Response, method, where, status=404)
    *_, last = client.responses.create(model="rehearsal", input="a", stream=True)
    assert last.type == "response.completed"
    assert client.responses.retrieve(last.response.id) == last.response


def test_a_conversation_continues(client: openai.OpenAI) -> None:
    """`previous_response_id` and references to items stand for what was said, but not for instructions."""
    tools: Any = [TOOL]
    first = client.responses.create(
        model="rehearsal", input="東京は？", instructions="x" * 400, tools=tools, tool_choice="required"
    )
    (call,) = first.output
    assert call.type == "function_call" and call.id
    output: Any = [{**RESULT, "call_id": call.call_id}]
    second = client.responses.create(model="rehearsal", input=output, previous_response_id=first.id)
    assert second.previous_response_id == first.id and second.output_text.endswith("東京は？")
    third = client.responses.create(model="rehearsal", input="大阪は？", previous_response_id=second.id)
    assert first.usage and second.usage and third.usage
    assert second.usage.input_tokens < first.usage.input_tokens and third.output_text.endswith("大阪は？")
    assert third.usage.input_tokens > second.usage.input_tokens
    reference: Any = [ASKED, {"type": "item_reference", "id": call.id}, *output, {"id": second.output[0].id}]
    reference.append(ASKED)
    again = client.responses.create(model="rehearsal", input=reference)
    assert again.usage and again.usage.input_tokens > second.usage.input_tokens
    client.responses.delete(first.id)
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(model="rehearsal", input="大阪は？", previous_response_id=third.id)
    assert caught.value.code == "previous_response_not_found" and first.id in str(caught.value)


def test_a_response_is_not_kept_on_request(client: openai.OpenAI) -> None:
    """With `store: false` nothing can refer to it."""
    found = client.responses.create(model="rehearsal", input="a", store=False)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(found.id)
    kept = client.responses.create(model="rehearsal", input="a", store=True)
    assert client.responses.retrieve(kept.id) == kept


def test_responses_are_kept_for_thirty_days(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Older ones are swept, with their items."""
    store = Store(tmp_path / "home")
    item = {"id": "msg_1", "type": "message"}
    store.responses.add({"id": "resp_1", "previous_response_id": None, "output": [item]}, [])
    store.sweep()
    assert store.responses.get("resp_1") and store.responses.item("msg_1") == item
    monkeypatch.setattr("ftrun.engine.store.responses.now", lambda: int(time.time()) + 31 * 24 * 3600)
    store.sweep()
    assert store.responses.get("resp_1") is None and store.responses.item("msg_1") is None
    store.close()


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
