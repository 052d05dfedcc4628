"""Models that were deleted at their target, terms before they are accepted, the running engine's token."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import Ftrun
from support.paid_project import Paid, on_plain_provider

AGAIN = "ftrun run toy.yaml --target paid --force train"


@pytest.fixture
def paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Paid]:
    """Yield a project on a provider in memory whose model was trained and evaluated."""
    monkeypatch.setattr("ftrun.targets.api.connection.LATE_MODEL", 0.0)
    with on_plain_provider(tmp_path, monkeypatch, capfd) as made:
        made.run("run", made.config, "--yes")
        yield made


def model_of(paid: Paid) -> str:
    """Return the tuned model."""
    return str(paid.json("status", paid.config)["fine_tuned_model"])


def test_every_command_knows_a_model_that_was_deleted(paid: Paid) -> None:
    """run, plan, status, history and chat say so with the way out; nothing is trained again, or paid for."""
    model = model_of(paid)
    paid.run("rm", model, paid.config, "--yes")
    for words in (("run", paid.config, "--yes"), ("plan", paid.config), ("status", paid.config)):
        text = paid.run(*words)
        assert f"the model {model} was deleted at the target" in text and AGAIN in text, words
    assert "deleted at the target" in paid.run("history", paid.config)
    assert paid.json("history", paid.config)["models"][0]["removed"]
    assert paid.json("status", paid.config)["model_removed"]
    error = paid.json("chat", paid.config, "-m", "一番は？", code=4)["error"]
    assert error["code"] == "model_removed" and AGAIN in error["hint"]
    assert len(paid.provider.created) == 1


def test_a_new_question_does_not_ask_a_deleted_model(paid: Paid) -> None:
    """A person must decide (exit 4); the command of the tip trains another, once."""
    paid.run("rm", model_of(paid), paid.config, "--yes")
    more = ("--set", "eval.prompts=[{id: two, user: 二番は？}]")
    error = paid.json("run", paid.config, "--yes", *more, code=4)["error"]
    assert error["code"] == "model_removed" and "costs money again" in error["hint"]
    assert "--force train" in error["hint"] and len(paid.provider.created) == 1
    paid.run("run", paid.config, "--yes", *more, "--force", "train")
    assert len(paid.provider.created) == 2
    assert "deleted" not in paid.run("run", paid.config, "--yes", *more)
    assert paid.json("chat", paid.config, "-m", "一番は？")["answers"]


def test_a_model_that_somebody_else_deleted_is_found_missing(paid: Paid) -> None:
    """The first command that asks it finds out, and the others then know."""
    model = model_of(paid)
    del paid.provider.models[model]

    def hook(asked: Any) -> Any:
        from support.scripted_server import refusal

        gone = asked.path == "/chat/completions" and asked.body["model"] not in paid.provider.models
        return refusal(404, "no such model", "model_not_found") if gone else None

    paid.provider.hook = hook
    assert f"the model {model} was deleted" in paid.run("plan", paid.config)
    error = paid.json("chat", paid.config, "-m", "一番は？", code=4)["error"]
    assert error["code"] == "model_removed"
    assert "was deleted at the target" in paid.run("run", paid.config, "--yes")
    assert len(paid.provider.created) == 1


def accept(cache: Path, *words: str, answer: str | None) -> tuple[int, str]:
    """Run `ftrun models --accept` on a terminal where `answer` is typed, or without one."""
    environment = {**os.environ, "FTRUN_CACHE": str(cache), "PIP_NO_INDEX": "1"}
    command = [sys.executable, "-m", "ftrun", "models", "--accept", "gemma-3-270m", *words]
    if answer is None:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
        )
        return done.returncode, done.stderr
    ours, theirs = pty.openpty()
    run = subprocess.Popen(command, env=environment, stdin=theirs, stderr=subprocess.PIPE, text=True)
    os.write(ours, answer.encode())
    _, said = run.communicate(timeout=60)
    os.close(ours)
    os.close(theirs)
    return run.returncode, said


def test_terms_are_shown_before_they_are_accepted(tmp_path: Path) -> None:
    """Name, licence, summary and address come before the question; without a terminal only --yes accepts."""
    record = tmp_path / "accepted-gemma-3-270m.json"
    for words, answer, code, accepted in (
        ((), None, 4, False),
        ((), "n\n", 4, False),
        (("--yes",), None, 0, True),
        ((), "y\n", 0, True),
    ):
        record.unlink(missing_ok=True)
        assert (result := accept(tmp_path, *words, answer=answer))[0] == code, result
        assert "licence: Gemma" in result[1] and "https://ai.google.dev/gemma/terms" in result[1]
        assert "In short, in our words" in result[1]
        assert record.exists() is accepted


def test_the_engine_that_is_running_shows_its_token(ftrun: Ftrun, project: Path) -> None:
    """The tip of a second `serve` is a command that prints what a client needs, and the token works."""
    none = ftrun.json("serve", "--show", code=2)
    assert none["error"]["code"] == "no_engine"
    ftrun("run", "configs/toy.yaml", "--until", "train")
    refused = ftrun("serve")
    assert refused.returncode == 4
    tip = refused.stderr.split("`")[1].split()[1:]
    shown = ftrun(*tip)
    assert shown.returncode == 0, shown.stderr
    document = ftrun.json(*tip)
    assert f"export OPENAI_API_KEY={document['token']}" in shown.stdout
    request = urllib.request.Request(
        f"{document['base_url']}/models", headers={"Authorization": f"Bearer {document['token']}"}
    )
    with urllib.request.urlopen(request) as answer:
        assert json.load(answer)["data"]
    assert document["token"] not in refused.stderr
