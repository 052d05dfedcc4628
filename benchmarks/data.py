"""Compare checking and preparing data with the way of OpenAI's published data-preparation notebook.

Usage: python benchmarks/data.py [MEGABYTES] [chat|csv ...]. It makes its files itself: seeded chats in
Japanese and English under one system prompt, as chat rows and as a CSV that templates turn into such chats.

The notebook's way is our own version, written after its description: it loads all lines with `json`, checks
each example, counts with `tiktoken` as published and takes distributions with `numpy`, in one process.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from chats import SYSTEM, chats

ROOT = Path(__file__).resolve().parents[1]
MEGA = 1_000_000
LIMIT = 65_536


def make_chat(path: Path, size: int) -> None:
    """Write chat rows of `size` bytes in all."""
    written = 0
    with path.open("wb") as file:
        for messages in chats(1):
            line = json.dumps({"messages": messages}, ensure_ascii=False).encode() + b"\n"
            file.write(line)
            written += len(line)
            if written >= size:
                return


def make_csv(path: Path, size: int) -> None:
    """Write a table of questions and answers of `size` bytes in all; some values need quotes."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("question", "answer"))
        for number, messages in enumerate(chats(1)):
            question, answer = messages[1]["content"], messages[2]["content"]
            writer.writerow((question, f'"{answer}", he said.\n{question}' if number % 5 == 0 else answer))
            if number % 100 == 0 and file.tell() >= size:
                return


HEAD = """\
version: 1
name: bench
targets: {local: {provider: local, model: rehearsal}}
data: {sources: [{path: FILE}], split: {validation: 0.1, test: 0.1}, dedupe: "off"}
"""
EXPERIMENTS = {
    "chat": HEAD.replace("FILE", "rows.jsonl"),
    "csv": HEAD.replace("FILE", "rows.csv")
    + f'prompt: {{system: {json.dumps(SYSTEM, ensure_ascii=False)}, user: "{{{{ question }}}}", '
    'assistant: "{{ answer }}"}\n',
}
MAKERS = {"chat": (make_chat, "rows.jsonl"), "csv": (make_csv, "rows.csv")}


class Watch(threading.Thread):
    """Samples the resident memory of a process and of those that it starts, from /proc."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid, self.most_of_one, self.most_of_all = pid, 0.0, 0.0
        self._over = threading.Event()

    def run(self) -> None:
        """Sample until stopped."""
        while not self._over.wait(0.05):
            sizes = [_resident(pid) for pid in (self.pid, *_children(self.pid))]
            self.most_of_one = max(self.most_of_one, *sizes)
            self.most_of_all = max(self.most_of_all, sum(sizes))

    def stop(self) -> None:
        """End the sampling."""
        self._over.set()
        self.join()


def _resident(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text("ascii", "replace").splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1000 for line in lines if line.startswith("VmRSS:")), 0.0)


def _children(pid: int) -> list[int]:
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except OSError:
        return []


class Measured(NamedTuple):
    """What a command took: wall and processor seconds, memory, and its output."""

    wall: float
    processor: float
    memory: Watch
    output: str

    def line(self, what: str, size: int) -> str:
        """Return a line of the table for `size` bytes of input."""
        return (
            f"  {what:26}{self.wall:7.1f} s {size / MEGA / self.wall:7.2f} MB/s, {self.processor:6.1f} s of "
            f"processors; resident {self.memory.most_of_one:.0f} MB, {self.memory.most_of_all:.0f} MB in all"
        )


def measured(command: list[str], folder: Path) -> Measured:
    """Run a command in `folder`, and all that it starts."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "pipeline"), "FTRUN_HOME": str(folder / "home")}
    before, start = _processor_seconds(), time.perf_counter()
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=folder, env=environment, text=True, stdout=pipe, stderr=pipe)
    watch = Watch(process.pid)
    watch.start()
    output, errors = process.communicate()
    wall = time.perf_counter() - start
    watch.stop()
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}\n{errors}")
    return Measured(wall, _processor_seconds() - before, watch, output)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def notebook(path: Path) -> None:
    """Look a chat file over as the notebook describes it, and print its sums; a table becomes chats first."""
    import numpy as np

    count = reference_encoding().encode
    with path.open(encoding="utf-8", newline="") as file:
        dataset = [json.loads(line) for line in file] if path.suffix == ".jsonl" else _chats_of(file)
    errors: Counter[str] = Counter()
    for example in dataset:
        errors.update(_format_errors(example))
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for example in dataset:
        messages = example["messages"]
        numbers["no system"].append(not any(one["role"] == "system" for one in messages))
        numbers["no user"].append(not any(one["role"] == "user" for one in messages))
        numbers["messages"].append(len(messages))
        numbers["tokens"].append(3 + sum(_tokens(message, count) for message in messages))
        answers = (one["content"] for one in messages if one["role"] == "assistant")
        numbers["assistant"].append(sum(len(count(answer)) for answer in answers))
    for name in ("messages", "tokens", "assistant"):
        values = numbers[name]
        shown = [np.min(values), np.max(values), np.mean(values), np.median(values), np.quantile(values, 0.1)]
        print(name, int(np.sum(values)), *map(float, shown), float(np.quantile(values, 0.9)))
    print("billed", sum(min(LIMIT, tokens) for tokens in numbers["tokens"]), dict(errors))


