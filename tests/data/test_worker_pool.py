"""Worker processes: their results, their errors, their end, and the search that uses one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from ftrun import data
from ftrun.data.pipeline import corpus_checks
from ftrun.data.pipeline.corpus_checks import GatheredCorpus
from ftrun.data.pipeline.workers import WorkerPool
from ftrun.data.quality import near_duplicates
from ftrun.errors import FtrunError


@pytest.fixture(autouse=True)
def _cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(corpus_checks, "worker_count", lambda: 2)


def test_results_and_exceptions_come_back() -> None:
    """Calls are made in other processes; what one raises is raised here."""
    with WorkerPool(2) as pool:
        own, power, wrong = pool.submit(os.getpid), pool.submit(pow, 2, 5), pool.submit(int, "x")
        assert pool.result(own) != os.getpid()
        assert pool.result(power) == 32
        with pytest.raises(ValueError, match="invalid literal"):
            pool.result(wrong)


def test_nothing_is_left_behind() -> None:
    """On leaving, work that nobody waits for ends at once; a process that dies is an error with a fix."""
    start = time.monotonic()
    with WorkerPool(2) as pool:
        pool.submit(time.sleep, 600)
        died = pool.submit(signal.raise_signal, signal.SIGKILL)
        with pytest.raises(FtrunError) as caught:
            pool.result(died)
    assert (caught.value.code, "-9" in str(caught.value)) == ("worker_ended", True)
    with WorkerPool(1) as pool:
        pool.submit(time.sleep, 600)
    assert time.monotonic() - start < 300


def test_workers_inherit_no_secret_and_no_ctrl_c(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys stay here, also for the time of starting; Ctrl-C is for this process alone."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-nobody-but-me")
    with WorkerPool(1) as pool:
        assert os.environ["OPENAI_API_KEY"] == "sk-nobody-but-me"
        assert pool.result(pool.submit(os.getenv, "OPENAI_API_KEY")) is None
        pid = pool.result(pool.submit(os.getpid))
        os.kill(pid, signal.SIGINT)
        assert pool.result(pool.submit(os.getpid)) == pid
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


ORPHANS = """\
import os, signal, time
from ftrun.data.pipeline.workers import WorkerPool
if __name__ == "__main__":
    with WorkerPool(2) as pool:
        print(pool.result(pool.submit(os.getpid)), flush=True)
        pool.submit(time.sleep, 600), pool.submit(time.sleep, 600)
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_workers_end_with_a_process_that_was_killed() -> None:
    """No worker outlives the process that started it, however that ended."""
    done = subprocess.run([sys.executable, "-c", ORPHANS], capture_output=True, text=True, check=False)
    pid = int(done.stdout)
    end = time.monotonic() + 60
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < end:
            os.kill(pid, 0)
            time.sleep(0.05)
        pytest.fail("the worker is still there")


def test_one_core_works_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a single core no process is started, and nothing is done before it is asked for."""
    monkeypatch.setattr(corpus_checks, "worker_count", lambda: 1)
    done: list[int] = []
    nothing: Any = None
    result = GatheredCorpus(nothing, nothing, nothing).begin(done.append, 1)
    assert not done
    result()
    assert done == [1]


def test_the_search_in_another_process_finds_the_same(
    make: Any, chats: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Near-duplicates are reported alike, and in the same order, wherever they are looked for."""
    text = "大切なことを順番に説明しますので、落ち着いて最後まで読んでから決めてくださいね。"
    near = chats(f"{text}{'はい' * (number % 3)}" for number in range(9))
    experiment = make({"a.jsonl": chats(range(60)) + near})
    here = data.examine(experiment).as_dict()
    monkeypatch.setattr(near_duplicates, "FEW", 0)
    assert data.examine(experiment).as_dict() == here
    assert "near_duplicates" in {warning["code"] for warning in here["warnings"]}
