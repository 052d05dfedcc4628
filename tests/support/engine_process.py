"""A real engine in a process of its own, as tests want it: started, killed, started again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import openai
from openai.types.fine_tuning import FineTuningJob

from support.forked import Forked, fork_server

PIPELINE = Path(__file__).resolve().parents[2] / "pipeline"
FINISHED = ("succeeded", "failed", "cancelled")
PATIENCE = 120.0  # seconds: what waits for an event is not to fail because the machine is busy or slow


def environment(**extra: str) -> dict[str, str]:
    """Return an environment in which `python -m ftrun` works."""
    return {**os.environ, "PYTHONPATH": str(PIPELINE), **extra}


@dataclass(slots=True, kw_only=True)
class Engine:
    """`ftrun serve --json` for one home; `variables` are added to its environment, `words` to its options."""

    home: Path
    words: Sequence[str] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    base_url: str = ""
    token: str = ""
    store: str = ""
    process: Forked | None = None

    def start(self) -> Engine:
        """Start the process and wait until it is ready."""
        self.process = fork_server().start(
            ["serve", "--json", "--home", str(self.home), *self.words],
            cwd=Path.cwd(),
            env=environment(**self.variables),
            stderr=2,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the engine did not start"
        note = json.loads(line)
        self.base_url, self.token, self.store = note["base_url"], note["token"], note["store"]
        return self

    def end(self, number: Literal[signal.Signals.SIGKILL, signal.Signals.SIGTERM] = signal.SIGTERM) -> int:
        """Send a signal, wait for the end and return the exit code."""
        assert self.process is not None and self.process.stdout is not None
        self.process.send_signal(number)
        code = self.process.wait(timeout=PATIENCE)
        self.process.stdout.close()
        return code

    def client(self) -> openai.OpenAI:
        """Return an SDK client of this engine that never retries."""
        return openai.OpenAI(base_url=self.base_url, api_key=self.token, max_retries=0)


def rows(count: int = 12) -> bytes:
    """Return a training file of `count` chat rows."""
    return "".join(
        json.dumps(
            {"messages": [{"role": "user", "content": f"質問{n}"}, {"role": "assistant", "content": "はい"}]},
            ensure_ascii=False,
        )
        + "\n"
        for n in range(count)
    ).encode()


def upload(client: openai.OpenAI, content: bytes | None = None, name: str = "train.jsonl") -> str:
    """Upload a training file and return its id."""
    content = rows() if content is None else content
    return client.files.create(file=(name, content), purpose="fine-tune").id


def wait_until(true: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Wait until `true()` holds."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.03)


def finish(client: openai.OpenAI, job_id: str) -> FineTuningJob:
    """Wait until a job has ended and return it."""
    wait_until(lambda: client.fine_tuning.jobs.retrieve(job_id).status in FINISHED)
    return client.fine_tuning.jobs.retrieve(job_id)


def processes(*columns: str) -> str:
    """Return what ps knows of all processes."""
    command = ["ps", "-A", "-ww", "-o", ",".join(f"{column}=" for column in columns)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def chat_worker(engine: Engine) -> int:
    """Return the process id of an engine's chat worker."""
    assert engine.process is not None
    for line in processes("pid", "ppid", "args").splitlines():
        pid, parent, command = line.split(None, 2)
        if int(parent) == engine.process.pid and "chat_worker" in command:
            return int(pid)
    raise AssertionError("the engine has no chat worker")


def is_running(pid: int) -> bool:
    """Say whether a process that is not our child lives; one that waits to be reaped does not."""
    states = dict(line.split(None, 1) for line in processes("pid", "stat").splitlines())
    return not states.get(str(pid), "Z").startswith("Z")
