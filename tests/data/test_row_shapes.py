"""Rows of each `shape`: what they become, what is wrong with them, and that look-alikes have none."""

from __future__ import annotations

import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT
from ftrun import data
from ftrun.data.shapes.recognising import described, shape_of
from ftrun.data.shapes.rows import COLUMNS, SHAPES, shaped
from ftrun.data.shapes.values import ShapeFault
from ftrun.experiment.model import Train
from ftrun.experiment.target import Target

EXAMPLE = re.compile(r"^shape: (\w+)\n(\{.*\})\n(\{.*\})$", re.MULTILINE)
OPENAI = Target(name="openai", provider="openai", model="gpt-4.1-mini-2025-04-14")
USER, ANSWER = {"role": "user", "content": "傘は？"}, {"role": "assistant", "content": "要ります。"}
CHAT = [USER, ANSWER]
RAIN = {"name": "rain", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}
TOOLS = [{"type": "function", "function": RAIN}]
RESULT = {"role": "tool", "tool_call_id": "call_1", "content": '{"mm": 3}'}


def called(*arguments: str, **more: Any) -> dict[str, Any]:
    """Return an assistant message with a call of `rain` for each of the arguments."""
    calls = [
        {"id": f"call_{number}", "type": "function", "function": {"name": "rain", "arguments": one}}
        for number, one in enumerate(arguments, 1)
    ]
    return {"role": "assistant", **more, "tool_calls": calls}


def turns(*said: Any) -> list[dict[str, Any]]:
    """Return turns of ShareGPT: a speaker, a text, a speaker, a text, …"""
    return [{"from": who, "value": what} for who, what in zip(said[::2], said[1::2], strict=True)]


def lines(rows: list[Any]) -> str:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def documented() -> list[tuple[str, Any, Any]]:
    """Return (shape, row, what becomes of it) of every example in the docs."""
    text = (ROOT / "docs/experiment-file.md").read_text(encoding="utf-8")
    return [(shape, json.loads(row), json.loads(made)) for shape, row, made in EXAMPLE.findall(text)]


@pytest.mark.parametrize(("shape", "row", "made"), documented())
def test_the_examples_of_the_docs_are_true(shape: str, row: Any, made: Any) -> None:
    """Each row becomes what stands below it, and without the key its shape is named."""
    assert shaped(row, shape).values == made
    found = described(row, "supervised")
    assert found is not None
    assert f"`shape: {shape}`" in str(found.hint)


def test_the_docs_have_an_example_of_every_shape() -> None:
    """The schema's shapes are those of the docs."""
    schema = json.loads((ROOT / "schemas/experiment.schema.json").read_text(encoding="utf-8"))
    assert {shape for shape, _, _ in documented()} == set(
        schema["$defs"]["source"]["properties"]["shape"]["enum"]
    )


SAME = {
    "role and text": {"chat": [{"role": "user", "text": "傘は？"}, {"role": "bot", "text": "要ります。"}]},
    "messages of ShareGPT": {"messages": turns("human", "傘は？", "gpt", "要ります。")},
    "sender and message": {
        "history": [{"sender": "User", "message": "傘は？"}, {"sender": "AI", "message": "要ります。"}]
    },
    "pairs": {"turns": [["傘は？", "要ります。"]]},
    "texts": {"conversations": ["傘は？", "要ります。"]},
    "question and answer": {"dialogue": [{"question": "傘は？", "answer": "要ります。"}]},
    "input and output": {"conversation": [{"input": "傘は？", "output": "要ります。"}]},
    "human and gpt": {"conversation": [{"human": "傘は？"}, {"gpt": "要ります。"}]},
    "as Python writes it": {"conversations": repr(turns("human", "傘は？", "gpt", "要ります。"))},
    "an object around it": {"conversation": {"messages": CHAT}},
    "a list and a text": {"prompt": [USER], "completion": "要ります。"},
    "two lists": {"prompt": [USER], "completion": [ANSWER]},
    "a text and a list": {"prompt": "傘は？", "completion": [ANSWER]},
    "evals": {"input": [USER], "ideal": ["要ります。", "はい。"]},
    "responses": {
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "傘は？"}]}],
        "output": [
            {
                "type": "message",
                "role": "assistant",
                "content": [{"type": "output_text", "text": "要ります。"}],
            }
        ],
    },
    "ChatML": {"text": "<|im_start|>user\n傘は？<|im_end|>\n<|im_start|>assistant\n要ります。<|im_end|>\n"},
    "a transcript": {"text": "Human: 傘は？\n\nAssistant: 要ります。"},
    "a mark at the end": {"prompt": "\n\nHuman: 傘は？\n\nAssistant:", "completion": " 要ります。"},
    "metadata in turns": {
        "conversations": [
            {"from": "human", "value": "傘は？", "id": 7},
            {"from": "gpt", "value": "要ります。", "model": None},
        ]
    },
}


