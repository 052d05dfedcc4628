"""Commands before a server that takes the connection and never answers: they say so, and they end."""

from __future__ import annotations

import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator

import pytest

from support.paid_project import Paid
from support.scripted_server import Answer, Asked

LONG = 30.0  # seconds that the server is silent: none of these commands may wait for it


@pytest.fixture
def silent(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> Iterator[Paid]:
    """Yield a project with a job, whose server has fallen silent; bounds and pauses are short."""
    paid.run("run", paid.config, "--yes", "--detach", code=75)
    for module in ("ftrun.targets.service", "ftrun.runner.repair"):  # which may have been loaded before
        monkeypatch.setattr(f"{module}.READING", 0.4)
    monkeypatch.setattr("ftrun.waiting.PAUSES", (0.1, 60.0), raising=False)
    monkeypatch.setattr("ftrun.targets.api.connection.READ_RETRIES", 4)
    over = threading.Event()

    def hook(asked: Asked) -> Answer | None:
        over.wait(LONG)
        return None

    paid.provider.hook = hook
    yield paid
    over.set()


def test_commands_that_only_read_end_soon(silent: Paid) -> None:
    """status answers from the state, ls and events name the silent address; each says its wait."""
    address = silent.server.base_url
    assert json.loads(silent.run("status", silent.config, "--json"))["job_status"] == "running"
    assert f"waiting for {address}" in silent.error
    for words in (("ls", "jobs"), ("ls", "files"), ("ls", "models"), ("events",), ("state", "verify")):
        begin = time.monotonic()
        document = silent.json(*words, str(silent.config), code=1)
        assert silent.server.origin in document["error"]["message"], words
        assert f"waiting for {address}" in silent.error, words
        assert time.monotonic() - begin < LONG, words


def test_a_plan_is_made_from_the_state(silent: Paid) -> None:
    """plan says that the target was not checked, and which address did not answer."""
    begin = time.monotonic()
    text = silent.run("plan", silent.config, "--set", "train.seed=5")
    assert time.monotonic() - begin < LONG
    assert f"remote not checked: looking at file file-1: {silent.server.origin} did not answer" in text
    assert f"waiting for {silent.server.base_url}" in silent.error


def test_a_wait_is_said_of_a_run_too(silent: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run with --json keeps stdout to its document and says on stderr what it waits for."""
    monkeypatch.setattr("ftrun.targets.api.connection.READ_RETRIES", 0)

    def slowly(asked: Asked) -> Answer | None:
        if asked.method == "GET":
            time.sleep(0.3)
        return None

    silent.provider.hook = slowly
    document = silent.json("run", silent.config, "--yes")
    assert document["status"] == "done"
    assert f"waiting for {silent.server.base_url}/fine_tuning/jobs" in silent.error
    assert f"waiting for job {document['job_id']} at {silent.server.base_url}, since" in silent.error


def test_who_waits_for_a_lock_says_for_whom(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --wait a second run names the lock, the holder and since when, until it has it."""
    monkeypatch.setattr("ftrun.waiting.PAUSES", (0.1, 60.0), raising=False)
    path = paid.folder / "runs/toy/paid/run.lock"
    path.parent.mkdir(parents=True)
    path.with_suffix(".json").write_text('{"pid": 7, "host": "h", "folder": "f", "since": "s"}')
    held = os.open(path, os.O_CREAT | os.O_RDWR)
    fcntl.flock(held, fcntl.LOCK_EX)

    def give_way() -> None:
        while all(thread.name != "waits" for thread in threading.enumerate()):
            time.sleep(0.02)
        time.sleep(0.5)
        os.close(held)

    threading.Thread(target=give_way, daemon=True).start()
    paid.run("run", paid.config, "--until", "check", "--wait")
    assert f"waiting for the lock {path}" in paid.error and "process 7 on h" in paid.error
