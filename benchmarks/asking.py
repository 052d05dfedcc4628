"""Asking many questions at once: how long 2,000 answers take where a server needs 200 ms for each and takes
50 at once, what stays in memory, and what random refusals and lost answers cost.

Usage: python benchmarks/asking.py [--answers N] [--seeds N]

Server and client are processes of their own. The time is from the first question to the last answer that is
durably kept, without start-up; ideal is answers / 50 * 0.2 s. The last lines are tables in Markdown.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

HERE = Path(__file__).resolve()
SECONDS, AT_ONCE = 0.2, 50
CONFIG = """\
version: 1
name: asking
targets:
  paid: {{provider: openai, model: m, base_url: 'http://127.0.0.1:{port}/v1', api_key_env: BENCH_KEY,
    price: {{train: 1, input: 1, output: 1}}}}
data: {{sources: [{{path: rows.csv}}]}}
prompt: {{user: "{{{{ q }}}}", assistant: "{{{{ a }}}}"}}
budget: {{usd: 100}}
eval: {{models: [base], prompts: [{{id: one, user: 一番は？}}]}}
"""


@contextmanager
def server(at_once: int, faults: float = 0.0, seed: int = 0) -> Iterator[int]:
    """Yield the port of a server process."""
    command = [sys.executable, str(HERE.with_name("chat_server.py")), str(SECONDS), str(at_once)]
    command += ["--faults", str(faults), "--seed", str(seed)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdin is not None
        yield int(process.stdout.readline())
        process.stdin.close()


def stats(port: int) -> dict[str, int]:
    """Return what the server counted."""
    with urlopen(f"http://127.0.0.1:{port}/stats") as answer:
        counts: dict[str, int] = json.load(answer)
    return counts


def ask(folder: Path, port: int, number: int, concurrency: int | None) -> dict[str, Any]:
    """Return the facts of asking in a process of its own; asked again in `folder`, answers are kept."""
    command = [
        sys.executable,
        str(HERE),
        "--child",
        str(folder),
        str(port),
        str(number),
        str(concurrency or 0),
    ]
    environment = {**os.environ, "BENCH_KEY": "bench-0123456789abcdef", "FTRUN_LOCKS": str(folder / "locks")}
    environment["XDG_STATE_HOME"] = str(folder / "state")
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    facts: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return facts


def child(folder: Path, port: int, number: int, concurrency: int) -> dict[str, Any]:
    """Ask what is not answered yet, and keep each answer; return time, CPU and memory."""
    from ftrun.cost.prices import request_usd
    from ftrun.evaluation.answer_files import AnswerCache
    from ftrun.evaluation.answers import Candidate, Record, Request, cache_key
    from ftrun.paid.asking.answering import AnswerCosts
    from ftrun.paid.asking.lanes import Asking
    from ftrun.runner.apply import context_of
    from ftrun.runner.session import open_session
    from ftrun.workflow.context import Approval, RunSettings, agree_to

    config = folder / "asking.yaml"
    config.write_text(CONFIG.format(port=port), encoding="utf-8")
    context = context_of(open_session(config), settings=RunSettings(yes=True))
    target = replace(context.experiment.target, concurrency=concurrency or None)
    context.experiment = replace(context.experiment, target=target)
    who, sampling = Candidate(name="base", model="m"), {"temperature": 0, "max_tokens": 256, "seed": 42}
    system = {"role": "system", "content": "あなたは親切な案内係です。" * 5}
    cache, requests = AnswerCache(context.folder), []
    for one in range(number):
        messages = (system, {"role": "user", "content": f"質問{one}: 窓口は何時までですか。"})
        key = cache_key(who, messages, sampling)
        if key not in cache.records:
            requests.append(
                Request(sample=str(one), candidate=who, messages=messages, sampling=sampling, key=key)
            )
    agree_to(context.experiment, context.settings)
    context.service()
    context.approval = Approval(estimate={"eval_usd": 1.0})
    request_usd(
        context.experiment.target, (), None
    )  # loads the vocabulary, as checking the budget of a run does
    cpu, start = time.process_time(), time.monotonic()
    with AnswerCosts(context, len(requests)) as costs, cache.open() as keep:
        for answered in Asking(context, costs).ask_all(requests):
            keep(
                [
                    Record(
                        prompt_id=request.sample,
                        candidate=who.name,
                        model=who.model,
                        messages=request.messages,
                        answer=reply.text,
                        expect=None,
                        passed=None,
                        usage=reply.usage,
                        seconds=reply.seconds,
                        cache_key=request.key,
                    )
                    for request, reply in answered
                ]
            )
            costs.after(len(answered))
    seconds, cpu = time.monotonic() - start, time.process_time() - cpu
    context.close()
    return {
        "asked": len(requests),
        "seconds": seconds,
        "cpu": cpu,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "lost": costs.lost,
        "usd": costs.usd,
        "answers": {one.prompt_id: one.answer for one in cache.records.values()},
    }


def speed(number: int) -> None:
    """Measure time and memory, and that a rerun asks nothing."""
    print("| answers | server takes | concurrency | s | of ideal | CPU, ms each | memory, MB | refused |")
    print("|---|---|---|---|---|---|---|---|")
    cases = ((200, 50, 50), (number, 50, 50), (number, 50, None), (number, 50, 200), (number, 20, None))
    for count, takes, concurrency in cases:
        with server(takes) as port, tempfile.TemporaryDirectory() as folder:
            facts = ask(Path(folder), port, count, concurrency)
            counts = stats(port)
            again = ask(Path(folder), port, count, concurrency)
            assert again["asked"] == 0 and stats(port)["requests"] == counts["requests"]
        ideal, each = count / takes * SECONDS, facts["cpu"] / count * 1000
        shown = concurrency or "not set"
        print(
            f"| {count:,} | {takes} | {shown} | {facts['seconds']:.2f} | {facts['seconds'] / ideal:.2f} "
            f"| {each:.1f} | {facts['memory']} | {counts.get('refused', 0)} |",
            flush=True,
        )


def faults(number: int, seeds: int) -> None:
    """Measure what refusals and lost answers cost: the answers are the same as without them."""
    print("\n| seed | answers | requests | refused | committed | lost | s |\n|---|---|---|---|---|---|---|")
    with server(AT_ONCE) as port, tempfile.TemporaryDirectory() as folder:
        sound = ask(Path(folder), port, number, None)["answers"]
    for seed in range(seeds):
        with server(AT_ONCE, 0.3, seed) as port, tempfile.TemporaryDirectory() as folder:
            facts = ask(Path(folder), port, number, None)
            counts = stats(port)
        assert facts["answers"] == sound and counts["delivered"] == number
        assert facts["lost"] == counts["committed"] - counts["delivered"]
        print(
            f"| {seed} | {number} | {counts['requests']} | {counts['refused']} | {counts['committed']} "
            f"| {facts['lost']} | {facts['seconds']:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--answers", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        place, *numbers = given.child
        print(json.dumps(child(Path(place), *map(int, numbers))))
    else:
        speed(given.answers)
        faults(given.answers // 10, given.seeds)
