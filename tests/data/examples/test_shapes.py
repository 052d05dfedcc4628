"""The shapes of training rows beyond chats, what providers take of them, and what of a row is learned."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.errors import DataError
from ftrun.experiment.model import MessageTemplate, Prompt, Template, Train
from ftrun.experiment.target import Target
from ftrun.protocol.spec import Method
from ftrun.protocol.texts import trained_texts
from ftrun.protocol.training_rows import row_faults
from ftrun.targets.training_rules import method_faults, rule_faults, rules_of

from .test_tools import PNG, WEATHER, call, result

USER = {"role": "user", "content": "q"}


ANSWER = {"role": "assistant", "content": "good"}


WORSE = {"role": "assistant", "content": "bad"}


PAIR = {"input": {"messages": [USER]}, "preferred_output": [ANSWER], "non_preferred_output": [WORSE]}


OPENAI = Target(name="openai", provider="openai", model="gpt-4.1-mini-2025-04-14")


SERVER = Target(name="s", provider="openai", model="m", base_url="https://example.com/v1", api_key_env="K")


BASE_MODEL = Target(name="base", provider="openai", model="davinci-002")


DASHSCOPE = Target(
    name="d", provider="openai", model="m", base_url="https://dashscope-intl.aliyuncs.com/v1", api_key_env="K"
)


LOCAL = Target(name="laptop", provider="local", model="smollm2-135m-instruct")


def text(*values: str) -> Template:
    """Return a template."""
    return Template(text="".join(values))


def lines(rows: Any) -> str:
    """Return rows as JSON lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


@pytest.mark.parametrize(
    ("method", "row", "codes"),
    [
        ("dpo", PAIR, []),
        (
            "dpo",
            {**PAIR, "input": {"messages": [USER], "tools": [WEATHER], "parallel_tool_calls": False}},
            [],
        ),
        (  # no tools, as OpenAI's guide writes it
            "dpo",
            {**PAIR, "input": {"messages": [USER], "tools": [], "parallel_tool_calls": True}},
            [],
        ),
        ("dpo", {**PAIR, "input": {"messages": [USER], "parallel_tool_calls": True}}, ["parallel_calls"]),
        (
            "dpo",
            {**PAIR, "preferred_output": [call()], "input": {"messages": [USER], "tools": [WEATHER]}},
            [],
        ),
        ("dpo", {**PAIR, "preferred_output": [call()]}, ["undeclared_function"]),
        ("dpo", {**PAIR, "non_preferred_output": []}, ["preference"]),
        ("dpo", {**PAIR, "preferred_output": "good"}, ["preference"]),
        ("dpo", {**PAIR, "preferred_output": [USER]}, ["preference"]),
        ("dpo", {**PAIR, "preferred_output": [{**ANSWER, "content": ""}]}, ["empty_content"]),
        ("dpo", {**PAIR, "non_preferred_output": [ANSWER]}, ["equal_outputs"]),
        ("dpo", {**PAIR, "input": {"messages": [USER, ANSWER]}}, ["preference"]),
        ("dpo", {"messages": [USER, ANSWER]}, ["preference"]),
        ("reinforcement", {"messages": [USER], "answer": "4"}, []),
        ("reinforcement", {"messages": [USER, ANSWER]}, ["last_is_assistant"]),
        ("supervised", {"prompt": "q", "completion": " a"}, []),
        ("supervised", {"prompt": "q", "completion": " "}, ["empty_content"]),
    ],
)
def test_shapes(method: Method, row: dict[str, Any], codes: list[str]) -> None:
    """Rows of each method have their form, and each flaw its code."""
    assert [fault.code for fault in row_faults(row, method)] == codes


def test_preferences_from_columns(make: Any, tmp_path: Path) -> None:
    """`preferred` and `non_preferred` make pairs of columns; a system prompt goes into the input."""
    prompt = Prompt(
        system=text("猫"), user=text("{{ q }}"), preferred=text("{{ good }}"), non_preferred=text("{{ bad }}")
    )
    made = make({"a.csv": "q,good,bad\n1,2,3\n"}, prompt=prompt, train=Train(method="dpo"), target=OPENAI)
    data.prepare(made, tmp_path / "out")
    assert json.loads((tmp_path / "out/train.jsonl").read_text("utf-8")) == {
        "input": {"messages": [{"role": "system", "content": "猫"}, {"role": "user", "content": "1"}]},
        "preferred_output": [{"role": "assistant", "content": "2"}],
        "non_preferred_output": [{"role": "assistant", "content": "3"}],
    }


