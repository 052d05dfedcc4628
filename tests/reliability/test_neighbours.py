"""Runs beside each other, on one clone, on two, and on two machines: one job, or a loud word (R5)."""

from __future__ import annotations

from pathlib import Path

from reliability.conftest import FULL, WORDS, Runs, finished
from reliability.provider import Provider

CREATE = "POST /fine_tuning/jobs"


def test_many_runs_of_one_clone_make_one_job(runs: Runs, provider: Provider, place: Path) -> None:
    """One does the work; the others stop at once with 4 and say who holds the lock."""
    started = [runs.start(place) for _ in range(8 if FULL else 3)]
    codes = sorted(run.wait() for run in started)
    assert set(codes) <= {0, 4} and 0 in codes
    for run in started:
        if run.wait() == 4:
            assert run.document["error"]["code"] == "locked"
    finished(provider, place, next(run for run in started if run.wait() == 0 and run.document["job_id"]))


def test_one_who_waits_for_the_lock_finds_the_work_done(runs: Runs, provider: Provider, place: Path) -> None:
    """`--wait` lets the second run take the first one's result."""
    first, second = runs.start(place), runs.start(place, *WORDS, "--wait")
    assert (first.wait(), second.wait()) in ((0, 0), (4, 0))
    finished(provider, place, second)
