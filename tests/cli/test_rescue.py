"""`ftrun rescue`: what tuned models and their bases answer is recorded once, priced before, and never lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.paid_project import Paid
from support.scripted_server import Answer, Asked


def said(asked: Asked) -> Answer | None:
    """Return an answer that depends on model and question; nothing to other calls."""
    if asked.path != "/chat/completions":
        return None
    text = f"{asked.body['model']}: {asked.body['messages'][-1]['content']}"
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    usage = {"prompt_tokens": 10, "completion_tokens": 10}
    return Answer({"choices": [choice], "usage": usage, "system_fingerprint": "fp_1"})


def questions_asked(paid: Paid) -> int:
    """Return how many questions the server was asked."""
    return sum(call.name == "POST /chat/completions" for call in paid.provider.calls)


def lines_of(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a JSONL file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def trained(paid: Paid) -> Paid:
    """Return the project with a tuned model, which was never asked anything."""
    paid.provider.hook = said
    paid.json("run", "toy.yaml", "--yes", "--until", "wait")
    return paid


def test_the_answers_are_recorded_with_how_they_were_asked(trained: Paid) -> None:
    """Tuned and base, eval prompts and training rows; a rerun asks nobody, needs no key and changes no byte."""
    document = trained.json("rescue", "toy.yaml", "--yes", "--train-rows", "3")
    (entry,) = document["experiments"]
    assert (entry["status"], entry["answers"], entry["asked"]) == ("done", {"tuned": 4, "base": 4}, 8)
    lines = lines_of(Path(entry["file"]))
    print(json.dumps(lines[0], ensure_ascii=False, indent=1))
    print(trained.error)
    print((Path(entry["manifest"])).read_text())
    print(Path(entry["questions"]).read_text())
    print(trained.run("rescue", "toy.yaml", "--yes", "--train-rows", "3"), trained.error)
    assert 0
