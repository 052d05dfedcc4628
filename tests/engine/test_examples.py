"""Training files as the engine reads them, and what n_epochs auto means."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ftrun.engine.backends import Rejected
from ftrun.engine.examples import count_examples, read_examples, rows_of
from ftrun.protocol.spec import Method, default_epochs


@pytest.mark.parametrize(
    ("examples", "epochs"),
    [(1, 25), (4, 25), (10, 10), (33, 3), (34, 3), (8333, 3), (8334, 2), (20_000, 1), (99_999, 1)],
)
def test_auto_epochs_follow_the_size(examples: int, epochs: int) -> None:
    """Three epochs, more for small files up to 25, fewer for very big ones down to one."""
    assert default_epochs(examples) == epochs


def test_blank_lines_and_a_bom_do_no_harm(tmp_path: Path) -> None:
    """A byte order mark, CRLF and blank lines are read over, and lines still count from the file's start."""
    row = '{"messages": [{"role": "user", "content": "猫"}, {"role": "assistant", "content": "にゃ"}]}'
    path = tmp_path / "a.jsonl"
    path.write_bytes(f"\ufeff{row}\r\n\r\n{row}\r\n".encode())
    assert [messages[0]["content"] for messages in read_examples(path, param="x")] == ["猫", "猫"]
    assert count_examples(path, param="validation_file") == 2
    with path.open("ab") as file:
        file.write(b"[]\n")
    with pytest.raises(Rejected, match="Line 4 of the validation_file"):
        count_examples(path, param="validation_file")


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ('{"role": "assistant", "content": "x", "weight": 2}', "weight must be 0 or 1"),
        ('{"role": "user", "content": "x", "weight": 1}', "weight must be 0 or 1"),
        ('{"role": "assistant", "content": "x", "weight": 0}', "no assistant message to learn from"),
        ('{"role": "assistant", "content": null}', "content must be a string"),
        ('{"role": "assistant", "content": "\\ud800"}', "content must be a string"),
        ('{"role": "assistant", "content": "x", "tool_calls": []}', "tool_calls is not supported"),
        ('"x"', "messages\\[0\\] must be an object"),
    ],
)
def test_what_training_would_ignore_is_rejected(tmp_path: Path, message: str, words: str) -> None:
    """A message that can't be learnt from as it stands is rejected with its line."""
    path = tmp_path / "a.jsonl"
    path.write_text('{"messages": [' + message + "]}\n", encoding="utf-8")
    with pytest.raises(Rejected, match=f"Line 1 of the training_file: .*{words}"):
        count_examples(path, param="training_file")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ('{"messages": [], "tools": []}', "does not train on tools"),
        ('{"input": {}, "preferred_output": []}', "does not train on preferences"),
        ('{"prompt": "a", "completion": "b"}', "does not train on prompts and completions"),
    ],
)
def test_other_shapes_are_named(tmp_path: Path, row: str, words: str) -> None:
    """Rows that other servers train on are rejected with their line and what they are."""
    path = tmp_path / "a.jsonl"
    path.write_text(row + "\n", encoding="utf-8")
    with pytest.raises(Rejected, match=f"Line 1 of the training_file: .*{words}"):
        count_examples(path, param="training_file")


def test_text_in_parts_is_joined(tmp_path: Path) -> None:
    """Content in parts of text trains as the one text that the chat endpoint makes of it."""
    path = tmp_path / "a.jsonl"
    parts = '[{"type": "text", "text": "ね"}, {"type": "text", "text": "こ"}]'
    path.write_text(f'{{"messages": [{{"role": "assistant", "content": {parts}}}]}}\n', encoding="utf-8")
    assert next(read_examples(path, param="x"))[0]["content"] == "ねこ"


ASKED, CALL = {"role": "user", "content": "？"}, {"name": "f", "arguments": "{}"}
ANSWER = {"role": "assistant", "content": "!"}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
CALLED = {"role": "assistant", "tool_calls": [{"id": "c", "type": "function", "function": CALL}]}
IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
RICH: dict[str, tuple[Method, dict[str, Any]]] = {
    "tools": (
        "supervised",
        {"messages": [ASKED, CALLED, {"role": "tool", "tool_call_id": "c", "content": "7"}, ANSWER],
         "tools": TOOLS},
    ),
    "images": ("supervised", {"messages": [{**ASKED, "content": [IMAGE]}, ANSWER]}),
    "completion": ("supervised", {"prompt": "a", "completion": "b"}),
    "preference": (
        "dpo",
        {"input": {"messages": [ASKED]}, "preferred_output": [ANSWER],
         "non_preferred_output": [{**ANSWER, "content": "?"}]},
    ),
    "graded": ("reinforcement", {"messages": [ASKED], "answer": "!"}),
}  # fmt: skip


@pytest.mark.parametrize("name", RICH)
def test_a_rehearsal_takes_all_that_is_sound(tmp_path: Path, name: str) -> None:
    """Rows of every method and content are rehearsed as texts; a model that trains refuses them."""
    method, row = RICH[name]
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    (messages,) = read_examples(path, param="x", row=rows_of("rehearsal", method))
    assert all(isinstance(one["content"], str) and one["content"] for one in messages)
    with pytest.raises(Rejected, match="Line 1 of the x"):
        count_examples(path, param="x", row=rows_of("smollm2-135m-instruct", method))


@pytest.mark.parametrize(
    ("method", "row", "words"),
    [
        ("supervised", {"messages": [ASKED, CALLED]}, "tools"),
        ("supervised", {"messages": [ASKED, ANSWER], "note": 1}, '"note" is not supported'),
        ("supervised", {"input": {"messages": [ASKED]}}, "the key 'input'"),
        ("supervised", [], "must be a JSON object"),
        ("dpo", {"messages": [ASKED, ANSWER]}, "the key 'messages'"),
        ("dpo", {"input": {"messages": [ASKED]}, "preferred_output": [ANSWER]}, "`non_preferred_output`"),
        ("reinforcement", {"messages": [ASKED, ANSWER]}, "should answer by itself"),
        ("reinforcement", {"answer": "!"}, 'a list "messages"'),
    ],
)
def test_a_rehearsal_refuses_what_no_server_takes(
    tmp_path: Path, method: Method, row: Any, words: str
) -> None:
    """A row that breaks the rules of its method is rejected with its line."""
    path = tmp_path / "a.jsonl"
    path.write_text(json.dumps(row) + "\n", encoding="utf-8")
    with pytest.raises(Rejected, match=f"Line 1 of the x: .*{words}"):
        count_examples(path, param="x", row=rows_of("rehearsal", method))
