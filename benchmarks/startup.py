"""Start-up, as ratios in one run: a run with nothing to do and `--help`, against importing click and yaml.

Usage: python benchmarks/startup.py [ROUNDS]. It rehearses quickstart once in a temporary folder, so that
there is a finished run to do nothing for.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FTRUN = [str(Path(sys.executable).with_name("ftrun"))]


def seconds(command: list[str], environment: dict[str, str]) -> float:
    """Return the wall time of one run of `command` in seconds."""
    start = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - start


def main() -> None:
    """Measure in turn, A B C A B C, and print medians and ratios."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        shutil.copytree(ROOT / "configs", place / "configs")
        environment = {**os.environ, "FTRUN_HOME": str(place / "engine"), "FTRUN_ENGINE_IDLE": "5"}
        run = [
            *FTRUN,
            "run",
            str(place / "configs/quickstart.yaml"),
            "--set",
            "targets.local.model=rehearsal",
        ]
        subprocess.run(run, check=True, env=environment, stdout=subprocess.DEVNULL)
        commands = {
            "floor: import click, yaml": [sys.executable, "-c", "import click, yaml"],
            "run with nothing to do": run,
            "ftrun --help": [*FTRUN, "--help"],
        }
        measure(commands, environment, rounds)
        subprocess.run([*FTRUN, "serve", "--stop"], env=environment, stdout=subprocess.DEVNULL)


def measure(commands: dict[str, list[str]], environment: dict[str, str], rounds: int) -> None:
    """Print the median of every command and its ratio to the first, round by round."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds + 1):
        for name, command in commands.items():
            took = seconds(command, environment)
            if turn:  # the first round warms the caches
                times[name].append(took)
    floor = next(iter(times.values()))
    for name, taken in times.items():
        ratios = [one / base for one, base in zip(taken, floor, strict=True)]
        print(f"{name:28} median {statistics.median(taken):.3f} s   ratio {statistics.median(ratios):.2f}")


if __name__ == "__main__":
    main()
