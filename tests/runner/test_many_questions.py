"""An evaluation that asks the engine many questions at once: every answer is kept, whoever dies."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conftest import Ftrun
from ftrun import waiting
from ftrun.engine.launch import running_engine
from ftrun.engine.places import engine_home
from ftrun.errors import FtrunError
from ftrun.runner import apply, open_session
from ftrun.runner.apply import Outcome
from ftrun.workflow.context import RunSettings
from support.engine_process import wait_until

CONFIG = "configs/toy.yaml"
QUESTIONS = 60
CANDIDATES = ("tuned", "base")
ANSWERS = QUESTIONS * len(CANDIDATES)
WAIT = r"waiting for answers from the engine on this machine.*: \d+ of \d+ received, \d+ in progress, since "


@pytest.fixture
def asked(project: Path) -> Path:
    """Return the folder of the answers of a project with many questions."""
    config = project / CONFIG
    head, _, _ = config.read_text(encoding="utf-8").partition("eval:")
    prompts = "".join(f"    - {{id: q{number}, user: 質問{number}, expect: {{contains: reh}}}}\n"
                      for number in range(QUESTIONS))  # fmt: skip
    config.write_text(f"{head}eval:\n  prompts:\n{prompts}", encoding="utf-8")
    return project / "runs/toy/local"


def run(project: Path, on_event: Callable[[str, dict[str, Any]], None]) -> Outcome:
    """Run the experiment in this process."""
    session = open_session(project / CONFIG, runs=project / "runs")
    return apply(session, RunSettings(yes=True), lambda kind, **data: on_event(kind, data))


def kept(folder: Path) -> list[dict[str, Any]]:
    """Return the answers that are kept, in the order in which they came."""
    path = folder / "answers.cache.jsonl"
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def whole(folder: Path) -> None:
    """Hold the answers to completeness: in the order of the questions, each asked once."""
    lines = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    expected = [(f"q{number}", candidate) for number in range(QUESTIONS) for candidate in CANDIDATES]
    assert [(line["prompt_id"], line["candidate"]) for line in lines] == expected
    assert all(line["answer"].endswith(line["messages"][-1]["content"]) for line in lines)
    assert sorted(line["cache_key"] for line in kept(folder)) == sorted(line["cache_key"] for line in lines)


def test_an_engine_that_dies_costs_no_answer(
    asked: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After kill -9 of the engine the run fails and says what to do; the next one asks for the rest. Each
    answer is durable before it is reported.
    """
    monkeypatch.setattr("ftrun.targets.api.connection.READ_RETRIES", 1)
    numbers, said = list[tuple[int, int]](), list[str]()

    def on_event(kind: str, data: dict[str, Any]) -> None:
        if kind != "answer":
            return
        numbers.append((data["number"], data["of"]))
        lines = [(line["prompt_id"], line["candidate"]) for line in kept(asked)]
        assert lines[data["number"] - data["of"] + ANSWERS - 1] == (data["prompt_id"], data["candidate"])
        if numbers == [(number, ANSWERS) for number in range(1, 21)]:
            engine = running_engine(engine_home())
            assert engine is not None
            os.kill(engine.pid, signal.SIGKILL)

    error = run(project, on_event).error
    assert isinstance(error, FtrunError) and error.code == "unreachable"
    assert "same command again" in str(error.problem.hint)
    before = len(kept(asked))
    assert 20 <= before < ANSWERS
    numbers.clear()
    monkeypatch.setattr(waiting, "_say", [said.append])
    monkeypatch.setattr(waiting, "PAUSES", (0.0,) + 50 * (0.05,))
    assert run(project, on_event).error is None
    assert [text for text in said if "answers from" in text and re.match(WAIT, text)]
    assert not [text for text in said if "chat/completions" in text]
    rest = ANSWERS - before
    assert numbers == [(number, rest) for number in range(1, rest + 1)]
    whole(asked)


def test_runs_that_die_cost_no_answer(ftrun: Ftrun, asked: Path, project: Path) -> None:
    """After kill -9 or Ctrl-C in the middle of many questions the next run asks for the rest."""
    assert ftrun(CONFIG, "--until", "wait").returncode == 0
    for number, code in ((signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130)):
        before = len(kept(asked))
        process = ftrun.start(CONFIG)
        wait_until(lambda before=before: len(kept(asked)) > before)  # type: ignore[misc]
        process.send_signal(number)
        process.communicate()
        assert process.wait() == code
        assert before < len(kept(asked)) < ANSWERS
    rest = ANSWERS - len(kept(asked))
    assert ftrun(CONFIG).returncode == 0
    state = json.loads((asked / "state.json").read_text(encoding="utf-8"))
    assert state["stages"]["evaluate"]["result"]["asked"] == rest
    whole(asked)


def test_a_refused_question_ends_the_run_and_keeps_the_answers_under_way(
    ftrun: Ftrun, asked: Path, project: Path
) -> None:
    """The error names the model that is missing; what the other one answered is not asked again."""
    text = (project / CONFIG).read_text()
    (project / CONFIG).write_text(text.replace("eval:\n", "eval:\n  models: [tuned, ft:rehearsal:gone]\n"))
    failed = ftrun.json(CONFIG, code=1)
    assert failed["error"]["code"] == "not_found" and "ft:rehearsal:gone" in failed["error"]["message"]
    before = kept(asked)
    assert before and {line["candidate"] for line in before} == {"tuned"}
    (project / CONFIG).write_text(text)
    assert ftrun(CONFIG).returncode == 0
    whole(asked)