@pytest.mark.parametrize("row", SAME.values(), ids=SAME)
def test_turns_in_any_usual_form_become_a_chat(row: Any) -> None:
    """Whoever wrote the list, and as whatever: speakers and texts are found."""
    found = shape_of(row)
    assert found is not None
    assert (found.shape, found.row.values["messages"]) == ("chat", CHAT)


def test_calls_and_results_become_those_of_the_api() -> None:
    """One call or several, as text or values, in turns, tags or parts; ids are made, arguments are text."""
    call = {"name": "rain", "arguments": {"city": "神戸"}}
    text = json.dumps(call["arguments"], ensure_ascii=False)
    single = [USER, called(text), RESULT, ANSWER]
    before, after = ("human", "傘は？"), ("observation", {"mm": 3}, "gpt", "要ります。")
    for value in (call, [call], json.dumps(call, ensure_ascii=False), repr(call)):
        row = {"conversations": turns(*before, "function_call", value, *after), "tools": json.dumps([RAIN])}
        assert shaped(row, "chat").values == {"messages": single, "tools": TOOLS}
    both = turns(*before, "function_call", [call, call], "observation", '["a", "b"]', "gpt", "要ります。")
    made = shaped({"conversations": both}, "chat").values["messages"]
    assert made[1] == called(text, text)
    assert [(one["tool_call_id"], one["content"]) for one in made[2:4]] == [("call_1", "a"), ("call_2", "b")]
    said = turns(*before, "gpt", "見ます。", "function_call", call, *after)
    assert shaped({"conversations": said}, "chat").values["messages"][1] == called(text, content="見ます。")


@pytest.mark.parametrize(
    ("turn", "weight"),
    [
        ({"weight": 0}, 0),
        ({"weight": 1.0}, 1),
        ({"train": False}, 0),
        ({"loss": True}, 1),
        ({"loss": 0.3}, None),
    ],
)
def test_whether_an_answer_is_learned_is_kept(turn: Any, weight: int | None) -> None:
    """A weight stays one, true or false becomes one, and a measured loss is none."""
    row = {"conversations": [*turns("human", "傘は？"), {"from": "gpt", "value": "要ります。", **turn}]}
    assert shaped(row, "chat").values["messages"][1].get("weight") == weight


def test_hermes_loses_its_tags_and_what_is_said_of_them() -> None:
    """Tools come out of the system prompt, calls and results out of the texts, as JSON or as Python."""
    prompt = (
        "You are a function calling AI model. "
        "You are provided with function signatures within <tools> </tools> XML tags.\n"
        f"<tools>\n{TOOLS}\n</tools>\n"
        "For each function call return a JSON object, with the following pydantic model json schema:\n"
        "{'title': 'FunctionCall', 'type': 'object'}\n"
        "Each function call should be enclosed within <tool_call> </tool_call> XML tags.\n"
        "Example:\n<tool_call>\n{'name': <name>}\n</tool_call>"
    )
    said = "見ます。\n<tool_call>\n{'name': 'rain', 'arguments': {'city': 'Kobe'}}\n</tool_call>"
    result = '<tool_response>\n{"name": "rain", "content": {"mm": 3}}\n</tool_response>'
    for role in ("tool", "user"):
        messages = [{"role": "system", "content": prompt}, USER, {"role": "assistant", "content": said}]
        row = {"messages": [*messages, {"role": role, "content": result}, ANSWER]}
        found = shape_of(row)
        assert found is not None
        assert (found.shape, found.row.values["tools"]) == ("hermes", TOOLS)
        assert found.row.values["messages"] == [
            {"role": "system", "content": "You are a function calling AI model."},
            USER,
            called('{"city": "Kobe"}', content="見ます。"),
            RESULT,
            ANSWER,
        ]


def test_gemini_has_calls_and_functions_of_its_own() -> None:
    """Calls and results in parts, declarations with types in capitals, arguments as values."""
    row = {
        "contents": [
            {"role": "user", "parts": [{"text": "傘は？"}]},
            {"role": "model", "parts": [{"functionCall": {"name": "rain", "args": {"city": "Kobe"}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "rain", "response": {"mm": 3}}}]},
            {"role": "model", "parts": [{"text": "要り"}, {"text": "ます。"}]},
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "rain",
                        "parameters": {"type": "OBJECT", "properties": {"city": {"type": "STRING"}}},
                    }
                ]
            }
        ],
    }
    expected = {"messages": [USER, called('{"city": "Kobe"}'), RESULT, ANSWER], "tools": TOOLS}
    assert shaped(row, "chat").values == expected


