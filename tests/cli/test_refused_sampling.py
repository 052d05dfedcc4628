"""A model that refuses a parameter after its job was paid: the run adapts and says so, or names the key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.paid_project import Paid
from support.scripted_server import Answer, Asked, refusal

RUN = ("run", "toy.yaml", "--yes")
AUGMENT = ("augment", "toy.yaml", "--yes", "--set", "data.augment.max_rows=4")


def refusing(paid: Paid, *names: str, code: str = "unsupported_parameter", finish: str = "stop") -> None:
    """Let the server refuse requests with these parameters, and answer others with `finish` as the reason."""

    def hook(asked: Asked) -> Answer | None:
        if asked.path != "/chat/completions":
            return None
        for name in names:
            if name in asked.body:
                error = {"message": f"Unsupported: '{name}'", "param": name, "code": code}
                return Answer({"error": error}, 400)
        message = {"role": "assistant", "content": "1. はい" if finish == "stop" else ""}
        return Answer({"choices": [{"index": 0, "message": message, "finish_reason": finish}]})

    paid.provider.hook = hook


def chats(paid: Paid) -> list[Any]:
    """Return what was sent to the chat endpoint."""
    return [one.body for one in paid.server.asked if one.path == "/chat/completions"]


def test_a_run_adapts_to_what_its_model_refuses(paid: Paid) -> None:
    """It renames and leaves out what the server names, says so once, and keeps it with the answers."""
    refusing(paid, "max_tokens", "temperature", "seed")
    paid.add("  sampling: {max_tokens: 64}\n")
    two = ("--set", "eval.prompts=[{id: one, user: 一番は？}, {id: two, user: 二番は？}]")
    assert paid.json(*RUN, *two)["status"] == "done"
    assert (len(chats(paid)), chats(paid)[-1]["max_completion_tokens"]) == (5, 64)
    assert paid.error.count("does not take `max_tokens`: sent as `max_completion_tokens`") == 1
    assert paid.error.count("does not take the given `temperature`: left out") == 1
    lines = (paid.folder / "runs/toy/paid/answers.jsonl").read_text(encoding="utf-8").splitlines()
    changes = {"max_tokens": "max_completion_tokens", "temperature": None, "seed": None}
    assert [json.loads(line)["changes"] for line in lines] == [changes, changes]
    assert "ft:m:ftjob-1 は" in (paid.folder / "runs/toy/paid/report.md").read_text("utf-8")
    more = ("--set", "eval.prompts=[{id: one, user: 一番は？}, {id: three, user: 三番は？}]")
    paid.json(*RUN, *more)
    assert [one["messages"][-1]["content"] for one in chats(paid)[5:]] == ["三番は？"] * 4, (
        "kept as asked for"
    )


def test_what_can_not_be_adapted_names_the_key_and_its_place(paid: Paid) -> None:
    """The error has file, line and key, says how to leave it to the server, and no other job is paid."""
    refusing(paid, "max_tokens", "max_completion_tokens")
    paid.add("  sampling: {max_tokens: 64}\n")
    error = paid.json(*RUN, code=1)["error"]
    assert (error["code"], error["file"], error["line"]) == ("refused", "toy.yaml", 11)
    assert "Set `eval.sampling.max_tokens` to a value that this model takes, or to null" in error["hint"]
    assert paid.json(*RUN, "--set", "eval.sampling.max_tokens=null")["status"] == "done"
    assert len(paid.provider.jobs) == 1


@pytest.mark.parametrize(
    ("told", "hint"),
    [
        ("'messages[0].role' does not support 'system' with this model.", "`system: null`"),
        ("System role not supported", "`system: null`"),
        ("The content was filtered", "Change `eval.prompts` or `eval.sampling`"),
    ],
)
def test_a_request_that_is_refused_again_is_not_to_be_repeated(paid: Paid, told: str, hint: str) -> None:
    """The fix is another request, not the same command."""
    paid.provider.hook = lambda asked: refusal(400, told) if asked.path == "/chat/completions" else None
    error = paid.json(*RUN, code=1)["error"]
    assert hint in error["hint"] and "run the same command" not in error["hint"]
    assert hint in paid.json("chat", "toy.yaml", "-m", "一番は？", code=1)["error"]["hint"]


def test_an_empty_answer_of_a_model_that_thought_too_long_is_told(paid: Paid) -> None:
    """All tokens went into thinking: the key to raise is named, and the answer is kept as it came."""
    refusing(paid, finish="length")
    assert paid.json(*RUN)["status"] == "done"
    assert "it used all 256 tokens before it said anything" in paid.error
    assert "Raise `eval.sampling.max_tokens`" in paid.error


def test_augment_and_chat_adapt_too(paid: Paid) -> None:
    """Whoever asks a model for something renames, leaves out, and says so once."""
    refusing(paid, "max_tokens", "temperature")
    paid.json(*RUN)
    paid.json(*AUGMENT)
    assert paid.error.count("does not take `max_tokens`") == 1
    refusing(paid, "max_tokens", "temperature", "stream")
    assert paid.json("chat", "toy.yaml", "-m", "一番は？")["answers"][0]["answer"] == "1. はい"
    assert paid.error.count("does not take `max_tokens`") == 1
    refusing(paid, "top_p", "max_completion_tokens", "max_tokens")
    cap = ("--set", "data.augment.max_rows=8", "--set", "data.augment.kind=new")
    error = paid.json(*AUGMENT[:3], *cap, code=1)["error"]
    assert "`data.augment.sampling.max_tokens`" in error["hint"]
