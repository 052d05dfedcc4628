"""What happens when a process is killed: the engine, a job, a chat worker."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import openai

from ftrun.engine.store import Store
from support.engine_process import Engine, chat_worker, finish, is_running, upload, wait_until

SLOW = {"FTRUN_REHEARSAL_SECONDS_PER_STEP": "0.3"}  # time to kill a job before it has ended
QUICK = {"FTRUN_REHEARSAL_SECONDS_PER_STEP": "0"}


def start_job(client: openai.OpenAI) -> str:
    """Start a job of 12 steps, each with a checkpoint, and wait for the first."""
    job = client.fine_tuning.jobs.create(
        model="rehearsal",
        training_file=upload(client),
        seed=7,
        hyperparameters={"n_epochs": 12, "batch_size": 12},
    )
    wait_until(lambda: client.fine_tuning.jobs.checkpoints.list(job.id).data)
    return job.id


def job_pid(home: Path, job_id: str) -> int:
    """Return the id of a job's process."""
    store = Store(home)
    pid = store.jobs.require(job_id).pid
    store.close()
    assert pid is not None
    return pid


def messages(client: openai.OpenAI, job_id: str) -> list[str]:
    """Return the messages of a job's events, oldest first."""
    return [event.message for event in client.fine_tuning.jobs.list_events(job_id)][::-1]


def test_a_job_goes_on_when_the_engine_is_killed(own_engine: Callable[..., Engine]) -> None:
    """After kill -9 of the engine the job trains on; the next engine finds it, not restarted."""
    first = own_engine(**SLOW)
    with first.client() as client:
        job_id = start_job(client)
    first.end(signal.SIGKILL)
    with own_engine(**SLOW).client() as client:
        job = finish(client, job_id)
        assert job.status == "succeeded", job.error
        assert not any("restart" in message for message in messages(client, job_id))


def test_a_killed_job_goes_on_from_its_checkpoint(own_engine: Callable[..., Engine]) -> None:
    """After kill -9 of its process a job is started again and does not repeat what a checkpoint holds."""
    engine = own_engine(**SLOW)
    with engine.client() as client:
        job_id = start_job(client)
        os.kill(job_pid(engine.home, job_id), signal.SIGKILL)
        assert finish(client, job_id).status == "succeeded"
        told = messages(client, job_id)
        assert any("SIGKILL" in message and "restart 1 of 3" in message for message in told)
        assert sum(message.startswith("Step 1/12") for message in told) == 1
        assert sum(message.startswith("Step 12/12") for message in told) == 1


def test_job_and_engine_killed_together_are_picked_up(own_engine: Callable[..., Engine]) -> None:
    """A job that died while no engine ran is started again by the next one."""
    first = own_engine(**SLOW)
    with first.client() as client:
        job_id = start_job(client)
    first.end(signal.SIGKILL)
    os.kill(job_pid(first.home, job_id), signal.SIGKILL)
    with own_engine(**QUICK).client() as client:
        assert finish(client, job_id).status == "succeeded"
        assert any("restart 1 of 3" in message for message in messages(client, job_id))


def test_a_job_that_keeps_dying_fails_with_a_reason(own_engine: Callable[..., Engine]) -> None:
    """After three restarts the job fails, says why and where its log is, and leaves no model."""
    engine = own_engine(FTRUN_REHEARSAL_SECONDS_PER_STEP="30")
    with engine.client() as client:
        job_id = client.fine_tuning.jobs.create(model="rehearsal", training_file=upload(client)).id
        killed: set[int] = set()

        def kill_next() -> bool:
            store = Store(engine.home)
            job = store.jobs.require(job_id)
            store.close()
            if job.pid is not None and job.pid not in killed and job.status == "running":
                killed.add(job.pid)
                os.kill(job.pid, signal.SIGKILL)
            return job.finished

        wait_until(kill_next)
        job = client.fine_tuning.jobs.retrieve(job_id)
        assert job.status == "failed" and job.error is not None
        assert job.error.code == "process_died"
        assert "4 times (SIGKILL)" in job.error.message and "job.log" in job.error.message
        assert len(killed) == 4
        assert not [model.id for model in client.models.list() if model.id.startswith("ft:")]


def test_a_killed_chat_worker_is_replaced(own_engine: Callable[..., Engine]) -> None:
    """A dead worker never hangs a request: a new one answers it."""
    engine = own_engine()
    with engine.client() as client:

        def ask() -> str:
            answer = client.chat.completions.create(
                model="rehearsal", messages=[{"role": "user", "content": "やあ"}]
            )
            return str(answer.choices[0].message.content)

        for _ in range(3):
            assert ask().startswith("[rehearsal]")
            os.kill(chat_worker(engine), signal.SIGKILL)


def test_chat_workers_die_with_their_engine(own_engine: Callable[..., Engine]) -> None:
    """After kill -9 of the engine its chat workers end by themselves."""
    engine = own_engine()
    with engine.client() as client:
        client.chat.completions.create(model="rehearsal", messages=[{"role": "user", "content": "x"}])
    worker = chat_worker(engine)
    engine.end(signal.SIGKILL)
    wait_until(lambda: not is_running(worker))


def test_the_engine_ends_within_two_seconds(own_engine: Callable[..., Engine]) -> None:
    """SIGTERM ends an engine with open connections in order: exit code 0 and no engine.json left."""
    began = time.monotonic()
    engine = own_engine()
    start = time.monotonic() - began
    with engine.client() as client:
        client.chat.completions.create(model="rehearsal", messages=[{"role": "user", "content": "x"}])
        assert engine.process is not None
        engine.process.send_signal(signal.SIGTERM)
        # where the machine is so busy that starting takes longer, so may ending
        assert engine.process.wait(timeout=max(2.0, 2 * start)) == 0
    assert not (engine.home / "engine.json").exists()
    assert engine.process.stdout is not None
    engine.process.stdout.close()
