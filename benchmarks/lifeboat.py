"""Leaving a provider with a thousand jobs: how long `ftrun import --all` and `ftrun rescue` take, of the
ideal, and what is left after kills and broken answers.

Usage: python benchmarks/lifeboat.py [--jobs N] [--kills N] [--seeds N] [--answers N] [PART ...]

Parts: import, kills, faults, rescue. The server is a process of its own on the same cores. Every command is a
process as a user starts it, and its time includes start-up. The ideal of an import is the time that its
requests need: the pages of the list of jobs one after the other, then the events and checkpoints of each job
and the content of each file, as many at a time as the server takes. The last lines are tables in Markdown.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

HERE = Path(__file__).resolve()
TESTS = HERE.parents[1] / "tests"
LATENCY, AT_ONCE = 0.05, 8  # of an import; 8 calls at one time is what ftrun makes where nothing is set
SECONDS, ASKED_AT_ONCE = 0.2, 50  # of an answer, as in asking.py
KEY_NAME = "OLD_ACCOUNT_KEY"
CONFIG = """\
version: 1
name: {name}
targets:
  old: {{provider: openai, base_url: '{base_url}', api_key_env: {key_name}, concurrency: {at_once},
    model: gpt-4o-mini-2024-07-18, price: {{train: 3, input: 0.3, output: 1.2}}}}
budget: {{usd: 100}}
eval:
  models: [{{name: tuned, model: '{model}'}}, base]
  prompts: [{{path: questions.jsonl}}]
"""
VOLATILE = ("lineage", "serial", "checksum", "time", "at", "seconds", "started", "finished")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command took: wall and processor seconds, peak memory in MB, exit code and output."""

    seconds: float
    cpu: float
    memory: int
    code: int
    output: str


@contextmanager
def server(*words: str) -> Iterator[dict[str, Any]]:
    """Yield what the server's process says of itself."""
    command = [sys.executable, "-m", "support.old_account", "--until-eof", *words]
    with subprocess.Popen(
        command, cwd=TESTS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None and process.stdin is not None
        yield json.loads(process.stdout.readline())
        process.stdin.close()


def stats(facts: dict[str, Any]) -> dict[str, Any]:
    """Return what the server counted."""
    with urlopen(f"http://127.0.0.1:{facts['port']}/stats") as answer:
        counts: dict[str, Any] = json.load(answer)
    return counts


def start(folder: Path, facts: dict[str, Any], *words: str) -> subprocess.Popen[bytes]:
    """Start `ftrun WORDS` in `folder`, as a user with a home of its own."""
    environment = {**os.environ, KEY_NAME: facts["key"], "HOME": str(folder / "home"), "FTRUN_LANG": "en"}
    environment |= {"XDG_STATE_HOME": str(folder / "state"), "FTRUN_LOCKS": str(folder / "locks")}
    with (folder / "output").open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "ftrun", *words], cwd=folder, env=environment, stdout=output, stderr=output
        )


def run(folder: Path, facts: dict[str, Any], *words: str) -> Ran:
    """Run `ftrun WORDS` to its end."""
    began = time.monotonic()
    process = start(folder, facts, *words)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    return Ran(
        seconds=time.monotonic() - began,
        cpu=usage.ru_utime + usage.ru_stime,
        memory=usage.ru_maxrss // 1024,
        code=process.returncode,
        output=(folder / "output").read_text("utf-8"),
    )


def import_words(folder: Path, facts: dict[str, Any], out: str = "imported") -> list[str]:
    """Return the words of an import, and write the experiment file that it names."""
    text = CONFIG.format(
        name="account", model="none", base_url=facts["base_url"], key_name=KEY_NAME, at_once=AT_ONCE
    )
    (folder / "account.yaml").write_text(text, "utf-8")
    (folder / "questions.jsonl").write_text('{"id": "hello", "user": "Hello"}\n', "utf-8")
    return ["import", "--all", "--config", "account.yaml", "--out", out, "--yes", "--json"]


