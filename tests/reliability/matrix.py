"""Owns the crash matrix: at each point of a run it is killed, run again, and held to the promise.

`python -m reliability.matrix [STEP]` (in `tests/`) tries the first point of each kind and every STEP-th one,
and writes the table of docs/reliability.md.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from conftest import ROOT
from reliability.conftest import Runs, make_project, recover, sound
from support.forked import fork_server
from support.provider import Call, Fault, Provider

DOCUMENT = ROOT / "docs/reliability.md"
MISSED = 3  # times that a kind of point that was missed is tried again
ROUGHLY = 60  # who tries as few points as every sixtieth does not mind one that was missed
MARKS = "<!-- matrix: begin -->", "<!-- matrix: end -->"
CALL_DEATHS: tuple[Fault, ...] = tuple(fault for fault in get_args(Fault) if fault.startswith("kill-"))
Outcomes = dict[
    str, Counter[str]
]  # point -> how often the next run finished by itself, or a person was asked


def chosen(names: Sequence[str], step: int) -> list[int]:
    """Return the numbers, from 1, of the first of each name and of every `step`-th one."""
    return sorted({names.index(name) + 1 for name in names} | set(range(1, len(names) + 1, step)))


def usual_points(runs: Runs, folder: Path) -> list[str]:
    """Return the points of a run of a new experiment, in a home where ftrun ran before."""
    for name in ("before", "first"):
        provider = Provider().start()
        run = runs(make_project(folder / name, provider))
        provider.close()
    return run.points


def die_at_points(runs: Runs, folder: Path, *, step: int) -> Outcomes:
    """Kill a run at every `step`-th point that touches a file or the network, and let the next one finish."""
    points = usual_points(runs, folder)
    found: Outcomes = {}

    def die_at(at: int, name: str) -> None:
        provider = Provider().start()
        place = make_project(folder / name, provider)
        run = runs.start(place, at=at)
        died = run.wait() == -signal.SIGKILL
        assert died or at > len(points) - 10  # it may connect once less often
        if died:
            sound(provider, place)
            asked = recover(runs, provider, place)
            found.setdefault(run.points[-1], Counter())["asked" if asked else "finished"] += 1
        provider.close()

    for at in chosen(points, step):
        die_at(at, f"point-{at}")
    for turn in range(MISSED * (step < ROUGHLY)):  # a run may connect once more: then the point lies beside
        for label in sorted(set(points) - set(found)):
            die_at(max(1, points.index(label) + turn), f"missed-{turn}-{points.index(label)}")
    return found


def die_at_calls(runs: Runs, folder: Path, fault: Fault, *, step: int) -> Outcomes:
    """Kill a run while every `step`-th request is on its way, and let the next one finish."""
    first = Provider().start()
    runs(make_project(folder / "first", first))
    first.close()
    found: Outcomes = {}
    for number in chosen([call.name for call in first.calls], step):

        def plan(call: Call, number: int = number) -> Fault:
            return fault if call.number == number else ""

        provider = Provider(plan=plan).start()
        place = make_project(folder / f"{fault}-{number}", provider)
        run = runs.start(place)
        provider.victim = run.pid
        assert run.wait() == -signal.SIGKILL
        sound(provider, place)
        asked = recover(runs, provider, place)
        found.setdefault(provider.calls[number - 1].name, Counter())["asked" if asked else "finished"] += 1
        provider.close()
    return found


def table(title: str, outcomes: Outcomes) -> list[str]:
    """Return the rows of the table, one for each kind of point."""
    rows = [
        f"| {title} | deaths tried | the next run finished by itself | a person was asked |",
        "|---|---|---|---|",
    ]
    for label, counts in sorted(outcomes.items()):
        rows.append(f"| `{label}` | {counts.total()} | {counts['finished']} | {counts['asked'] or ''} |")
    return [*rows, ""]


def main() -> None:
    """Try the points and write the table."""
    step = int(sys.argv[1]) if len(sys.argv) > 1 else 1
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as name:
        os.environ["HOME"] = name
        folder = Path(name)
        (folder / "runs").mkdir()
        runs = Runs(folder / "runs", fork_server())
        lines = table(
            "died at (file, folder or connection)", die_at_points(runs, folder / "points", step=step)
        )
        for fault in CALL_DEATHS:
            when = fault.removeprefix("kill-")
            lines += table(
                f"died {when} the server acted on", die_at_calls(runs, folder / fault, fault, step=step)
            )
        runs.close()
    text = DOCUMENT.read_text(encoding="utf-8")
    begin, end = MARKS
    block = "\n".join((begin, "", *lines, end))
    found = re.sub(f"{re.escape(begin)}.*{re.escape(end)}", lambda _: block, text, flags=re.DOTALL)
    DOCUMENT.write_text(found, encoding="utf-8")


if __name__ == "__main__":
    main()
