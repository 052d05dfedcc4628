"""A chat shows answers as they come, and a loop not to its end."""

from __future__ import annotations

import json
from collections.abc import Iterator

from conftest import Ftrun
from support.paid_project import Paid
from support.scripted_server import Answer, Asked

LOOP = "I am stuck. "


def _stream(pieces: int) -> Iterator[bytes]:
    for number in range(pieces):
        chunk = {
            "id": "chat-1",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": "m",
            "choices": [{"index": 0, "delta": {"content": LOOP}, "finish_reason": None}],
        }
        if number == pieces - 1:
            chunk["choices"][0]["finish_reason"] = "stop"  # type: ignore[index]
        yield f"data: {json.dumps(chunk)}\n\n".encode()
    yield b"data: [DONE]\n\n"


def test_a_loop_is_not_shown_to_its_end(paid: Paid) -> None:
    """A model that only repeats itself is heard out, but does not fill the screen."""
    paid.run("run", paid.config, "--yes")

    def hook(asked: Asked) -> Answer | None:
        if asked.path == "/chat/completions" and asked.body.get("stream"):
            return Answer(_stream(400), headers={"Content-Type": "text/event-stream"})
        return None

    paid.provider.hook = hook
    said = paid.run("chat", paid.config, "--message", "hello")
    assert 20 <= said.count(LOOP) <= 40
    assert said.endswith("… (repeats itself; the rest is not shown)\n")
    (answer,) = paid.json("chat", paid.config, "--message", "hello")["answers"]
    assert answer["answer"] == LOOP * 400


def test_checkpoints_are_talked_to_by_name(ftrun: Ftrun) -> None:
    """What is more than a model, or no checkpoint of this one, is refused with those that there are."""
    ftrun.json("configs/toy.yaml")
    words = ("chat", "configs/toy.yaml", "-m", "こんにちは", "--with")
    found = ftrun.json(*words, "ckpt-step-6", "--with", "base")["answers"]
    assert [one["candidate"] for one in found] == ["tuned", "ckpt-step-6", "base"]
    assert found[1]["model"].endswith(":ckpt-step-6")
    for name in ("few-shot", "ckpt-step-5"):
        assert "ckpt-step-6" in ftrun.json(*words, name, code=2)["error"]["hint"]
