"""ftrun.engine.inference.chat_worker: the process that answers, over its pipes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import pytest

from engine.local.conftest import question
from ftrun.engine.inference import chat_worker
from ftrun.engine.questions import Progress

pytestmark = pytest.mark.local


@pytest.fixture
def worker(tiny_folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that answers with the tiny model."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ftrun.engine.inference.chat_worker", str(tiny_folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    yield process
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def send(pipe: IO[bytes], *messages: dict[str, Any]) -> None:
    """Write messages as the server does."""
    pipe.write(b"".join(json.dumps(message).encode() + b"\n" for message in messages))
    pipe.flush()


def request(name: str, text: str = "猫は何と鳴く？", **sampling: Any) -> dict[str, Any]:
    """Return a request as the server writes it."""
    message = asdict(question(name, text, **sampling))
    return {**message, "adapter": message["adapter"] and str(message["adapter"])}


def test_the_process_answers_many_at_once_and_ends_with_its_server(
    worker: subprocess.Popen[bytes],
) -> None:
    """It says when it is ready, refuses one question, drops a cancelled one and answers the others."""
    assert worker.stdin is not None and worker.stdout is not None
    long = request("gone", max_tokens=200, stop=["never"])
    send(worker.stdin, long, *(request(str(n)) for n in range(6)), request("bad", "猫" * 300))
    ready, ended, order = None, dict[str, dict[str, Any]](), list[str]()
    while len(ended) < 8:
        message = json.loads(worker.stdout.readline())
        if "ready" in message:
            ready = message["ready"]
        elif "piece" in message:
            if message["id"] == "gone" and "gone" not in order:
                send(worker.stdin, {"cancel": "gone"}, {"cancel": "unknown"})
            order.append(message["id"])
        else:
            ended[message["id"]] = message
    assert ready == {"at_once": 32, "dtype": "float32"}
    assert ended["bad"]["error"]["code"] == "context_length_exceeded"
    assert all(ended[str(n)]["done"]["completion_tokens"] == 24 for n in range(6))
    assert ended["gone"]["done"]["completion_tokens"] < 200
    assert order != sorted(order)  # pieces of several answers in turn, not one answer after the other
    worker.stdin.close()
    assert worker.wait(60) == 0


def test_an_unexpected_error_is_in_the_log_with_its_place(capfd: pytest.CaptureFixture[str]) -> None:
    """Whoever asked is told what it was; where it came from is for the log."""
    told = list[Any]()
    try:
        _ = 1 / 0
    except ZeroDivisionError as error:
        failed = Progress(id="a", error=error)
    chat_worker._report(failed, told.append)
    message = "ZeroDivisionError: division by zero"
    assert told == [{"id": "a", "error": {"status": 500, "message": message, "code": None, "param": None}}]
    assert f'File "{__file__}"' in capfd.readouterr().err