def test_ready_preferences_pass_and_are_counted(make: Any, tmp_path: Path) -> None:
    """Pairs keep their keys; others are left out with a warning; all their messages count."""
    made = make({"a.jsonl": lines([{**PAIR, "id": 1}])}, train=Train(method="dpo"), target=OPENAI)
    data.prepare(made, tmp_path / "out")
    assert json.loads((tmp_path / "out/train.jsonl").read_text("utf-8")) == PAIR
    result = data.check(made, tmp_path / "out")
    assert result.files["train"] is not None
    assert result.files["train"].messages["sum"] == 3
    assert [one.code for one in result.warnings if one.code == "ignored_key"]


def test_rows_for_a_grader(make: Any, tmp_path: Path) -> None:
    """Rows keep the fields that a grader asks for; a field that rows lack is an error with the nearest."""
    grader = {"type": "string_check", "input": "{{ sample.output_text }}", "reference": "{{ item.answer }}"}
    train = Train(method="reinforcement", grader=grader)
    made = make({"a.jsonl": lines([{"messages": [USER], "answer": "4"}])}, train=train, target=OPENAI)
    data.prepare(made, tmp_path / "out")
    assert json.loads((tmp_path / "out/train.jsonl").read_text()) == {"messages": [USER], "answer": "4"}
    prompt = Prompt(user=text("{{ q }}"), item={"answer": text("{{ a }}")})
    data.prepare(make({"b.csv": "q,a\nx,y\n"}, prompt=prompt, train=train, target=OPENAI), tmp_path / "b")
    row = json.loads((tmp_path / "b/train.jsonl").read_text())
    assert row == {"messages": [{"role": "user", "content": "x"}], "answer": "y"}
    wrong = make({"c.jsonl": lines([{"messages": [USER], "anser": "4"}])}, train=train, target=OPENAI)
    (error,) = [one for one in data.examine(wrong).errors if one.code == "grader_field"]
    assert "'anser'" in error.message


def test_tools_of_the_experiment(make: Any, tmp_path: Path) -> None:
    """`prompt.tools` goes into rows without tools; calls are rendered with arguments as JSON."""
    function = {"name": text("get_weather"), "arguments": {"city": text("{{ city }}")}}
    prompt = Prompt(
        messages=(
            MessageTemplate(role="user", content=text("{{ q }}")),
            MessageTemplate(role="assistant", tool_calls=({"id": text("c1"), "function": function},)),
            MessageTemplate(role="tool", tool_call_id=text("c1"), content=text("20")),
            MessageTemplate(role="assistant", content=text("{{ a }}")),
        ),
        tools=[WEATHER],
        parallel_tool_calls=False,
    )
    made = make({"a.csv": "q,city,a\n天気,東京,20度\n"}, prompt=prompt, target=OPENAI)
    data.prepare(made, tmp_path / "out")
    row = json.loads((tmp_path / "out/train.jsonl").read_text("utf-8"))
    assert row["tools"] == [WEATHER]
    assert row["parallel_tool_calls"] is False
    assert row["messages"][1] == call('{"city": "東京"}', id="c1")


def test_broken_tools_of_the_experiment_are_told_once(make: Any) -> None:
    """A flaw of `prompt.tools` stands at that key, however many rows would get them."""
    prompt = Prompt(user=text("{{ q }}"), assistant=text("{{ a }}"), tools=[{"type": "function"}])
    result = data.examine(make({"a.csv": "q,a\n1,2\n3,4\n"}, prompt=prompt, target=OPENAI))
    assert [one.code for one in result.errors if one.code == "tools"] == ["tools"]


CHAT = {"messages": [USER, ANSWER]}


WITH_TOOLS = {"messages": [USER, call(), result(), ANSWER], "tools": [WEATHER]}


IMAGE = {"type": "image_url", "image_url": {"url": PNG}}


WITH_IMAGES = {"messages": [{"role": "user", "content": [IMAGE] * 11}, ANSWER]}


@pytest.mark.parametrize(
    ("target", "row", "codes"),
    [
        (LOCAL, CHAT, []),
        (LOCAL, WITH_TOOLS, ["unsupported_by_target"]),
        (LOCAL, WITH_IMAGES, ["unsupported_by_target"]),
        (LOCAL, {"prompt": "q", "completion": "a"}, ["unsupported_by_target"]),
        (LOCAL, {"messages": [{**USER, "name": "n"}, {**ANSWER, "weight": 1}]}, ["ignored_by_target"]),
        (OPENAI, WITH_TOOLS, []),
        (OPENAI, WITH_IMAGES, ["provider_limit"]),
        (OPENAI, {"messages": [USER, ANSWER], "tools": [WEATHER] * 129}, ["provider_limit"]),
        (OPENAI, {"prompt": "q", "completion": "a"}, ["unsupported_by_target"]),
        (BASE_MODEL, {"prompt": "q", "completion": "a"}, []),
        (BASE_MODEL, CHAT, ["unsupported_by_target"]),
        (SERVER, {"prompt": "q", "completion": "a"}, []),
        (SERVER, WITH_IMAGES, []),
        (DASHSCOPE, {"messages": [USER, {**ANSWER, "weight": 0}, USER, ANSWER]}, ["unsupported_by_target"]),
    ],
)
def test_what_providers_take(target: Target, row: dict[str, Any], codes: list[str]) -> None:
    """What a provider would reject or ignore is a fault there and nowhere else."""
    assert [fault.code for fault in rule_faults(row, rules_of(target))] == codes


