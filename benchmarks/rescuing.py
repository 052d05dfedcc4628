"""Rescuing: how long the whole command takes for 2,000 answers where a server needs 200 ms for each and takes
50 at once: of one experiment, and of 50 with 40 answers each.

Usage: python benchmarks/rescuing.py [--answers N] [--experiments N]

The time is that of `ftrun rescue` as a process: start-up, reading, pricing, asking, and the files. Ideal is
answers / 50 * 0.2 s. A rerun must ask nobody and change no byte. The last lines are a table in Markdown.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from asking import AT_ONCE, SECONDS, server, stats

CONFIG = """\
version: 1
name: {name}
targets:
  paid: {{provider: openai, model: m, base_url: 'http://127.0.0.1:{port}/v1', api_key_env: BENCH_KEY{more},
    price: {{train: 1, input: 1, output: 1}}}}
eval:
  models: [{{name: tuned, model: 'ft:m:{name}'}}, base]
  prompts: [{{path: {name}.jsonl}}]
"""


def write_experiment(folder: Path, name: str, questions: int, port: int, more: str) -> None:
    """Write an experiment of a model whose training data are gone."""
    text = CONFIG.format(name=name, port=port, more=more)
    (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    system = "あなたは親切な案内係です。" * 5
    lines = [
        json.dumps({"id": f"q{one}", "system": system, "user": f"{name}の質問{one}: 窓口は何時までですか。"})
        for one in range(questions)
    ]
    (folder / f"{name}.jsonl").write_text("\n".join(lines), encoding="utf-8")


def rescue(project: Path) -> tuple[float, float]:
    """Return the seconds and the CPU seconds of the command."""
    environment = {**os.environ, "BENCH_KEY": "bench-0123456789abcdef", "FTRUN_LOCKS": str(project / "locks")}
    environment |= {"XDG_STATE_HOME": str(project / "state"), "HOME": str(project)}
    before, start = os.times(), time.monotonic()
    command = [sys.executable, "-m", "ftrun", "rescue", "--all", "--yes", "--json"]
    done = subprocess.run(
        command, env=environment, cwd=project, stdout=subprocess.PIPE, text=True, check=False
    )
    seconds, after = time.monotonic() - start, os.times()
    assert done.returncode == 0, done.stdout
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return seconds, cpu


def digest(project: Path) -> str:
    """Return a hash of everything in the project."""
    total = hashlib.sha256()
    for path in sorted(project.rglob("*")):
        if path.is_file():
            total.update(str(path).encode() + path.read_bytes())
    return total.hexdigest()


def measure(answers: int, experiments: int, concurrency: int | None) -> None:
    """Print a line of the table."""
    more = f", concurrency: {concurrency}" if concurrency else ""
    with server(AT_ONCE) as port, tempfile.TemporaryDirectory() as name:
        project = Path(name)
        (project / "configs").mkdir()
        for number in range(experiments):
            write_experiment(project / "configs", f"e{number:03}", answers // experiments // 2, port, more)
        seconds, cpu = rescue(project)
        counts, before = stats(port), digest(project / "configs")
        again, _ = rescue(project)
        assert stats(port)["requests"] == counts["requests"] and digest(project / "configs") == before
    ideal = answers / AT_ONCE * SECONDS
    print(
        f"| {experiments} | {answers:,} | {concurrency or 'not set'} | {seconds:.2f} | {seconds / ideal:.2f} "
        f"| {cpu / answers * 1000:.1f} | {counts.get('refused', 0)} | {again:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", type=int, default=2000)
    parser.add_argument("--experiments", type=int, default=50)
    given = parser.parse_args()
    print("| experiments | answers | concurrency | s | of ideal | CPU, ms each | refused | rerun, s |")
    print("|---|---|---|---|---|---|---|---|")
    measure(given.answers, 1, 50)
    measure(given.answers, 1, None)
    measure(given.answers, given.experiments, 50)
