"""The guard around every test (no key, loopback only, a home of its own), and a project to run."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from support.forked import Forked, can_be_forked, fork_server

ROOT = Path(__file__).resolve().parents[1]
FOREIGN = ("OPENAI_", "AZURE_", "ANTHROPIC_", "AWS_", "HF_", "FTRUN_", "XDG_")
KEPT = ("FTRUN_TEST_CACHE", "FTRUN_TEST_ALL")
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell starts what is in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # or no run of a test would hear of Ctrl-C
# the same examples each time, as long as they take: only `make test-all` goes on looking for others
settings.register_profile(
    "ftrun",
    deadline=None,
    derandomize=not os.environ.get("FTRUN_TEST_ALL"),
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("ftrun")


@pytest.fixture(autouse=True)
def guard(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Take keys out of the environment, put home and stores in a temporary folder, refuse foreign hosts."""
    for name in list(os.environ):
        if name.startswith(FOREIGN) and name not in KEPT:
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("FTRUN_HOME", str(home / "engine"))
    monkeypatch.setenv("FTRUN_ENGINE_IDLE", "60")
    monkeypatch.setattr("ftrun.cost.availability.today", lambda: date(2026, 9, 1))
    monkeypatch.setattr(
        "ftrun.redaction._secrets", set[str]()
    )  # what one test keeps is no secret of the next
    connect = socket.socket.connect

    def connect_to_loopback(self: socket.socket, address: Any) -> None:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            assert str(address[0]).startswith("127.") or address[0] in ("::1", "localhost"), address
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", connect_to_loopback)
    yield home
    end_engine(home / "engine")


def end_engine(home: Path) -> None:
    """End the background engine that a test started, if it answers: the process id of one that died may be
    another process's by now.
    """
    if (home / "engine.json").exists():
        from ftrun.engine.launch import running_engine

        engine = running_engine(home)
        if engine is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(engine.pid, signal.SIGTERM)


class Ftrun:
    """Runs the command line in a process of its own, as a user would.

    It is forked from one that has imported ftrun, unless it is to be `fresh`: an interpreter that starts.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(
        self,
        *words: str,
        env: Mapping[str, str] | None = None,
        timeout: float = 300,
        stdin: str | None = None,
        encoding: str | None = None,
        fresh: bool = False,
    ) -> subprocess.CompletedProcess[str]:
        """Run `ftrun WORDS` to its end and return exit code and output."""
        environment = {**os.environ, **(env or {})}
        if not fresh and not stdin and can_be_forked(environment):
            run = fork_server().start(words, cwd=self.folder, env=environment, encoding=encoding)
            try:
                said = run.communicate(timeout)
            except subprocess.TimeoutExpired:
                run.kill()
                raise
            return subprocess.CompletedProcess(["ftrun", *words], run.wait(), *said)
        return subprocess.run(
            [sys.executable, "-m", "ftrun", *words],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            encoding=encoding,
            timeout=timeout,
            input=stdin or "",
            check=False,
        )

    def start(self, *words: str, env: Mapping[str, str] | None = None) -> Forked:
        """Start `ftrun WORDS` and return the process, in a process group of its own."""
        environment = {**os.environ, **(env or {})}
        assert can_be_forked(environment)
        return fork_server().start(words, cwd=self.folder, env=environment, session=True)

    def json(self, *words: str, code: int = 0, **how: Any) -> dict[str, Any]:
        """Run `ftrun WORDS --json`, hold it to the exit code, and return the one document on stdout."""
        done = self(*words, "--json", **how)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        document = json.loads(done.stdout)
        assert isinstance(document, dict)
        return document


CONFIG = """\
version: 1
name: toy
targets:
  local: {provider: local, model: rehearsal}
data:
  sources: [{path: data/toy.csv}]
  split: {validation: 2, seed: 1}
prompt:
  system: あなたは短く答えます。
  user: "{{ q }}"
  assistant: "{{ a }}"
train: {suffix: toy, hyperparameters: {n_epochs: 2}}
eval:
  prompts:
    - {id: one, user: 一番は？, expect: {contains: rehearsal}}
    - {id: two, user: 二番は？, expect: {contains: ない}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Return a folder with an experiment of 14 Japanese rows for the model `rehearsal`."""
    (tmp_path / "configs" / "data").mkdir(parents=True)
    rows = "".join(f"質問{number}は何ですか？,答え{number}です。\n" for number in range(14))
    (tmp_path / "configs/data/toy.csv").write_text("q,a\n" + rows, encoding="utf-8")
    (tmp_path / "configs/toy.yaml").write_text(CONFIG, encoding="utf-8")
    return tmp_path


@pytest.fixture
def ftrun(project: Path) -> Ftrun:
    """Return the command line, run in the project's folder."""
    return Ftrun(project)