BETTER, WORSE = ANSWER, {"role": "assistant", "content": "知りません。"}
EARLIER = [{"role": "user", "content": "雨？"}, {"role": "assistant", "content": "はい。"}]
PAIRS = {
    "answers to a list": ([USER], {"prompt": [USER], "chosen": "要ります。", "rejected": "知りません。"}),
    "messages": ([USER], {"prompt": [USER], "chosen": [BETTER], "rejected": [WORSE]}),
    "conversations": ([*EARLIER, USER], {"chosen": [*EARLIER, *CHAT], "rejected": [*EARLIER, USER, WORSE]}),
    "the prompt twice": (
        [USER],
        {
            "prompt": "傘は？",
            "chosen": CHAT,
            "rejected": [USER, WORSE],
            "messages": CHAT,
            "score_chosen": 8.0,
        },
    ),
    "only its end twice": (
        [*EARLIER, USER],
        {"prompt": [*EARLIER, USER], "chosen": CHAT, "rejected": [USER, WORSE]},
    ),
    "a history": (
        [*EARLIER, USER],
        {
            "history": [["雨？", "はい。"]],
            "question": "傘は？",
            "chosen": "要ります。",
            "rejected": "知りません。",
        },
    ),
    "transcripts": (
        [*EARLIER, USER],
        {
            "chosen": "\n\nHuman: 雨？\n\nAssistant: はい。\n\nHuman: 傘は？\n\nAssistant: 要ります。",
            "rejected": "\n\nHuman: 雨？\n\nAssistant: はい。\n\nHuman: 傘は？\n\nAssistant: 知りません。",
        },
    ),
    "a transcript and answers": (
        [USER],
        {"prompt": "\n\nHuman: 傘は？\n\nAssistant:", "chosen": " 要ります。", "rejected": " 知りません。"},
    ),
}


@pytest.mark.parametrize(("asked", "row"), PAIRS.values(), ids=PAIRS)
def test_pairs_of_conversations_become_preferences(asked: Any, row: Any) -> None:
    """What both share is the prompt, their last messages are the two answers."""
    found = shape_of(row)
    assert found is not None
    made = found.row.values
    assert (found.shape, made["input"]["messages"]) == ("preferences", asked)
    assert (made["preferred_output"], made["non_preferred_output"]) == ([BETTER], [WORSE])


PLAIN: dict[str, Any] = {
    "a chat": {"messages": CHAT, "id": 1},
    "a chat with tools": {"messages": [USER, called("{}"), RESULT, ANSWER], "tools": TOOLS},
    "a preference": {
        "input": {"messages": [USER]},
        "preferred_output": [BETTER],
        "non_preferred_output": [WORSE],
    },
    "texts to prefer": {"prompt": "傘は？", "chosen": "要ります。", "rejected": "知りません。"},
    "Alpaca": {"instruction": "傘は？", "input": "", "output": "要ります。"},
    "Dolly": {"instruction": "傘は？", "context": "", "response": "要ります。", "category": "qa"},
    "a question and JSON": {"question": "Which?", "answer": '["a", "b"]'},
    "JSON asked and answered": {"input": '{"a": 1}', "output": '{"b": 2}'},
    "a list asked as text": {"prompt": '["a", "b"]', "completion": "c"},
    "for a grader": {"messages": [USER], "answer": "要ります。"},
    "labels": {"text": "Good: it works.", "label": 1},
    "a list of tags": {"question": "傘は？", "answer": "要ります。", "tags": ["雨", "傘"]},
    "prose with a colon": {"text": "User: the word for a person. Nobody answers here."},
    "KTO": {"prompt": "傘は？", "completion": "要ります。", "label": True},
    "a query of a search": {"query": "傘", "answers": ["要ります。"], "tools": ""},
    "a chat of parts": {
        "messages": [{"role": "user", "content": [{"type": "text", "text": "傘は？"}]}, ANSWER]
    },
    "a log": {"conversation": "c1", "role": "user", "content": "傘は？"},
    "chats with an image": {
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}, ANSWER]
    },
}


