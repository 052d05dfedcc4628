"""Tools, calls and images in rows: what is sound, and what the message says where it is not."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from ftrun import data
from ftrun.protocol.functions import functions_of
from ftrun.protocol.training_rows import row_faults

USER = {"role": "user", "content": "天気は？"}
ANSWER = {"role": "assistant", "content": "晴れ、20度です。"}
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city.",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string", "description": "Its name."},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "array", "items": {"type": "integer", "minimum": 1}},
            },
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}
GOOD = '{"city": "東京"}'


def call(arguments: Any = GOOD, name: str = "get_weather", id: str = "call_1") -> dict[str, Any]:
    """Return a message of the assistant with one call."""
    function = {"name": name, "arguments": arguments}
    return {"role": "assistant", "tool_calls": [{"id": id, "type": "function", "function": function}]}


def result(id: str = "call_1") -> dict[str, Any]:
    """Return a tool's message."""
    return {"role": "tool", "tool_call_id": id, "content": '{"temperature": 20}'}


def faults(*messages: Any, tools: Any = (WEATHER,), **more: Any) -> list[tuple[str, str]]:
    """Return code and message of what is wrong with a row of these messages."""
    row: dict[str, Any] = {"messages": list(messages), **more}
    if tools is not None:
        row["tools"] = list(tools) if isinstance(tools, tuple) else tools
    return [(fault.code, fault.message) for fault in row_faults(row, "supervised")]


def test_a_whole_conversation_with_tools_is_sound() -> None:
    """Calls, also two at once and one at the very end, answers in any order, and a text beside a call."""
    first, second = call(id="a")["tool_calls"][0], call(id="b")["tool_calls"][0]
    both = {"role": "assistant", "content": "Let me see.", "tool_calls": [first, second], "weight": 0}
    assert faults(USER, both, result("b"), result("a"), ANSWER, USER, call(id="c")) == []


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (
            '{"city": "東京", "unit": "celcius"}',
            "arguments_schema",
            'messages[1].tool_calls[0].function.arguments.unit is "celcius", which get_weather '
            'does not allow (allowed: "celsius", "fahrenheit"); did you mean \'celsius\'?',
        ),
        (
            '{"citty": "東京"}',
            "arguments_schema",
            "messages[1].tool_calls[0].function.arguments has no 'city', which get_weather requires; "
            "did you mean 'citty'?",
        ),
        (
            '{"city": "東京", "units": "celsius"}',
            "arguments_schema",
            "messages[1].tool_calls[0].function.arguments.units is not a parameter of get_weather; "
            "did you mean 'unit'?",
        ),
        (
            '{"city": 3}',
            "arguments_schema",
            "messages[1].tool_calls[0].function.arguments.city is 3; get_weather expects a string",
        ),
        (
            '{"city": "x", "days": [1, 0]}',
            "arguments_schema",
            "messages[1].tool_calls[0].function.arguments.days[1] is 0: get_weather requires minimum 1",
        ),
        ("{city: 1}", "tool_arguments", "is not valid JSON"),
        ('{"city": NaN}', "tool_arguments", "NaN is not valid JSON"),
        ("[1]", "tool_arguments", "holds [1], not an object"),
        ({"city": "東京"}, "tool_arguments", "it must be a string of JSON"),
        (None, "tool_arguments", "arguments is missing"),
        ("[" * 100_000, "tool_arguments", "nested too deeply"),
    ],
)
def test_arguments(arguments: Any, code: str, words: str) -> None:
    """Arguments that can't be read or break the schema are told with field, value and the nearest allowed."""
    found = faults(USER, call(arguments), result(), ANSWER)
    assert [one for one, _ in found][:1] == [code]
    assert words in found[0][1]


@pytest.mark.parametrize(
    ("messages", "code", "words"),
    [
        (
            (USER, call(name="get_wether"), result(), ANSWER),
            "undeclared_function",
            "did you mean 'get_weather'?",
        ),
        ((USER, call(), ANSWER), "unanswered_call", "messages[1].tool_calls[0] ('call_1') has no answer"),
        ((USER, call(), result("call_2"), ANSWER), "orphan_tool_message", "did you mean 'call_1'?"),
        (
            (USER, call(), result(), result(), ANSWER),
            "orphan_tool_message",
            "answers a call that already has an answer",
        ),
        ((USER, result(), ANSWER), "orphan_tool_message", "messages[1].tool_call_id 'call_1'"),
        ((USER, call(), result(), call(), result(), ANSWER), "tool_calls", "is used by an earlier call"),
        ((USER, {**call(), "role": "user"}, ANSWER), "unknown_key", "belongs in messages from the assistant"),
        ((USER, {**result(), "tool_call_id": None}, ANSWER), "orphan_tool_message", "not a string"),
        ((USER, {"role": "assistant", "tool_calls": [{}]}), "tool_calls", "is not a call"),
    ],
)
def test_calls(messages: tuple[Any, ...], code: str, words: str) -> None:
    """Every call is of a declared function and has its answer; every answer has its call."""
    found = faults(*messages)
    assert found[0][0] == code
    assert words in found[0][1]


