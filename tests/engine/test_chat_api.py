"""/v1/chat/completions as the SDK uses it: choices, scores, formats, tools, and what is refused."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import httpx2
import openai
import pydantic
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from engine.test_chat_queue import LONG, info, post, question
from engine.test_sdk_types import strict
from ftrun.engine.backends import AT_ONCE
from ftrun.engine.inference.chat_pool import MOST_WAITING
from support.engine_process import Engine, wait_until

PLACES = AT_ONCE + MOST_WAITING


class Weather(pydantic.BaseModel):
    """天気"""

    city: str
    celsius: float
    days: list[int]


FUNCTION = {"name": "weather", "description": "天気を調べる", "parameters": Weather.model_json_schema()}
TOOL: dict[str, Any] = {"type": "function", "function": FUNCTION}
OTHER: dict[str, Any] = {"type": "function", "function": {"name": "other"}}
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
ASKED = {"role": "user", "content": "東京は？"}
CALLED = {"role": "assistant", "content": None, "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": "晴れ"}


def whole(engine: Engine, **more: Any) -> ChatCompletion:
    """Return an answer, strictly of the SDK's type."""
    headers = {"Authorization": f"Bearer {engine.token}"}
    body = {"model": "rehearsal", "messages": [ASKED], **more}
    answer = httpx2.post(f"{engine.base_url}/chat/completions", headers=headers, json=body, timeout=60)
    assert answer.status_code == 200, answer.text
    found = strict(ChatCompletion, answer.content)
    assert isinstance(found, ChatCompletion)
    return found


def chunks(engine: Engine, **more: Any) -> list[ChatCompletionChunk]:
    """Return the chunks of an answer, each strictly of the SDK's type."""
    headers = {"Authorization": f"Bearer {engine.token}"}
    body = {"model": "rehearsal", "messages": [ASKED], "stream": True, **more}
    answer = httpx2.post(f"{engine.base_url}/chat/completions", headers=headers, json=body, timeout=60)
    *events, last = (line.removeprefix("data: ") for line in answer.text.splitlines() if line)
    assert last == "[DONE]", answer.text
    return [strict(ChatCompletionChunk, one) for one in events]


def refusal(client: openai.OpenAI, **more: Any) -> openai.BadRequestError:
    """Return the 400 for a request."""
    body = {"model": "rehearsal", "messages": [ASKED], **more}
    with pytest.raises(openai.BadRequestError) as caught:
        client.post("/chat/completions", cast_to=object, body=body)
    return caught.value


def test_several_choices_count_their_prompt_once(engine: Engine) -> None:
    """Choices come in order; the usage has the tokens of all answers and of one prompt."""
    one, three = whole(engine), whole(engine, n=3, seed=2**63 - 1)
    assert [choice.index for choice in three.choices] == [0, 1, 2]
    assert one.usage and three.usage
    assert three.usage.prompt_tokens == one.usage.prompt_tokens
    assert three.usage.completion_tokens == 3 * one.usage.completion_tokens
    assert three.usage.total_tokens == three.usage.prompt_tokens + three.usage.completion_tokens


def test_several_choices_in_pieces(engine: Engine) -> None:
    """Each choice has a role, its text and a finish reason, in this order; one usage comes at the end."""
    expected = whole(engine).choices[0].message.content
    *parts, last = chunks(engine, n=3, stream_options={"include_usage": True})
    assert last.choices == [] and last.usage and last.usage.completion_tokens % 3 == 0
    for index in range(3):
        choices = [choice for chunk in parts for choice in chunk.choices if choice.index == index]
        assert choices[0].delta.role == "assistant" and not any(one.delta.role for one in choices[1:])
        assert "".join(one.delta.content or "" for one in choices) == expected
        assert [one.finish_reason for one in choices if one.finish_reason] == ["stop"]
        assert choices[-1].finish_reason == "stop"


@pytest.mark.parametrize("top", [None, 0, 3])
def test_log_probabilities_are_those_of_the_text(engine: Engine, top: int | None) -> None:
    """The bytes of all tokens are the answer's, whole or in pieces, and each has its likeliest ones."""
    wanted = {"logprobs": True, **({} if top is None else {"top_logprobs": top})}
    choice = whole(engine, **wanted).choices[0]
    assert choice.logprobs and choice.logprobs.content
    scores = choice.logprobs.content
    assert b"".join(bytes(one.bytes or ()) for one in scores).decode() == choice.message.content
    assert {len(one.top_logprobs) for one in scores} == {top or 0}
    found = [one.logprobs for chunk in chunks(engine, **wanted) for one in chunk.choices if one.logprobs]
    assert [score for one in found for score in one.content or ()] == scores
    assert not any(one.logprobs for one in whole(engine).choices)