def _chats_of(table: Iterable[str]) -> list[dict[str, Any]]:
    return [
        {
            "messages": [
                {"role": "system", "content": SYSTEM},
                {"role": "user", "content": row["question"]},
                {"role": "assistant", "content": row["answer"]},
            ]
        }
        for row in csv.DictReader(table)
    ]


def _tokens(message: dict[str, Any], count: Any) -> int:
    return 3 + sum(len(count(value)) + (key == "name") for key, value in message.items())


def _format_errors(example: Any) -> Iterator[str]:
    if not isinstance(example, dict):
        yield "data_type"
        return
    messages = example.get("messages")
    if not messages:
        yield "missing_messages_list"
        return
    for message in messages:
        if "role" not in message or "content" not in message:
            yield "message_missing_key"
        if any(key not in ("role", "content", "name", "function_call", "weight") for key in message):
            yield "message_unrecognized_key"
        if message.get("role") not in ("system", "user", "assistant", "function"):
            yield "unrecognized_role"
        content = message.get("content")
        if (not content and not message.get("function_call")) or not isinstance(content, str):
            yield "missing_content"
    if not any(message.get("role") == "assistant" for message in messages):
        yield "example_missing_assistant_message"


def reference_encoding() -> Any:
    """Return tiktoken's o200k_base, made from the vocabulary inside toktok: nothing is downloaded."""
    import tiktoken
    import tiktoken_ext.openai_public as public
    import toktok

    vocabulary = toktok._encoding("o200k_base")  # the one way to its tokens
    ordinary = range(min(rank for _, rank in vocabulary.special_tokens()) - 1)
    ranks = {vocabulary.decode_single_token_bytes(rank): rank for rank in ordinary}
    public.load_tiktoken_bpe = lambda *_, **__: ranks
    return tiktoken.Encoding(**public.o200k_base())


def main() -> None:
    """Measure both sides in turn on the same data and print throughput, memory and phases."""
    words = sys.argv[1:]
    match words[:1]:
        case ["notebook"]:
            notebook(Path(words[1]))
        case ["phases"]:
            phases(Path(words[1]))
        case _:
            size = int(words[0]) * MEGA if words else 500 * MEGA
            for kind in words[1:] or ["chat", "csv"]:
                with tempfile.TemporaryDirectory(prefix="ftrun-bench-") as folder:
                    compare(kind, size, Path(folder))


def compare(kind: str, size: int, folder: Path) -> None:
    """Print one comparison."""
    make, name = MAKERS[kind]
    make(folder / name, size)
    config = folder / "bench.yaml"
    config.write_text(EXPERIMENTS[kind], "utf-8")
    size = (folder / name).stat().st_size
    print(f"{kind}: {size / MEGA:.0f} MB, {len(os.sched_getaffinity(0))} cores", flush=True)
    ftrun, own = [sys.executable, "-m", "ftrun"], [sys.executable, __file__]
    commands = {
        "ftrun check": [*ftrun, "check", "bench.yaml", "--json"],
        "ftrun run --until check": [
            *ftrun, "run", "bench.yaml", "--until", "check", "--yes", "--json",
        ],
        "the notebook's way": [*own, "notebook", name],
    }  # fmt: skip
    results = {}
    for what, command in commands.items():
        results[what] = measured(command, folder)
        print(results[what].line(what, size), flush=True)
    check, run, theirs = results.values()
    for what, ours in (("check", check), ("run --until check", run)):
        work = theirs.processor / ours.processor
        print(
            f"  {what}: {theirs.wall / ours.wall:.1f} times as fast (goal 10), for 1/{work:.1f} of the work"
        )
    _compare_sums(check.output, theirs.output)
    print(measured([*own, "phases", "bench.yaml"], folder).output, end="")


def _compare_sums(ours: str, theirs: str) -> None:
    """Print how many tokens both counted; SystemExit if they differ."""
    files = [one for one in json.loads(ours)["files"].values() if one]
    counted = int(sum(one["tokens"]["sum"] for one in files))
    expected = int(next(line.split()[1] for line in theirs.splitlines() if line.startswith("tokens")))
    if counted != expected:
        raise SystemExit(f"ftrun counted {counted} tokens, the yardstick {expected}")
    print(f"  both counted {counted:,} tokens")


def phases(config: Path) -> None:
    """Print where the processor time of the pass over the data goes."""
    from ftrun.data.diagnostics.findings import Findings
    from ftrun.data.pipeline.gathered import Spool
    from ftrun.data.pipeline.gathering import gather
    from ftrun.data.readers.sources import source_files
    from ftrun.experiment import build_experiment, read_document

    experiment = build_experiment(read_document(config, ()), None)
    start = time.process_time()
    with Spool(config.parent) as spool:
        gathered = gather(experiment, source_files(experiment), spool, Findings())
    seconds = {**gathered.seconds, "hand out and collect": time.process_time() - start}
    whole = sum(seconds.values())
    print("  where the processor time of reading goes (loading the vocabularies is part of `count`):")
    for phase, took in sorted(seconds.items(), key=lambda one: -one[1]):
        print(f"    {phase:22}{took:7.2f} s {took / whole:6.0%} {took / len(gathered) * 1e6:7.1f} µs/example")


if __name__ == "__main__":
    main()
