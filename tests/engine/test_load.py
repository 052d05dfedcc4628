"""Much at a time: queued jobs up to the quota, a training file of many rows."""

from __future__ import annotations

import json
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import openai
import pytest

from ftrun.engine.launch import ensure_engine
from ftrun.errors import FtrunError
from support.engine_process import Engine, finish, upload, wait_until

ALL = bool(os.environ.get("FTRUN_TEST_ALL"))
HELD_UP = {"FTRUN_REHEARSAL_SECONDS_PER_STEP": "60"}  # the first job: all others stay in the queue


def create(client: openai.OpenAI, file: str) -> str:
    """Create a job and return its id."""
    return client.fine_tuning.jobs.create(model="rehearsal", training_file=file).id


def seconds(act: Callable[[], object], times: int = 9) -> float:
    """Return how long something takes, the median of several times."""
    found = []
    for _ in range(times):
        began = time.perf_counter()
        act()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def peak(pid: int) -> int:
    """Return the most memory that a process had, in MB."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def test_a_job_above_the_quota_is_refused(own_engine: Callable[..., Engine]) -> None:
    """FTRUN_ENGINE_JOBS is how many jobs may be unfinished; one more is a 429 that isn't retried."""
    with own_engine(**HELD_UP, FTRUN_ENGINE_JOBS="5").client() as client:
        file = upload(client)
        jobs = [create(client, file) for _ in range(5)]
        with pytest.raises(openai.RateLimitError) as caught:
            create(client.with_options(max_retries=5), file)
        assert (caught.value.code, caught.value.type) == ("too_many_jobs", "requests")
        assert "5 unfinished jobs" in caught.value.message and "FTRUN_ENGINE_JOBS" in caught.value.message
        client.fine_tuning.jobs.cancel(jobs[3])
        create(client, file)


def test_a_variable_that_is_not_a_number_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine in the background does not start, and the message names the variable."""
    monkeypatch.setenv("FTRUN_ENGINE_JOBS", "many")
    with pytest.raises(FtrunError, match="FTRUN_ENGINE_JOBS is 'many', which is not a number"):
        ensure_engine(tmp_path, announce=lambda text: None)


def test_many_queued_jobs_slow_nothing_down(own_engine: Callable[..., Engine]) -> None:
    """With many jobs in the queue (1,000 in `make test-all`) creating, listing and asking stay quick."""
    jobs = 1000 if ALL else 150
    engine = own_engine(**HELD_UP)
    with engine.client() as client:
        file = upload(client)
        question = {"model": "rehearsal", "messages": [{"role": "user", "content": "？"}]}
        acts: tuple[Callable[[], object], ...] = (
            lambda: create(client, file),
            lambda: client.fine_tuning.jobs.list(limit=20),
            lambda: client.chat.completions.create(**question),  # type: ignore[call-overload]
        )
        before = [seconds(act) for act in acts]
        assert engine.process is not None
        resting = peak(engine.process.pid)  # with what the process that it was forked from had loaded
        made = [create(client, file) for _ in range(jobs)]
        wait_until(lambda: client.fine_tuning.jobs.retrieve(made[-1]).status == "queued")
        after = [seconds(act) for act in acts]
        for slow, quick in zip(after, before, strict=True):
            assert slow < 5 * quick + 0.1, (before, after)
        assert len([*client.fine_tuning.jobs.list(limit=100)]) == jobs + len(before) * 3 * 2
        assert peak(engine.process.pid) < resting + 50


def test_a_large_training_file_takes_little_memory(own_engine: Callable[..., Engine]) -> None:
    """A job of many rows (100,000 in `make test-all`) is checked and read row by row; the engine answers."""
    rows = 100_000 if ALL else 10_000
    texts = ("あなたは窓口です。", "質問です。" * 20, "お答えします。" * 20)
    roles = ("system", "user", "assistant")
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=True)]
    content = (json.dumps({"messages": messages}, ensure_ascii=False) + "\n").encode() * rows
    engine = own_engine()
    with engine.client() as client:
        assert engine.process is not None
        before = peak(engine.process.pid)
        made = client.fine_tuning.jobs.create(model="rehearsal", training_file=upload(client, content))
        waits = []
        while client.fine_tuning.jobs.retrieve(made.id).status in ("validating_files", "queued"):
            waits.append(seconds(client.models.list, 1))
        assert finish(client, made.id).status == "succeeded"
        assert max(waits, default=0) < 3
        assert peak(engine.process.pid) - before < 30
