"""Answering speed, side by side in one run: our engine over HTTP, Transformers' `generate`, llama.cpp.

Usage: python benchmarks/answering.py [ROUNDS] [--before CHECKOUT] [--llama PYTHON]

SmolLM2-135M-Instruct, the same prompts, greedy, the same number of new tokens. Ours is a real engine process,
asked through the openai SDK from this process, which shares the processor with it; an answer that ends early
counts the tokens it has. The others get token ids and give none back: no HTTP, no tokenizer, no text.
Each side has a process of its own; in each round all do each task in turn. The last lines are a table
in Markdown.

--before: another checkout of ftrun, to compare its engine with this one (git worktree add FOLDER COMMIT).
--llama: a Python that has llama-cpp-python, if this one has not. It is not a dependency: `pip install
llama-cpp-python` builds it with a C++ compiler. Without it the run says so and leaves llama.cpp out.
"""

from __future__ import annotations

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine_client import MODEL, NEW, SHORT, Engine, examination, stories

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 2
LONG = 30.0  # seconds: a side that takes longer for a task does it only once
RATE, SECONDS, FIRST = "tokens/s", "s", "ms"
TASKS = {
    "one": ("one client", RATE),
    "eight": ("8 at once", RATE),
    "many": ("32 at once", RATE),
    "streams": ("32 streams at once", RATE),
    "tuned one": ("one client, tuned model", RATE),
    "tuned many": ("32 at once, tuned model", RATE),
    "mixed": ("32 at once, every other one to the tuned model", RATE),
    "apart": (f"32 prompts of 500 tokens each, {SHORT} new", SECONDS),
    "shared": (f"32 prompts that share their first 500 tokens, {SHORT} new", SECONDS),
    "first": ("first piece of a stream: median (worst)", FIRST),
    "first of 32": ("the same while 31 others are answered", FIRST),
}
WEIGHED = {"one": "peak memory, one client", "many": "peak memory, 32 at once"}
OURS, BEFORE = "ours", "before"
GENERATED = ("one", "eight", "many", "apart")  # tasks without a server
# an engine that answers one question after the other: more would take minutes
COMPARED = ("one", "many", "shared", "first")


class Child:
    """A process that generates: Transformers or llama.cpp."""

    def __init__(self, python: str, kind: str, model: Path, number_format: str) -> None:
        """Load the model."""
        command = [python, str(ROOT / "benchmarks/generators.py"), kind, str(model), number_format]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._read()

    def generate(self, rows: Sequence[Sequence[int]], new: int) -> float:
        """Add `new` tokens to all rows at once and return the seconds."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"rows": rows, "new": new}) + "\n")
        self.process.stdin.flush()
        return float(self._read()["seconds"])

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()

    def _read(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{' '.join(map(str, self.process.args))} ended")  # type: ignore[arg-type]
        found: dict[str, Any] = json.loads(line)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """The prompts of the tasks as token ids, by our template."""

    short: list[list[int]]
    long: list[list[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Somebody who generates: an engine, or a child and its prompts."""

    name: str
    who: Engine | Child
    tasks: Sequence[str]
    prompts: Prompts

    def do(self, task: str, turn: int) -> list[float]:
        """Do a task and return its values, in the unit of the task."""
        if isinstance(self.who, Engine):
            return self.who.do(task, turn)
        if task == "apart":
            return [self.who.generate(self.prompts.long, SHORT)]
        if task == "one":
            rows = self.prompts.short[turn : turn + 3]
            return [len(rows) * NEW / sum(self.who.generate([row], NEW) for row in rows)]
        rows = self.prompts.short[: 8 if task == "eight" else 32]
        return [len(rows) * NEW / self.who.generate(rows, NEW)]

    def process(self) -> int | None:
        """Return the id of the process that holds the model."""
        return self.who.worker() if isinstance(self.who, Engine) else self.who.process.pid


class Results:
    """What was measured, by side and task: values, and peak memory in MB."""

    def __init__(self) -> None:
        """Start empty."""
        self.values: dict[tuple[str, str], list[float]] = {}
        self.memory: dict[tuple[str, str], float] = {}
        self._slow: set[tuple[str, str]] = set()

    def measure(self, side: Side, task: str, turn: int) -> None:
        """Let a side do a task once more, unless it took long before."""
        key = (side.name, task)
        if task not in side.tasks or key in self._slow:
            return
        process, began = side.process(), time.perf_counter()
        _forget_peak(process)
        found = side.do(task, turn)
        took = time.perf_counter() - began
        self.values.setdefault(key, []).extend(found)
        self.memory[key] = max(self.memory.get(key, 0.0), _peak(process))
        if took > LONG:
            self._slow.add(key)
        print(f"{TASKS[task][0]:<60} {side.name:<22} {_shown(found, task):>14}", file=sys.stderr)

    def median(self, side: str, task: str) -> float | None:
        """Return the median of a side's values."""
        values = self.values.get((side, task))
        return statistics.median(values) if values else None

    def markdown(self, sides: Sequence[str]) -> str:
        """Return the table for benchmarks/README.md."""
        lines = [["", *sides], ["---"] * (len(sides) + 1)]
        for task, (title, unit) in TASKS.items():
            cells = [_shown(self.values.get((side, task), []), task) for side in sides]
            lines.append([f"{title}, {unit}", *cells])
        for task, title in WEIGHED.items():
            lines.append([f"{title}, MB", *(f"{self.memory.get((side, task), 0):.0f}" for side in sides)])
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _shown(values: Sequence[float], task: str) -> str:
    if not values:
        return "–"
    middle = statistics.median(values)
    if TASKS[task][1] == FIRST:
        return f"{middle:.0f} ({max(values):.0f})"
    return f"{middle:.0f}" if middle >= 100 else f"{middle:.1f}"