def test_the_sdk_parses_an_answer_into_a_model(client: openai.OpenAI) -> None:
    """`parse` with a pydantic model returns one, whole or streamed, and it can be sent back."""
    parsed = client.chat.completions.parse(model="rehearsal", messages=[ASKED], response_format=Weather)  # type: ignore[list-item]
    message = parsed.choices[0].message
    assert isinstance(message.parsed, Weather)
    with client.chat.completions.stream(
        model="rehearsal",
        messages=[ASKED],  # type: ignore[list-item]
        response_format=Weather,
    ) as stream:
        kinds = [event.type for event in stream]
        assert stream.get_final_completion().choices[0].message.parsed == message.parsed
    assert {"content.delta", "content.done"} <= set(kinds)
    history: Any = [ASKED, message.to_dict(warnings=False), ASKED]
    assert client.chat.completions.create(model="rehearsal", messages=history).choices[0].message.content
    loose: Any = {"type": "json_object"}
    answer = client.chat.completions.create(model="rehearsal", messages=history, response_format=loose)
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


@pytest.mark.parametrize(
    "choice",
    [
        "required",
        {"type": "function", "function": {"name": "weather"}},
        {
            "type": "allowed_tools",
            "allowed_tools": {
                "mode": "required",
                "tools": [{"type": "function", "function": {"name": "weather"}}],
            },
        },
    ],
)
def test_a_call_comes_whole_and_in_pieces(engine: Engine, choice: Any) -> None:
    """A message that only calls has no content; in a stream the call's name comes before its arguments."""
    how = {"tools": [TOOL, OTHER], "tool_choice": choice}
    answer = whole(engine, **how).choices[0]
    assert answer.finish_reason == "tool_calls" and answer.message.content is None
    calls = answer.message.tool_calls
    assert calls and len(calls) == 1
    call = calls[0]
    assert call.type == "function" and call.function.name == "weather"
    assert Weather.model_validate_json(call.function.arguments)
    deltas = [one.delta for chunk in chunks(engine, **how) for one in chunk.choices]
    assert not any(delta.content for delta in deltas) and "content" in deltas[0].model_fields_set
    parts = [one for delta in deltas for one in delta.tool_calls or ()]
    assert {one.index for one in parts} == {0} and parts[0].id and parts[0].type == "function"
    assert "".join(one.function.arguments or "" for one in parts if one.function) == call.function.arguments


def test_a_conversation_with_calls(client: openai.OpenAI) -> None:
    """What the SDK's helpers return, and the results of its calls, can be sent back."""
    tools: Any = [openai.pydantic_function_tool(Weather, name="weather")]
    first: Any = [ASKED]
    with client.chat.completions.stream(
        model="rehearsal", messages=first, tools=tools, tool_choice="required"
    ) as stream:
        message = stream.get_final_completion().choices[0].message
    assert message.tool_calls
    call = message.tool_calls[0]
    assert isinstance(call.function.parsed_arguments, Weather)
    result = {"role": "tool", "tool_call_id": call.id, "name": "weather", "content": "晴れ"}
    history: Any = [ASKED, message, {**result, "content": [{"type": "text", "text": "晴れ"}]}]
    answer = client.chat.completions.create(model="rehearsal", messages=history, tools=tools)
    assert answer.choices[0].finish_reason == "stop"