def ideal(jobs: int) -> tuple[int, float]:
    """Return how many requests an import of an ordinary account needs, and the seconds for them."""
    sys.path.insert(0, str(TESTS))
    from support.old_jobs import stock

    made = stock(jobs, plain=True)
    pages = [-(-len(events) // 100) for events in made.events.values()]
    others = sum(pages) + len(made.checkpoints) + len(made.contents)
    lists = -(-jobs // 100)
    return lists + others, LATENCY * (lists + others / AT_ONCE)


def importing(jobs: int) -> None:
    """Measure a whole import, and a second one with nothing to do."""
    needed, least = ideal(jobs)
    words = ("--jobs", str(jobs), "--plain", "--latency", str(LATENCY), "--at-most", str(AT_ONCE))
    print("| jobs | files | requests (needed) | ideal, s | s | of ideal | CPU per 100 jobs, s | memory, MB |")
    print("|---|---|---|---|---|---|---|---|")
    with server(*words) as facts, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        command = import_words(folder, facts)
        done = run(folder, facts, *command)
        must(done.code == 0, done.output)
        counts = stats(facts)
        must(set(counts["downloads"].values()) == {1} and len(counts["downloads"]) == 3 * jobs, "downloads")
        made = json.loads(done.output[done.output.index("{") :])
        must(len(made["imported"]) == jobs and not made["failed"], "not all jobs were imported")
        print(
            f"| {jobs:,} | {3 * jobs:,} | {sum(counts['requests'].values()):,} ({needed:,}) | {least:.1f} "
            f"| {done.seconds:.1f} | {done.seconds / least:.2f} | {done.cpu / jobs * 100:.2f} "
            f"| {done.memory} |",
            flush=True,
        )
        before = tree(folder / "imported")
        again = run(folder, facts, *command)
        must(again.code == 0 and tree(folder / "imported") == before, "a rerun changed something")
        later = stats(facts)
        must(later["downloads"] == counts["downloads"], "a rerun downloaded files")
        asked = sum(later["requests"].values()) - sum(counts["requests"].values())
        print(f"\nRerun: {again.seconds:.1f} s, {asked} requests, CPU {again.cpu:.1f} s\n", flush=True)


def kills(jobs: int, number: int) -> None:
    """Kill imports at random times, then let one finish: nothing is lost, little is fetched twice."""
    words = ("--jobs", str(jobs), "--plain", "--latency", str(LATENCY), "--at-most", str(AT_ONCE))
    chance = random.Random(1)
    with server(*words) as facts, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        command, killed = import_words(folder, facts), 0
        whole = run(folder, facts, *command)
        must(whole.code == 0, whole.output)
        expected = tree(folder / "imported")
        (folder / "imported").rename(folder / "whole")
        once = stats(facts)["downloads"]
        while killed < number:
            process = start(folder, facts, *command)
            time.sleep(chance.uniform(0.3, 0.3 + 4 * whole.seconds / number))
            killed += process.poll() is None
            process.send_signal(signal.SIGKILL)
            if process.wait() == 0:
                break
        done = run(folder, facts, *command)
        must(done.code == 0, done.output)
        must(tree(folder / "imported") == expected, "the result differs")
        counts = stats(facts)["downloads"]
        twice = sum(counts.values()) - 2 * sum(once.values())
        print("| jobs | files | kills | in flight when killed, at most | fetched again | result |")
        print("|---|---|---|---|---|---|")
        print(f"| {jobs} | {len(once)} | {killed} | {killed * AT_ONCE} | {twice} | the same |\n", flush=True)
        must(twice <= killed * AT_ONCE, "files that were kept were fetched again")


def faults(jobs: int, seeds: int) -> None:
    """Let 30 % of all answers be lost or broken: the result is the same as without."""
    print("| seed | jobs | requests | broken | runs | s | result |\n|---|---|---|---|---|---|---|")
    with server("--jobs", str(jobs)) as facts, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        whole = run(folder, facts, *import_words(folder, facts))
        must(whole.code in (0, 1), whole.output)
        expected, port = tree(folder / "imported"), str(facts["port"])
    for seed in range(seeds):  # at the same address: it is in the experiments
        words = ("--port", port, "--jobs", str(jobs), "--faults", "0.3", "--seed", str(seed))
        with server(*words) as facts, tempfile.TemporaryDirectory() as temporary:
            folder, runs, seconds = Path(temporary), 0, 0.0
            while runs < 3 and (runs == 0 or tree(folder / "imported") != expected):
                done = run(folder, facts, *import_words(folder, facts))
                runs, seconds = runs + 1, seconds + done.seconds
            same = tree(folder / "imported") == expected
            counts = stats(facts)
            broken, asked = sum(counts["faulty"].values()), sum(counts["requests"].values())
            shown = "the same" if same else "DIFFERS"
            print(f"| {seed} | {jobs} | {asked} | {broken} | {runs} | {seconds:.1f} | {shown} |", flush=True)
            if not same:
                print(difference(expected, tree(folder / "imported")), done.output[-2000:], sep="\n")
            must(same, "the result differs")
    print()


def rescuing(answers: int) -> None:
    """Measure a rescue of a tuned model's and its base's answers, and one with nothing to do."""
    words = ("--jobs", "3", "--plain", "--latency", str(SECONDS), "--at-most", str(ASKED_AT_ONCE))
    with server(*words) as facts, tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sys.path.insert(0, str(TESTS))
        from support.old_jobs import stock

        model = next(iter(stock(3, plain=True).knows))
        text = CONFIG.format(
            name="asked", model=model, base_url=facts["base_url"], key_name=KEY_NAME, at_once=ASKED_AT_ONCE
        )
        (folder / "asked.yaml").write_text(text, "utf-8")
        questions = [
            {"id": f"q{number}", "user": f"Is order {number} here?"} for number in range(answers // 2)
        ]
        lines = "".join(json.dumps(one) + "\n" for one in questions)
        (folder / "questions.jsonl").write_text(lines, "utf-8")
        least = answers / ASKED_AT_ONCE * SECONDS
        done = run(folder, facts, "rescue", "asked.yaml", "--yes")
        must(done.code == 0, done.output)
        counts = stats(facts)
        kept = [path for path in (folder / "rescued").glob("*.jsonl") if "questions" not in path.name]
        must(len(kept[0].read_text("utf-8").splitlines()) == answers, "not all answers were kept")
        print(
            "| answers | asked | ideal, s | first question to last answer, s | of ideal | whole command, s |"
        )
        print("|---|---|---|---|---|---|")
        print(
            f"| {answers:,} | {sum(counts['answers'].values()):,} | {least:.1f} | {counts['asking']:.2f} "
            f"| {counts['asking'] / least:.2f} | {done.seconds:.2f} ({done.seconds / least:.2f} of ideal) |"
        )
        print(f"\nCPU per answer {done.cpu / answers * 1000:.1f} ms, memory {done.memory} MB", flush=True)
        again = run(folder, facts, "rescue", "asked.yaml", "--yes")
        must(again.code == 0 and stats(facts)["answers"] == counts["answers"], "a rerun asked again")
        print(f"Rerun: {again.seconds:.1f} s, nothing asked", flush=True)


def tree(folder: Path) -> dict[str, str]:
    """Return what is in a folder: a digest per file, without what differs from run to run."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not path.name.endswith((".lock", ".backup")):
            found[name] = hashlib.sha256(lasting(path)).hexdigest()
    return found


def lasting(path: Path) -> bytes:
    """Return what is the same in every run: journals have an order of their own, states have times."""
    content = path.read_bytes()
    if path.name == "files.jsonl":
        return b"\n".join(sorted(content.splitlines()))
    if path.name == "state.json":
        return json.dumps(without(json.loads(content)), sort_keys=True).encode()
    return content


def without(value: Any) -> Any:
    """Return a JSON value without times and what depends on them."""
    if isinstance(value, dict):
        return {key: without(one) for key, one in value.items() if not volatile(key)}
    return [without(one) for one in value] if isinstance(value, list) else value


def volatile(key: str) -> bool:
    """Return whether the value of a key of a state differs from run to run."""
    return key in VOLATILE or key.endswith("_at")


def difference(one: dict[str, str], other: dict[str, str]) -> str:
    """Return the names of what isn't the same in two trees."""
    names = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
    return "\n".join(names[:20])


def must(holds: bool, message: str) -> None:
    """End the benchmark unless `holds`: figures of a wrong result are worth nothing."""
    if not holds:
        raise SystemExit(f"FAILED: {message}")


def main() -> None:
    """Run the parts asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=["import", "kills", "faults", "rescue"])
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--answers", type=int, default=2000)
    given = parser.parse_args()
    parts: dict[str, Callable[[], None]] = {
        "import": lambda: importing(given.jobs),
        "kills": lambda: kills(given.jobs // 5, given.kills),
        "faults": lambda: faults(60, given.seeds),
        "rescue": lambda: rescuing(given.answers),
    }
    for name, part in parts.items():
        if not given.parts or name in given.parts:
            part()


if __name__ == "__main__":
    main()