def test_chats_for_a_model_that_only_completes(make: Any) -> None:
    """Plain chats, of which there is no closer look elsewhere, are refused row by row, with the way out."""
    found = data.examine(make({"a.jsonl": lines([CHAT] * 12)}, dedupe="off", target=BASE_MODEL))
    assert [(one.code, one.line) for one in found.errors[:2]] == [("unsupported_by_target", 1)]
    assert "completion" in str(found.errors[0].hint)


def test_where_no_target_is_named_a_check_goes_on_and_a_run_stops(make: Any, tmp_path: Path) -> None:
    """Tools are only a warning for a check without targets; preparing for the default target refuses them."""
    made = make({"a.jsonl": lines([WITH_TOOLS] * 12)}, dedupe="off")
    result = data.examine(made)
    assert not result.errors
    assert "unsupported_by_default" in {one.code for one in result.warnings}
    with pytest.raises(DataError, match="can't train on tools"):
        data.prepare(made, tmp_path / "out")
    assert not (tmp_path / "out/train.jsonl").exists()


def test_a_method_that_the_target_lacks(make: Any) -> None:
    """Preferences are refused by the local engine at the key that asks for them."""
    made = make({"a.jsonl": lines([PAIR])}, train=Train(method="dpo"), target=LOCAL)
    assert "unsupported_by_target" in {one.code for one in data.examine(made).errors}


def test_a_service_that_knows_no_methods() -> None:
    """Where a job can't say its method, preferences would train as something else: they are refused."""
    plain = replace(SERVER, capabilities={"method": "left_out"})
    assert [fault.code for fault in method_faults(rules_of(plain), "dpo")] == ["unsupported_by_target"]
    assert not list(method_faults(rules_of(SERVER), "dpo"))


def test_trained_texts() -> None:
    """The assistant's words and calls are learned, those of weight 0 and the context are not."""
    row = {"messages": [USER, {**WORSE, "weight": 0}, USER, call(), result(), ANSWER]}
    learned = [(span.path, span.trained) for span in trained_texts(row)]
    assert learned == [
        ("messages[0].content", False),
        ("messages[1].content", False),
        ("messages[2].content", False),
        ("messages[3].tool_calls[0]", True),
        ("messages[4].content", False),
        ("messages[5].content", True),
    ]
    assert [span.trained for span in trained_texts(PAIR)] == [False, True, True]
    assert not any(span.trained for span in trained_texts({"messages": [USER], "answer": "4"}))


def test_rows_of_another_method(make: Any) -> None:
    """Preferences without `method: dpo`, and chats with it, are told once with the way out."""
    (error,) = data.examine(make({"a.jsonl": lines([PAIR, PAIR])}, target=OPENAI)).errors
    assert error.code == "other_method"
    assert "method: dpo" in str(error.hint)
    made = make({"a.jsonl": lines([CHAT])}, target=OPENAI, train=Train(method="dpo"))
    assert [one.code for one in data.examine(made).errors] == ["other_method"]
    made = make({"a.csv": "q,a\n1,2\n"}, target=OPENAI, train=Train(method="dpo"))
    (error,) = data.examine(made).errors
    assert "prompt.preferred" in str(error.hint) or "preferred:" in str(error.hint)


def test_what_a_target_lacks_is_told_once(make: Any) -> None:
    """An error that every row shares is one problem with its count, not one a row."""
    chats = [[{**USER, "content": f"q{n}"}, call(), result(), ANSWER] for n in range(9)]
    rows = [{"messages": chat, "tools": [WEATHER]} for chat in chats]
    found = data.examine(make({"a.jsonl": lines(rows)}, target=LOCAL))
    (error,) = [one for one in found.errors if one.code == "unsupported_by_target"]
    assert "(in 9 rows)" in error.message


def test_completions_are_counted_as_answers(make: Any) -> None:
    """What follows a prompt is what is learned, and such rows lack neither a system nor a user message."""
    target = Target(name="b", provider="openai", model="babbage-002")
    rows = "".join(json.dumps({"prompt": f"question {n}", "completion": " yes"}) + "\n" for n in range(12))
    train = data.examine(make({"a.jsonl": rows}, target=target)).files["train"]
    assert train is not None
    assert train.assistant_tokens["sum"] == 12
    assert train.tokens["sum"] > 12
    assert (train.missing_system, train.missing_user) == (0, 0)