def test_calls_without_tools_and_against_parallel() -> None:
    """A row that calls needs tools; two calls at once break `parallel_tool_calls: false`."""
    assert [code for code, _ in faults(USER, call(), result(), ANSWER, tools=None)] == ["undeclared_function"]
    two = {"role": "assistant", "tool_calls": [*call(id="a")["tool_calls"], *call(id="b")["tool_calls"]]}
    row = (USER, two, result("a"), result("b"), ANSWER)
    assert [code for code, _ in faults(*row, parallel_tool_calls=False)] == ["parallel_calls"]
    assert [code for code, _ in faults(USER, ANSWER, tools=None, parallel_tool_calls=True)] == [
        "parallel_calls"
    ]


def tool(**function: Any) -> dict[str, Any]:
    """Return a tool."""
    return {"type": "function", "function": {"name": "f", **function}}


@pytest.mark.parametrize(
    ("tools", "code", "words"),
    [
        ([], "tools", "tools is empty"),
        ({}, "tools", "not a list"),
        ([{"name": "f", "parameters": {}}], "tools", "tools[0] is the function itself"),
        ([{"type": "web_search"}], "tools", 'type is "web_search"'),
        ([tool(name="天気")], "tools", "tools[0].function.name is"),
        ([tool(paramters={})], "tools", "did you mean 'parameters'?"),
        ([tool(), tool()], "duplicate_tool", "declared twice"),
        ([tool(parameters=7)], "tool_schema", "not a JSON Schema"),
        ([tool(parameters={"type": "string"})], "tool_schema", 'it must be "object"'),
        (
            [tool(parameters={"type": "object", "properties": {"a": {"type": "strng"}}})],
            "tool_schema",
            'tools[0].function.parameters.properties.a.type is "strng", which is not a type (allowed: ',
        ),
        (
            [tool(parameters={"type": "object", "properties": {"city": {}}, "required": ["citty"]})],
            "tool_schema",
            "lists 'citty', which is not a property; did you mean 'city'?",
        ),
        (
            [tool(parameters={"type": "object", "properties": {"a": {"pattern": "("}}})],
            "tool_schema",
            "pattern",
        ),
    ],
)
def test_tools(tools: Any, code: str, words: str) -> None:
    """What is wrong with a declaration is told once, with its path."""
    (found,) = functions_of(tools).faults
    assert found.code == code
    assert words in found.message


def test_schemas_of_strangers_are_bounded() -> None:
    """A costly pattern is stopped, and an address in a schema is never fetched."""
    costly = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a|aa)+$"}}}
    assert faults(USER, call(json.dumps({"a": "a" * 80 + "b"}), "f"), tools=(tool(parameters=costly),)) == []
    remote = {"type": "object", "properties": {"a": {"$ref": "http://127.0.0.1:9/schema"}}}
    (found,) = faults(USER, call('{"a": 1}', "f"), tools=(tool(parameters=remote),))
    assert found[0] == "tool_schema"


PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()


@pytest.mark.parametrize(
    ("part", "code"),
    [
        ({"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}}, None),
        ({"type": "image_url", "image_url": {"url": PNG, "detail": "low"}}, None),
        ({"type": "image_url", "image_url": {"url": "cat.png"}}, "image_url"),
        ({"type": "image_url", "image_url": "https://example.com/cat.png"}, "image_url"),
        ({"type": "image_url", "image_url": {"url": PNG, "detail": "huge"}}, "image_url"),
        ({"type": "image_url", "image_url": {"url": PNG.replace("png", "jpeg")}}, "image_url"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,???"}}, "image_url"),
        ({"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,AAAA"}}, "image_url"),
        ({"type": "input_audio", "input_audio": {}}, "content_part"),
        ({"type": "text", "text": " "}, "empty_content"),
        ("text", "content_part"),
    ],
)
def test_parts(part: Any, code: str | None) -> None:
    """Texts and images of a usable form pass; an image's bytes are what its address says."""
    user = {"role": "user", "content": [{"type": "text", "text": "見て"}, part]}
    assert [one for one, _ in faults(user, ANSWER, tools=None)] == ([code] if code else [])


def test_images_are_the_users() -> None:
    """The model learns to write text, so an image in its answer is an error."""
    said = {"role": "assistant", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}
    assert [code for code, _ in faults(USER, said, tools=None)] == ["image_role"]


def test_a_check_names_file_line_and_field(make: Any) -> None:
    """What is wrong with a call stands at the line of its row; the other rows are counted."""
    rows = [{"messages": [USER, call(), result(), ANSWER], "tools": [WEATHER]} for _ in range(3)]
    rows[1]["messages"][1] = call('{"city": "東京", "unit": "celcius"}')
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    outcome = data.examine(make({"a.jsonl": text}, dedupe="off"))
    (error,) = [one for one in outcome.errors if one.code == "arguments_schema"]
    assert (str(error.file).rsplit("/")[-1], error.line) == ("a.jsonl", 2)
    assert outcome.files["train"] is not None
    assert outcome.files["train"].examples == 2