@pytest.mark.parametrize(
    "messages",
    [
        [ASKED, RESULT],
        [ASKED, CALLED],
        [ASKED, CALLED, ASKED, RESULT],
        [ASKED, CALLED, RESULT, RESULT],
        [ASKED, CALLED, RESULT, CALLED, RESULT],
        [ASKED, {**CALLED, "tool_calls": [CALL, {**CALL, "id": "call_2"}]}, RESULT],
        [ASKED, CALLED, {**RESULT, "tool_call_id": "call_9"}],
    ],
)
def test_results_belong_to_calls(client: openai.OpenAI, messages: Any) -> None:
    """A result without its call, a call without its result, and ids that occur twice are 400s."""
    error = refusal(client, messages=messages)
    assert error.param == "messages" and "call_" in str(error)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"n": 0}, "n"),
        ({"n": 129}, "n"),
        ({"n": True}, "n"),
        ({"n": 128, "messages": [{"role": "user", "content": "x" * 600_000}]}, "n"),
        ({"logprobs": 1}, "logprobs"),
        ({"logprobs": True, "top_logprobs": 21}, "top_logprobs"),
        ({"top_logprobs": 2}, "top_logprobs"),
        ({"frequency_penalty": 2.1}, "frequency_penalty"),
        ({"presence_penalty": -3}, "presence_penalty"),
        ({"logit_bias": {"a": 1}}, "logit_bias"),
        ({"logit_bias": {"5": 101}}, "logit_bias.5"),
        ({"logit_bias": {"1" * 5000: 1}}, "logit_bias"),
        ({"stop": ["a", ""]}, "stop"),
        ({"stop": "a" * 1001}, "stop"),
        ({"stop": {}}, "stop"),
        ({"logit_bias": {str(token): 1 for token in range(5000)}}, "logit_bias"),
        ({"m" * 5000: 1}, "m" * 300 + "…"),
        ({"messages": [ASKED] * 2049}, "messages"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "max_tokens"),
        ({"functions": [FUNCTION]}, "functions"),
        ({"function_call": "auto"}, "function_call"),
        ({"tools": {}}, "tools"),
        ({"tools": [TOOL, TOOL]}, "tools"),
        ({"tools": [TOOL] * 129}, "tools"),
        ({"tools": [{"type": "custom", "custom": {"name": "a"}}]}, "tools[0].type"),
        ({"tools": [{"type": "function"}]}, "tools[0].function"),
        ({"tools": [{"type": "function", "function": {"name": "天気"}}]}, "tools[0].function.name"),
        ({"tools": [{**TOOL, "more": 1}]}, "tools[0].more"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": "always"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "custom"}}, "tool_choice.type"),
        (
            {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "b"}}},
            "tool_choice.function.name",
        ),
        ({"parallel_tool_calls": "no"}, "parallel_tool_calls"),
        ({"response_format": {}}, "response_format.type"),
        ({"response_format": {"type": "grammar"}}, "response_format.type"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
            "response_format.json_schema.schema",
        ),
        ({"reasoning_effort": "high"}, "reasoning_effort"),
        ({"store": True}, "store"),
        ({"prediction": {"type": "content", "content": "a"}}, "prediction"),
        ({"messages": [{"role": "user"}]}, "messages[0].content"),
        ({"messages": [{"role": "user", "content": []}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "content": None}]}, "messages[0].content"),
        ({"messages": [{"role": "assistant", "content": "a", "audio": {"id": "b"}}]}, "messages[0].audio"),
        ({"messages": [{"role": "function", "name": "a", "content": "b"}]}, "messages[0].role"),
        ({"messages": [{"role": "tool", "content": "b"}]}, "messages[0].tool_call_id"),
        ({"messages": [{**ASKED, "name": 5}]}, "messages[0].name"),
        ({"messages": [{**ASKED, "tool_calls": [CALL]}]}, "messages[0].tool_calls"),
        ({"messages": [ASKED, {**CALLED, "tool_calls": [{"id": "a"}]}]}, "messages[1].tool_calls[0].type"),
        ({"messages": ["a"]}, "messages[0]"),
    ],
)
def test_what_cant_be_done_is_refused_by_name(
    client: openai.OpenAI, change: dict[str, Any], param: str
) -> None:
    """A value out of bounds, and whatever would be ignored, is a 400 with its parameter."""
    assert refusal(client, **change).param == param


@pytest.mark.parametrize(
    "change",
    [
        {"n": 1, "logprobs": False, "logit_bias": {}, "tools": [], "tool_choice": "auto", "store": False},
        {"frequency_penalty": 2, "presence_penalty": -2, "logit_bias": {"5": -100, "6": 0.5}},
        {"max_completion_tokens": 5, "user": "u", "metadata": {"a": "b"}, "parallel_tool_calls": False},
        {"tools": [TOOL], "tool_choice": "none", "response_format": {"type": "text"}},
        {"messages": [{"role": "system", "content": ""}, {**ASKED, "name": "太郎", "content": ""}]},
        {"messages": [{"role": "assistant", "content": "a", "refusal": None, "annotations": []}, ASKED]},
        {"messages": [ASKED, CALLED, RESULT, {"role": "assistant", "content": "晴れ"}, ASKED]},
    ],
)
def test_what_changes_nothing_or_can_be_done_is_accepted(engine: Engine, change: dict[str, Any]) -> None:
    """Bounds themselves, neutral values, empty texts and names are no errors."""
    assert whole(engine, **change).choices[0].message.content is not None


def test_a_client_that_goes_away_gives_up_all_its_choices(own_engine: Callable[..., Engine]) -> None:
    """Whole or in pieces, closing the connection frees every place."""
    engine = own_engine()

    def places() -> Sequence[int]:
        return [chat["answering"] + chat["waiting"] for chat in info(engine)["chats"]]

    for stream in (False, True):
        connection = post(engine, question(LONG, n=40, max_tokens=32768, stream=stream))
        wait_until(lambda: places() == [40])
        with contextlib.suppress(OSError):
            connection.close()
        wait_until(lambda: places() == [0])


def test_choices_that_dont_all_fit_the_queue_are_not_asked(own_engine: Callable[..., Engine]) -> None:
    """A request whose choices the queue can't take is a 429 that leaves nothing in it."""
    engine = own_engine()
    with engine.client() as client, contextlib.ExitStack() as stack:
        for _ in range(2):
            connection = post(engine, question(LONG, n=100, max_tokens=32768))
            stack.callback(connection.close)
        wait_until(lambda: [chat["answering"] + chat["waiting"] for chat in info(engine)["chats"]] == [200])
        with pytest.raises(openai.RateLimitError):
            client.chat.completions.create(**question(n=100))
        (chat,) = info(engine)["chats"]
        assert chat["answering"] + chat["waiting"] == 200 <= PLACES