@pytest.mark.parametrize("row", PLAIN.values(), ids=PLAIN)
def test_other_rows_have_no_shape(row: Any) -> None:
    """Rows of the API, and rows of columns that only look alike, are left to templates."""
    assert shape_of(row) is None


FAULTY: dict[str, tuple[str, Any, str]] = {
    "a speaker": (
        "chat",
        {"conversations": turns("human", "a", "narrator", "b")},
        'conversations[1].from is "narrator"',
    ),
    "a turn": ("chat", {"messages": [USER, 7]}, "messages[1] is 7, not a turn"),
    "a call": (
        "chat",
        {"conversations": turns("human", "a", "function_call", "rain()")},
        "conversations[1] is",
    ),
    "a nameless call": (
        "chat",
        {"conversations": turns("function_call", "{}")},
        "without the name of a function",
    ),
    "a result": (
        "chat",
        {"conversations": turns("human", "a", "observation", "b")},
        "conversations[1] is the result",
    ),
    "a tag": (
        "hermes",
        {"conversations": turns("gpt", "<tool_call>rain</tool_call>")},
        "conversations[0] has a",
    ),
    "tools": ("chat", {"messages": CHAT, "tools": "rain"}, "`tools` is"),
    "no list": ("chat", {"messages": "傘"}, "`messages` is"),
    "no column": ("chat", {"a": 1}, "no column holds a list of turns; the row has a"),
    "a part": (
        "chat",
        {"contents": [{"role": "user", "parts": [{"inlineData": {}}]}]},
        "contents[0] has a part",
    ),
    "two differences": (
        "preferences",
        {"chosen": [USER, ANSWER, *CHAT], "rejected": [USER, WORSE, *CHAT]},
        "chosen[1]: `chosen` and `rejected` differ before their last answers",
    ),
    "no worse answer": ("preferences", {"prompt": "a", "chosen": "b"}, "no `chosen` and `rejected`"),
    "no response": ("batch", {"body": {"messages": [USER]}}, "the row has no response"),
    "no question": ("alpaca", {"output": "b"}, "no column asks"),
    "no calls": ("xlam", {"query": "a", "answers": []}, "the row has no `answers`"),
    "questions only": ("chat", {"question_id": 1, "turns": ["a", "b"]}, "questions only"),
}


@pytest.mark.parametrize(("shape", "row", "words"), FAULTY.values(), ids=FAULTY)
def test_what_can_not_be_converted_is_named(shape: str, row: Any, words: str) -> None:
    """The message has the turn as it is in the file and what is wrong; there always is a way out."""
    with pytest.raises(ShapeFault) as raised:
        shaped(row, shape)
    assert words in raised.value.message
    assert raised.value.hint


NAMES = st.sampled_from(
    (*sorted(COLUMNS), "role", "from", "value", "content", "name", "function", "arguments")
)
TEXTS = st.sampled_from(
    ("", "user", "gpt", "function_call", "tool", "[]", "[[", "{'name': 'a'}", "<tool_call>{}</tool_call>")
)
VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.integers(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)


@settings(max_examples=150)
@given(row=st.dictionaries(NAMES, VALUES, min_size=1, max_size=4))
def test_no_row_breaks_the_conversion(row: Any) -> None:
    """Whatever a row holds, it is converted or has a fault."""
    shape_of(row)
    described(row, "supervised")
    for shape in SHAPES:
        with contextlib.suppress(ShapeFault):
            made = shaped(row, shape).values
            assert all(isinstance(one["role"], str) for one in made.get("messages", ()))


def test_errors_are_at_the_row_and_name_its_turn(make: Any) -> None:
    """What only the checks of chats find is named as it is in the file, too."""
    good = {"system": "s", "conversations": turns("human", "a", "gpt", "b")}
    blank = {"system": "s", "conversations": turns("human", "a", "gpt", "b", "human", "c", "gpt", " ")}
    odd = {"conversations": turns("human", "a", "narrator", "b")}
    found = data.examine(
        make({"a.jsonl": lines([good, blank, odd])}, source={"shape": "chat"}, target=OPENAI)
    )
    assert [(one.code, one.line, one.message.split(" is ")[0]) for one in found.errors[:2]] == [
        ("empty_content", 2, "conversations[3] (assistant): the content"),
        ("shape", 3, "conversations[1].from"),
    ]


