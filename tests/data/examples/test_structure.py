"""What a chat example must look like, and how rows become one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftrun import data
from ftrun.errors import DataError
from ftrun.experiment.model import Prompt, Template
from ftrun.protocol.training_rows import row_faults

USER = {"role": "user", "content": "q"}
ANSWER = {"role": "assistant", "content": "a"}


@pytest.mark.parametrize(
    ("messages", "codes"),
    [
        ([USER, ANSWER], []),
        ([{"role": "developer", "content": "x"}, USER, {**ANSWER, "weight": 0}, USER, ANSWER], []),
        ([], ["empty_messages"]),
        (["hi"], ["message_shape"]),
        ([{"content": "q"}, ANSWER], ["role"]),
        ([{"role": [], "content": "q"}, ANSWER], ["role"]),
        ([{"role": "tool", "content": "q"}, ANSWER], ["orphan_tool_message"]),
        ([{"role": "function", "name": "f", "content": "q"}, ANSWER], ["legacy_functions"]),
        ([USER, {**ANSWER, "function_call": {"name": "f", "arguments": "{}"}}], ["legacy_functions"]),
        ([USER, {"role": "assistant", "content": None, "tool_calls": []}], ["empty_content", "tool_calls"]),
        ([USER, {**ANSWER, "mood": "x"}], ["unknown_key"]),
        ([USER, {"role": "assistant"}], ["empty_content"]),
        ([{**USER, "content": " \u3000\n"}, ANSWER], ["empty_content"]),
        ([{**USER, "content": 4}, ANSWER], ["content_type"]),
        ([{**USER, "content": [{"type": "text"}]}, ANSWER], ["content_part"]),
        ([{**USER, "content": [{"type": "text", "text": "q"}]}, ANSWER], []),
        ([{**USER, "content": []}, ANSWER], ["empty_content"]),
        ([USER, {**ANSWER, "weight": 0.5}], ["weight"]),
        ([USER, {**ANSWER, "weight": True}], ["weight"]),
        ([{**USER, "weight": 1}, ANSWER], ["weight"]),
        ([{**USER, "name": ""}, ANSWER], ["name"]),
        ([USER, ANSWER, USER], ["last_not_assistant"]),
        ([USER], ["missing_assistant"]),
        ([USER, {"role": "system", "content": "x"}, ANSWER], ["late_system"]),
        ([USER, {**ANSWER, "weight": 0}], ["nothing_to_learn"]),
    ],
)
def test_structure(messages: list[Any], codes: list[str]) -> None:
    """Each flaw has its own code, and good chats have none."""
    assert [fault.code for fault in row_faults({"messages": messages}, "supervised")] == codes


def test_ready_chats_get_the_system_prompt_where_they_have_none(make: Any, tmp_path: Path) -> None:
    """`prompt.system` is put in front of chats without a system message; the others pass unchanged."""
    own = {"role": "system", "content": "own"}
    text = "".join(json.dumps({"messages": one}) + "\n" for one in ([USER, ANSWER], [own, USER, ANSWER]))
    experiment = make({"a.jsonl": text}, prompt=Prompt(system=Template(text="猫")))
    data.prepare(experiment, tmp_path / "out")
    lines = (tmp_path / "out/train.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["messages"] for line in lines] == [
        [{"role": "system", "content": "猫"}, USER, ANSWER],
        [own, USER, ANSWER],
    ]
    assert "猫" in lines[0]


def test_other_templates_over_ready_chats_are_an_error(
    make: Any, columns: Prompt, chats: Any, tmp_path: Path
) -> None:
    """Templates for user and assistant have no use with ready chats, which is told once each."""
    with pytest.raises(DataError) as caught:
        data.prepare(make({"a.jsonl": chats(range(12))}, prompt=columns), tmp_path / "out")
    assert [problem.code for problem in caught.value.problems] == ["mixed_templates"] * 2
    assert caught.value.problem.line == 30


def test_older_keys_are_an_error_and_others_a_warning(make: Any) -> None:
    """A key that would change what is learned is refused; one without effect is a warning, told once."""
    rows = [{"messages": [USER, {**ANSWER, "content": str(n)}], "id": n} for n in range(12)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    result = data.examine(make({"a.jsonl": text}))
    assert ("ignored_key", 1) in [(warning.code, warning.line) for warning in result.warnings]
    assert not result.errors
    rows[3] = {"messages": [USER, ANSWER], "functions": []}
    result = data.examine(make({"a.jsonl": "".join(json.dumps(row) + "\n" for row in rows)}))
    assert [(error.code, error.line) for error in result.errors] == [("legacy_functions", 4)]


def test_a_template_fault_is_told_once_with_its_count(make: Any) -> None:
    """A variable that no row has is one problem that says how many rows met it and where the first is."""
    prompt = Prompt(user=Template(text="{{ question }}"), assistant=Template(text="{{ a }}"))
    (error,) = data.examine(make({"a.csv": "q,a\n1,2\n3,4\n"}, prompt=prompt)).errors
    assert error.code == "template_variable"
    assert "in 2 rows" in error.message
    assert error.line == 2


def test_null_is_told_at_its_row(make: Any, columns: Prompt) -> None:
    """A null that a template would print is an error at the row's line."""
    text = '{"q": "x", "a": "y"}\n{"q": "x", "a": null}\n'
    (error,) = data.examine(make({"a.jsonl": text}, prompt=columns)).errors
    assert (error.code, error.line) == ("template_null", 2)


def test_rows_of_columns_need_templates(make: Any) -> None:
    """Rows that are no chats, in an experiment without templates, are one problem with the way out."""
    (error,) = data.examine(make({"a.csv": "q,a\n1,2\n3,4\n"})).errors
    assert error.code == "no_templates"
    assert str(error.hint).endswith("Columns: q, a.")
    assert str(error.file).endswith("a.csv")
    assert error.line == 2
    assert "prompt.user" in str(error.hint)


def test_messages_that_are_no_list_are_told_as_such(make: Any) -> None:
    """A row whose `messages` is a text is a broken chat, not a row of columns."""
    (error,) = data.examine(make({"a.jsonl": '{"messages": "hello"}\n'})).errors
    assert (error.code, error.line) == ("message_shape", 1)
    assert '"hello"' in error.message
