"""kill -9 at every point: at most one job, nothing lost, and the next run comes to the same end (R1, R2)."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import time
from pathlib import Path

import pytest

from reliability.conftest import FULL, Runs, at_once, finished, make_project, recover, sound
from reliability.matrix import CALL_DEATHS, DOCUMENT, die_at_calls, die_at_points, usual_points
from support.provider import Fault, Provider


def test_an_undisturbed_run_is_what_the_others_are_held_to(
    runs: Runs, provider: Provider, place: Path
) -> None:
    """One job, two files, four answers; the same command again sends nothing."""
    run = runs(place)
    finished(provider, place, run)
    assert (len(provider.jobs), len(provider.files), provider.answers) == (1, 2, 4)
    calls = len(provider.calls)
    assert runs(place).document["status"] == "done"
    assert len(provider.calls) == calls


def test_killed_at_every_file_and_connection(runs: Runs, tmp_path: Path) -> None:
    """Death at any point that touches a file or the network leaves one job, and the rerun ends well."""
    assert len(die_at_points(runs, tmp_path, step=1 if FULL else 60)) > 5


@pytest.mark.parametrize("fault", CALL_DEATHS)
def test_killed_at_every_call(runs: Runs, tmp_path: Path, fault: Fault) -> None:
    """Death while a request is on its way, before or after the server acted, is made up for by the rerun."""
    assert die_at_calls(runs, tmp_path, fault, step=1 if FULL else 20)


def test_the_published_matrix_has_every_point(runs: Runs, tmp_path: Path, provider: Provider) -> None:
    """docs/reliability.md tells of each kind of point of a run; `python -m reliability.matrix` writes it."""
    published = DOCUMENT.read_text(encoding="utf-8")
    missing = {label for label in usual_points(runs, tmp_path) if f"| `{label}` |" not in published}
    assert not missing


def test_killed_again_and_again_at_random(runs: Runs, tmp_path: Path) -> None:
    """Runs killed one to five times at random moments end with one job and a sound state."""

    def kill_and_go_on(provider: Provider, place: Path) -> None:
        chance = random.Random(int(place.name))
        for _ in range(chance.randint(1, 5)):
            run = runs.start(place)
            time.sleep(chance.uniform(0.0, 0.8))
            with contextlib.suppress(ProcessLookupError):
                os.kill(run.pid, signal.SIGKILL)
            run.wait()
            sound(provider, place)
        recover(runs, provider, place)
        provider.close()

    for first in range(0, 500 if FULL else 8, 4):
        providers = [Provider().start() for _ in range(4)]
        places = [make_project(tmp_path / str(first + n), one) for n, one in enumerate(providers)]
        at_once(kill_and_go_on, list(zip(providers, places, strict=True)))