def test_the_roles_of_the_source_name_speakers(make: Any, tmp_path: Path) -> None:
    """The tip for an unknown speaker works."""
    row = {"会話": [{"speaker": "客", "text": "傘は？"}, {"speaker": "店", "text": "要ります。"}]}
    source = {"shape": "chat", "columns": {"messages": "会話"}}
    refused = data.examine(make({"a.jsonl": lines([row])}, source=source, target=OPENAI)).errors[0]
    assert (refused.code, "roles: {user: NAME" in str(refused.hint)) == ("shape", True)
    roles = {"user": ("客",), "assistant": ("店",)}
    data.prepare(make({"a.jsonl": lines([row])}, source={**source, "roles": roles}), tmp_path / "out")
    assert json.loads((tmp_path / "out/train.jsonl").read_text()) == {"messages": CHAT}


def test_what_follows_the_last_answer_is_left_out(make: Any, tmp_path: Path) -> None:
    """As in logs, and a warning says so."""
    row = {"conversations": turns("human", "傘は？", "gpt", "要ります。", "human", "どうも。")}
    made = make({"a.jsonl": lines([row])}, source={"shape": "chat"})
    assert "group_end" in {one.code for one in data.examine(made).warnings}
    data.prepare(made, tmp_path / "out")
    assert json.loads((tmp_path / "out/train.jsonl").read_text()) == {"messages": CHAT}


UNNAMED = {
    "tools as text": (
        "supervised",
        {"messages": CHAT, "tools": json.dumps(TOOLS)},
        "`tools` is a text that holds JSON",
    ),
    "messages as text": (
        "supervised",
        {"messages": json.dumps(CHAT)},
        "`messages` is a text that holds JSON",
    ),
    "arguments as values": (
        "supervised",
        {
            "messages": [USER, {"role": "assistant", "tool_calls": [{"name": "rain", "arguments": {}}]}],
            "tools": TOOLS,
        },
        "in another form",
    ),
    "ShareGPT with calls": (
        "supervised",
        {
            "conversations": turns("human", "a", "function_call", '{"name": "rain"}'),
            "tools": json.dumps([RAIN]),
        },
        "as ShareGPT writes them",
    ),
    "pairs": ("dpo", {"chosen": CHAT, "rejected": [USER, WORSE]}, "preferences whose prompts or answers"),
    "batch": (
        "supervised",
        {"body": {"messages": [USER]}, "response": {"choices": [{"message": ANSWER}]}},
        "requests with their responses",
    ),
}


@pytest.mark.parametrize(("method", "row", "words"), UNNAMED.values(), ids=UNNAMED)
def test_a_shape_that_the_source_lacks_is_named_once(method: Any, row: Any, words: str, make: Any) -> None:
    """One error for all rows, whose tip, when followed, makes them good rows."""
    rows = [{**row, "id": number} for number in range(12)]
    how = {"target": OPENAI, "train": Train(method=method), "dedupe": "off"}
    (error,) = (
        one
        for one in data.examine(make({"a.jsonl": lines(rows)}, **how)).errors
        if one.code != "too_few_examples"
    )
    assert words in error.message
    shape = re.findall(r"`shape: (\w+)`", str(error.hint))[0]
    assert not data.examine(make({"a.jsonl": lines(rows)}, source={"shape": shape}, **how)).errors


def test_the_method_is_part_of_the_tip(make: Any) -> None:
    """Preferences need another method, too, and then pass."""
    rows = [{"chosen": CHAT, "rejected": [USER, WORSE], "id": number} for number in range(12)]
    error = data.examine(make({"a.jsonl": lines(rows)}, target=OPENAI)).errors[0]
    assert error.hint == "Add `shape: preferences` to the source, and set `train.method: dpo`."


def test_where_sees_what_rows_become_and_other_columns(make: Any, tmp_path: Path) -> None:
    """A row is chosen by its messages, or by a column that the conversion does not use."""
    rows = [{"conversations": turns("human", str(n), "gpt", "b"), "label": n % 2 == 0} for n in range(4)]
    source = {"shape": "chat", "where": "label and messages[0].content != '2'"}
    data.prepare(make({"a.jsonl": lines(rows)}, source=source), tmp_path / "out")
    (line,) = (tmp_path / "out/train.jsonl").read_text().splitlines()
    assert json.loads(line)["messages"][0]["content"] == "0"


def test_the_key_enters_what_was_prepared_only_when_set(make: Any) -> None:
    """An experiment without it has the inputs that it always had."""
    files = {"a.jsonl": lines([{"messages": CHAT}])}
    (plain,) = data.prepare_inputs(make(files))["files"]
    (set_one,) = data.prepare_inputs(make(files, source={"shape": "chat"}))["files"]
    assert set_one.keys() - plain.keys() == {"shape", "shapes version"}
