"""What moves jobs on: it tells a job that ended by itself from one that died."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from conftest import ROOT
from ftrun.engine.executors.supervisor import Supervisor
from ftrun.engine.store import Store, StoredJob
from ftrun.engine.store.records import NewJob
from support.engine_process import environment, rows


class Slow(Supervisor):
    """Held up between reading the list of jobs and looking at a process: the job succeeds meanwhile."""

    def _is_running(self, job: StoredJob) -> bool:
        self._store.jobs.move(job.id, "succeeded")
        return False


def test_a_job_that_succeeds_while_it_is_looked_at_did_not_die(tmp_path: Path) -> None:
    """On a busy machine a process may end in order between two looks: that is told as no death."""
    store = Store(tmp_path)
    new = NewJob(
        model="rehearsal",
        training_file="file-1",
        validation_file=None,
        hyperparameters={},
        seed=1,
        suffix=None,
        metadata=None,
    )
    job = store.jobs.create(new)
    store.jobs.note(job.id, status="running", attempts=1)
    Slow(store)._tick()
    told = [event.message for event in store.jobs.events(job.id, limit=9, after=None).records]
    assert not [message for message in told if "unexpectedly" in message]
    assert store.jobs.require(job.id).attempts == 1
    store.close()


def test_nothing_but_the_executors_knows_how_a_job_is_run() -> None:
    """Another kind of executor has one place to be added: only the old server's way in goes round it."""
    engine = ROOT / "pipeline" / "ftrun" / "engine"
    inside = [f"ftrun.engine.executors.{file.stem}" for file in (engine / "executors").glob("[a-z]*.py")]
    others = {file for file in engine.rglob("*.py") if file.parent.name != "executors"} - {engine / "job.py"}
    assert inside
    assert not [file for file in others if any(name in file.read_text("utf-8") for name in inside)]


def test_a_server_of_version_0_1_can_still_start_a_job(tmp_path: Path) -> None:
    """A busy server outlives an upgrade and starts jobs under the names of its own version."""
    store = Store(tmp_path)
    content = tmp_path / "train.jsonl"
    content.write_bytes(rows())
    with content.open("rb") as source:
        file = store.files.add(store.files.save(source), filename="train.jsonl", purpose="fine-tune")
    job = store.jobs.create(
        NewJob(
            model="rehearsal",
            training_file=file.id,
            validation_file=None,
            hyperparameters={"n_epochs": 1},
            seed=1,
            suffix=None,
            metadata=None,
        )
    )
    store.jobs.move(job.id, "queued")
    store.jobs.folder(job.id).mkdir(parents=True)
    command = [sys.executable, "-m", "ftrun.engine.job", str(tmp_path), job.id]
    subprocess.run(command, check=True, env=environment(), timeout=120)
    assert store.jobs.require(job.id).status == "succeeded"
    store.close()


def test_a_server_of_version_0_1_can_still_start_a_chat_worker() -> None:
    """It speaks the same lines over the same pipes; one that is new has an id that such a server ignores."""
    request = {"id": "a", "messages": [{"role": "user", "content": "?"}], "adapter": None}
    sampling: dict[str, object] = {
        "temperature": 0.0,
        "top_p": 1.0,
        "max_tokens": 9,
        "seed": None,
        "stop": [],
    }
    command = [sys.executable, "-m", "ftrun.engine.chat_worker", "rehearsal"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
    ) as worker:
        assert worker.stdin is not None and worker.stdout is not None
        worker.stdin.write(json.dumps({**request, "sampling": sampling}).encode() + b"\n")
        worker.stdin.flush()
        answers: list[dict[str, Any]] = []
        while not answers or "piece" in answers[-1]:
            message = json.loads(worker.stdout.readline())
            answers += [message] if message["id"] == "a" else []
        worker.stdin.close()
    assert answers[-1]["done"]["completion_tokens"] == len(answers) - 1
