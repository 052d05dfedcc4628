"""What a whole run costs besides network and imports: its processor time, without that of its requests.

Usage: python benchmarks/overhead.py [ROUNDS]. Each round rehearses an experiment of 14 rows at a server on
loopback, in a process that has imported everything, and then sends as many requests through the bare SDK.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
sys.path.insert(0, str(ROOT / "pipeline"))

import openai  # noqa: E402

from reliability.conftest import WORDS, make_project  # noqa: E402
from support.fork_server import import_everything  # noqa: E402
from support.provider import KEY, Provider  # noqa: E402


def run_once(folder: Path) -> tuple[float, float, int]:
    """Return the processor time of a run and of as many bare requests, in seconds, and their number."""
    from ftrun.cli import main

    provider = Provider().start()
    os.chdir(make_project(folder, provider))
    start = time.thread_time()
    said, notes = io.StringIO(), io.StringIO()
    with (
        contextlib.suppress(SystemExit),
        contextlib.redirect_stdout(said),
        contextlib.redirect_stderr(notes),
    ):
        main(WORDS)
    whole, count = time.thread_time() - start, len(provider.calls)
    if json.loads(said.getvalue())["status"] != "done":
        raise SystemExit(f"the run failed: {said.getvalue()}{notes.getvalue()}")
    client = openai.OpenAI(base_url=provider.base_url, api_key=KEY)
    start = time.thread_time()
    for _ in range(count):
        client.fine_tuning.jobs.list(limit=1)
    bare = time.thread_time() - start
    provider.close()
    return whole, bare, count


def main() -> None:
    """Print medians in milliseconds."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    os.environ["PAID_KEY"] = KEY
    import_everything()
    with tempfile.TemporaryDirectory() as name:
        os.environ["HOME"] = name
        run_once(Path(name) / "warm")
        taken = [run_once(Path(name) / str(turn)) for turn in range(rounds)]
    whole, bare = (statistics.median(one[part] for one in taken) * 1000 for part in (0, 1))
    print(f"a run                       {whole:5.0f} ms of processor time")
    print(f"{taken[0][2]} requests through the SDK {bare:5.0f} ms")
    print(f"besides network and imports {whole - bare:5.0f} ms (goal 300)")


if __name__ == "__main__":
    main()