def _forget_peak(process: int | None) -> None:
    if process is not None and sys.platform == "linux":
        Path(f"/proc/{process}/clear_refs").write_text("5", encoding="utf-8")


def _peak(process: int | None) -> float:
    """Return the most memory of a process since `_forget_peak`, in MB; 0 where that is unknown."""
    if process is None or sys.platform != "linux":
        return 0.0
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def encode(folder: Path) -> Prompts:
    """Return the prompts that the engine makes of the same messages."""
    from transformers import AutoTokenizer

    from ftrun.engine.models.chat_template import ChatEncoder

    encoder = ChatEncoder(AutoTokenizer.from_pretrained(folder, local_files_only=True))
    short, long = (
        [list(encoder.prompt(messages)) for messages in asked]
        for asked in (stories(), examination(0, shared=False))
    )
    return Prompts(short=short, long=long)


def transformers_side(folder: Path, prompts: Prompts) -> Side:
    """Return Transformers in the number format that is faster here."""
    taken: dict[str, tuple[float, Child]] = {}
    for number_format in ("float32", "bfloat16"):
        child = Child(sys.executable, "transformers", folder, number_format)
        taken[number_format] = child.generate(prompts.short, 6), child
        speed = len(prompts.short) * 6 / taken[number_format][0]
        print(f"Transformers, {number_format}: {speed:.0f} tokens/s", file=sys.stderr)
    best = min(taken, key=lambda one: taken[one][0])
    for number_format, (_, child) in taken.items():
        if number_format != best:
            child.stop()
    return Side(name=f"Transformers, {best}", who=taken[best][1], tasks=GENERATED, prompts=prompts)


def llama_sides(python: str, folder: Path, prompts: Prompts) -> Iterator[Side]:
    """Yield llama.cpp with the weights as they are published, and in float16; none if it is missing."""
    if subprocess.run([python, "-c", "import llama_cpp"], capture_output=True, check=False).returncode:
        print(f"llama.cpp is left out: {python} has no llama-cpp-python (--llama PYTHON)", file=sys.stderr)
        return
    from ftrun.engine.models.catalogue import find_model
    from ftrun.engine.models.download import download_model

    entry = find_model(MODEL)
    assert entry is not None
    file = download_model(entry, folder, lambda text: print(text, file=sys.stderr))
    for name in ("Q4_1", "float16"):
        child = Child(python, "llama.cpp", file, name)
        yield Side(name=f"llama.cpp, {name}", who=child, tasks=GENERATED, prompts=prompts)


def start(before: Path | None, llama: str, folder: Path) -> Iterator[Side]:
    """Start all sides, ours first."""
    from ftrun.engine.models.weights import model_folder

    model = model_folder(MODEL)
    prompts = encode(model)
    engine = Engine(ROOT, folder / OURS, tune=True)
    yield Side(name=OURS, who=engine, tasks=tuple(TASKS), prompts=prompts)
    if before is not None:
        engine = Engine(before, folder / BEFORE, tune=False)
        yield Side(name=BEFORE, who=engine, tasks=COMPARED, prompts=prompts)
    yield transformers_side(model, prompts)
    yield from llama_sides(llama, folder, prompts)


def judge(results: Results, sides: Sequence[Side]) -> None:
    """Print what the goals ask for."""
    for side in sides[1:]:
        for task in ("one", "many"):
            ours, other = results.median(OURS, task), results.median(side.name, task)
            if ours is not None and other is not None:
                print(f"{TASKS[task][0]}: {ours / other:.2f} times {side.name}")
    print("goals: 32 at once 0.8 times Transformers, one client 2 times before, first piece under 300 ms")


def main(words: Sequence[str]) -> None:
    """Measure in turn and print the table."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rounds", nargs="?", type=int, default=ROUNDS)
    parser.add_argument("--before", type=Path)
    parser.add_argument("--llama", default=sys.executable)
    given = parser.parse_args(words)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # ends the sides, too
    results, sides = Results(), list[Side]()
    with tempfile.TemporaryDirectory() as name:
        try:
            for side in start(given.before, given.llama, Path(name)):
                sides.append(side)
            for turn in range(given.rounds):
                for task in TASKS:
                    for side in sides:
                        results.measure(side, task, turn)
        finally:
            for side in sides:
                side.who.stop()
    print(results.markdown([side.name for side in sides]))
    judge(results, sides)


if __name__ == "__main__":
    main(sys.argv[1:])
