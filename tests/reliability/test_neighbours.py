"""Runs beside each other, on one clone, on two, and on two machines: one job, or a loud word (R5)."""

from __future__ import annotations

from pathlib import Path

from reliability.conftest import CREATE, FULL, WORDS, Runs, finished, make_project, sound
from support.provider import PATIENCE, Provider


def hold_first_create(provider: Provider) -> None:
    """Let the first create wait until `release`, as a slow server would."""
    provider.plan = lambda call: "hold" if call.name == CREATE and not provider.held.is_set() else ""


def test_a_second_run_stops_while_the_first_one_creates(runs: Runs, provider: Provider, place: Path) -> None:
    """While a create is under way, the same command says who is at it and sends nothing."""
    hold_first_create(provider)
    first = runs.start(place)
    assert provider.held.wait(PATIENCE)
    second = runs(place)
    provider.release.set()
    assert (second.wait(), second.error_code) == (4, "locked")
    assert str(first.pid) in second.document["error"]["message"]
    assert first.wait() == 0
    finished(provider, place, first)


def test_two_clones_on_one_machine_make_one_job(runs: Runs, provider: Provider, tmp_path: Path) -> None:
    """A second clone that comes to the create at the same time stops with 4; later it adopts the job."""
    hold_first_create(provider)
    here, there = (make_project(tmp_path / name, provider) for name in ("here", "there"))
    first = runs.start(here)
    assert provider.held.wait(PATIENCE)
    second = runs(there)
    provider.release.set()
    assert (second.wait(), second.error_code) == (4, "locked")
    assert first.wait() == 0
    sound(provider, here)
    finished(provider, there, runs(there))


def test_two_machines_at_once_are_told_of_both_jobs(runs: Runs, provider: Provider, tmp_path: Path) -> None:
    """Where nothing can keep two machines apart, both jobs are seen afterwards: exit 4, both named."""
    hold_first_create(provider)
    here, there = (make_project(tmp_path / name, provider) for name in ("here", "there"))
    first = runs.start(here, env={"FTRUN_LOCKS": str(tmp_path / "locks of one")})
    assert provider.held.wait(PATIENCE)
    second = runs(there, env={"FTRUN_LOCKS": str(tmp_path / "locks of the other")})
    provider.release.set()
    assert second.wait() == 0, "it looked when there was one job only"
    assert (first.wait(), first.error_code) == (4, "duplicates")
    assert len(provider.jobs) == 2
    assert all(job in first.document["error"]["message"] for job in provider.jobs)
    assert "adopt" in first.document["error"]["hint"]


def test_many_runs_of_one_clone_make_one_job(runs: Runs, provider: Provider, place: Path) -> None:
    """One does the work; the others stop at once with 4 and say who holds the lock."""
    started = [runs.start(place) for _ in range(8 if FULL else 3)]
    codes = sorted(run.wait() for run in started)
    assert set(codes) <= {0, 4} and 0 in codes
    for run in started:
        if run.wait() == 4:
            assert run.error_code == "locked"
    finished(provider, place, next(run for run in started if run.wait() == 0 and run.document["job_id"]))


def test_one_who_waits_for_the_lock_finds_the_work_done(runs: Runs, provider: Provider, place: Path) -> None:
    """`--wait` lets the second run take the first one's result."""
    first, second = runs.start(place), runs.start(place, *WORDS, "--wait")
    assert (first.wait(), second.wait()) in ((0, 0), (4, 0))
    finished(provider, place, second)
