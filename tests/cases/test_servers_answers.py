"""A model that refuses to answer: shown as a refusal in answers, report and chat, not as an empty answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.paid_project import Paid, on_plain_provider
from support.scripted_server import Answer, Asked

WORDS = "I can't help with that."
WITHHELD = "(withheld by the server's content filter)"


@pytest.fixture
def paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Paid]:
    """Yield a project on a provider in memory."""
    with on_plain_provider(tmp_path, monkeypatch, capfd) as made:
        made.add("report: {language: en}\n")
        yield made


def answering(paid: Paid, message: dict[str, Any], finish: str, *, stream: bool) -> None:
    """Let every model give this answer, in pieces where it is asked to and can."""

    def hook(asked: Asked) -> Answer | None:
        if asked.path != "/chat/completions":
            return None
        if not (stream and asked.body.get("stream")):
            whole = {"role": "assistant", **message}
            return Answer({"choices": [{"index": 0, "message": whole, "finish_reason": finish}]})
        events = [({**message}, None), ({}, finish)]
        lines = [
            f"data: {json.dumps({'choices': [{'index': 0, 'delta': delta, 'finish_reason': end}]})}\n\n"
            for delta, end in events
        ]
        pieces = (line.encode() for line in (*lines, "data: [DONE]\n\n"))
        return Answer(pieces, headers={"Content-Type": "text/event-stream"})

    paid.provider.hook = hook


@pytest.mark.parametrize(
    ("message", "finish", "refusal", "shown", "stream"),
    [
        ({"content": None, "refusal": WORDS}, "stop", "model", f"(refused) {WORDS}", True),
        ({"content": "", "refusal": WORDS}, "stop", "model", f"(refused) {WORDS}", False),
        ({"content": None}, "content_filter", "content_filter", WITHHELD, True),
        ({"content": None}, "content_filter", "content_filter", WITHHELD, False),
        ({"content": "fine", "refusal": None}, "stop", None, "fine", False),
    ],
)
def test_a_refusal_is_shown_as_one(
    paid: Paid, message: dict[str, Any], finish: str, refusal: str | None, shown: str, stream: bool
) -> None:
    """The line of answers.jsonl says who refused, report and chat mark it, and a warning says so."""
    answering(paid, message, finish, stream=stream)
    assert paid.json("run", paid.config, "--yes")["status"] == "done"
    assert ("shown as a refusal" in paid.error) == (refusal is not None)
    (line,) = (paid.folder / "runs/toy/paid/answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line).get("refusal") == refusal
    report = (paid.folder / "runs/toy/paid/report.md").read_text(encoding="utf-8")
    assert "an empty answer" not in report
    assert shown.split(")")[0] in report
    page = (paid.folder / "runs/toy/paid/report.html").read_text(encoding="utf-8")
    page = re.sub("<script.*?</script>", "", page, flags=re.DOTALL)  # which knows the words too
    assert ("a refusal, not an answer" in page) == (refusal == "model")
    assert ("withheld by the server" in page) == (refusal == "content_filter")
    assert paid.json("chat", paid.config, "-m", "一番は？")["answers"][0]["answer"] == shown
