"""The whole pipeline on the embedded engine, rehearsed: what runs, what is skipped, and how it comes back."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from conftest import Ftrun
from support.engine_process import PATIENCE, wait_until
from support.forked import Forked

CONFIG = "configs/toy.yaml"
SLOW = {"FTRUN_REHEARSAL_SECONDS_PER_STEP": "0.15"}
VERY_SLOW = {"FTRUN_REHEARSAL_SECONDS_PER_STEP": "0.4"}  # for who must come in time on a busy machine


def job_of(project: Path, process: Forked) -> str:
    """Wait until the run has created its job, and return the job's id."""
    state = project / "runs/toy/local/state.json"

    def found() -> bool:
        assert process.poll() is None, process.communicate()
        return state.exists() and bool(json.loads(state.read_text())["jobs"])

    wait_until(found)
    return str(next(iter(json.loads(state.read_text())["jobs"].values()))["job_id"])


def actions(document: dict[str, Any]) -> dict[str, str]:
    """Return stage -> action of a run's or plan's document."""
    if "steps" in document:
        return {step["stage"]: step["action"] for step in document["steps"]}
    return {name: stage["action"] for name, stage in document["stages"].items()}


def ran(document: dict[str, Any]) -> set[str]:
    """Return the stages that did something."""
    return {name for name, action in actions(document).items() if action != "skip"}


def test_a_first_run_does_everything_and_a_second_nothing(ftrun: Ftrun, project: Path) -> None:
    """One command trains and reports; the same command again finds nothing to do."""
    first = ftrun.json(CONFIG)
    assert first["status"] == "done"
    assert first["fine_tuned_model"].startswith("ft:rehearsal:")
    assert Path(first["report"]).exists()
    files = {path.name for path in (project / "runs/toy/local").iterdir()}
    assert {
        "state.json",
        "train.jsonl",
        "validation.jsonl",
        "metrics.csv",
        "answers.jsonl",
        "scores.json",
        "report.html",
        "report.md",
    } <= files
    second = ftrun.json(CONFIG)
    assert ran(second) == set()
    assert second["fine_tuned_model"] == first["fine_tuned_model"]


def test_the_last_lines_are_the_exact_next_commands(ftrun: Ftrun) -> None:
    """What the program prints last can be typed as it stands."""
    out = ftrun(CONFIG).stdout
    assert f"chat {CONFIG} --target local" in out
    assert "runs/toy/local/report.html" in out


def test_new_eval_prompts_do_not_retrain(ftrun: Ftrun, project: Path) -> None:
    """A changed eval prompt runs evaluate and report only."""
    ftrun.json(CONFIG)
    config = project / CONFIG
    config.write_text(config.read_text().replace("二番は？", "三番は？"))
    assert ran(ftrun.json(CONFIG)) == {"evaluate", "report"}


def test_a_changed_hyperparameter_reuses_the_upload(ftrun: Ftrun) -> None:
    """Another n_epochs trains again, on the files that are there; the reason names it."""
    first = ftrun.json(CONFIG)
    plan = ftrun.json("plan", CONFIG, "--set", "train.hyperparameters.n_epochs=3")
    train = next(step for step in plan["steps"] if step["stage"] == "train")
    assert train["action"] == "run"
    assert "hyperparameters" in train["reasons"][0]
    second = ftrun.json(CONFIG, "--set", "train.hyperparameters.n_epochs=3")
    assert actions(second)["upload"] == "skip"
    assert second["training_file"] == first["training_file"]
    assert second["job_id"] != first["job_id"]
    back = ftrun.json(CONFIG)
    assert back["job_id"] == first["job_id"], "going back takes the earlier job"


def test_a_touched_but_equal_file_is_no_change(ftrun: Ftrun, project: Path) -> None:
    """Neither file times nor a moved project run anything again."""
    ftrun.json(CONFIG)
    os.utime(project / "configs/data/toy.csv")
    os.utime(project / CONFIG)
    assert ran(ftrun.json(CONFIG)) == set()


def test_deleted_state_adopts_uploads_and_job(ftrun: Ftrun, project: Path) -> None:
    """Without its state the run finds the uploads by content and the job by metadata."""
    first = ftrun.json(CONFIG)
    shutil.rmtree(project / "runs")
    second = ftrun.json(CONFIG)
    assert second["job_id"] == first["job_id"]
    assert second["training_file"] == first["training_file"]


def test_the_job_goes_on_when_the_runner_is_killed(ftrun: Ftrun, project: Path) -> None:
    """kill -9 while waiting loses nothing: the next run waits for the same job."""
    process = ftrun.start("run", CONFIG, env=SLOW)
    job_id = job_of(project, process)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    second = ftrun.json(CONFIG)
    assert second["job_id"] == job_id
    assert second["status"] == "done"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_says_what_goes_on_and_how_to_come_back(
    ftrun: Ftrun, project: Path, number: signal.Signals
) -> None:
    """Ctrl-C while waiting exits with 130 within two seconds and names the job and the command."""
    process = ftrun.start("run", CONFIG, env=VERY_SLOW)
    job_of(project, process)
    start = time.monotonic()
    process.send_signal(number)
    _out, told = process.communicate(timeout=PATIENCE)
    assert time.monotonic() - start < 10  # the promise is 2 s; a busy machine gets more
    assert process.returncode == 130, told
    assert "keeps running" in told
    assert f"{CONFIG} --target local" in told
    assert "Traceback" not in told
    assert ftrun.json(CONFIG)["status"] == "done"


def test_detach_leaves_and_the_same_command_goes_on(ftrun: Ftrun) -> None:
    """--detach creates the job and exits with 75; status shows it; a plain run finishes it."""
    first = ftrun.json(CONFIG, "--detach", code=75, env=SLOW)
    assert first["status"] == "pending"
    status = ftrun.json("status", CONFIG)
    assert status["job_id"]
    assert status["stages"]["train"]["status"] == "done"
    assert ftrun.json(CONFIG)["status"] == "done"
    assert ftrun.json("status", CONFIG)["stages"]["report"]["status"] == "done"


def test_max_wait_leaves_with_75(ftrun: Ftrun) -> None:
    """A run that may wait one second leaves a longer job alone and says so."""
    assert ftrun.json(CONFIG, "--max-wait", "1s", code=75, env=VERY_SLOW)["status"] == "pending"


def test_until_stops_after_the_stage(ftrun: Ftrun) -> None:
    """--until check neither uploads nor trains."""
    assert set(ftrun.json(CONFIG, "--until", "check")["stages"]) == {"prepare", "check"}


def test_force_train_makes_another_attempt(ftrun: Ftrun) -> None:
    """--force train creates one more job, and the run after that has nothing to do."""
    first = ftrun.json(CONFIG)
    second = ftrun.json(CONFIG, "--force", "train")
    assert second["job_id"] != first["job_id"]
    assert ran(ftrun.json(CONFIG)) == set()


def test_plan_writes_nothing(ftrun: Ftrun, project: Path) -> None:
    """A plan leaves no file behind and starts no engine; 10 says that there is something to do."""
    before = sorted(project.rglob("*"))
    plan = ftrun.json("plan", CONFIG, "--detailed-exitcode", code=10)
    assert actions(plan)["train"] == "run"
    assert plan["estimate"]["usd"] == 0
    assert not any(step["paid"] for step in plan["steps"])
    assert sorted(project.rglob("*")) == before
    assert not Path(os.environ["FTRUN_HOME"]).exists()


def test_another_store_runs_anew(ftrun: Ftrun, tmp_path: Path) -> None:
    """With another engine's store the state's jobs mean nothing, and the plan says so."""
    ftrun.json(CONFIG)
    other = {"FTRUN_HOME": str(tmp_path / "other-engine")}
    plan = ftrun.json("plan", CONFIG, env=other)
    assert any("another local store" in note for note in plan["notes"])
    assert actions(plan)["train"] == "run"


def test_two_files_of_one_name_are_refused(ftrun: Ftrun, project: Path) -> None:
    """Two experiments that would share their state are exit code 4."""
    ftrun.json(CONFIG)
    shutil.copy(project / CONFIG, project / "configs/copy.yaml")
    assert ftrun.json("run", "configs/copy.yaml", code=4)["error"]["code"] == "same_name"


def test_a_second_run_at_once_is_told_who_holds_the_lock(ftrun: Ftrun, project: Path) -> None:
    """While one run works another stops with 4 and names it."""
    process = ftrun.start("run", CONFIG, env=SLOW)
    job_of(project, process)
    process.send_signal(signal.SIGSTOP)  # it holds its lock, however long the other one takes to start
    document = ftrun.json(CONFIG, code=4)
    assert document["error"]["code"] == "locked"
    assert str(process.pid) in document["error"]["message"]
    process.send_signal(signal.SIGCONT)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_an_engine_killed_while_waiting_is_started_again(ftrun: Ftrun, project: Path) -> None:
    """kill -9 of the engine in the middle of a job: the run goes on and ends well."""
    process = ftrun.start("run", CONFIG, env=SLOW)
    note = Path(os.environ["FTRUN_HOME"]) / "engine.json"
    job_of(project, process)
    os.kill(json.loads(note.read_text())["pid"], signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_chat_answers_with_the_tuned_model(ftrun: Ftrun) -> None:
    """`chat` asks the tuned model, and a candidate beside it."""
    ftrun.json(CONFIG)
    answers = ftrun.json("chat", CONFIG, "-m", "こんにちは", "--with", "base")["answers"]
    assert [answer["candidate"] for answer in answers] == ["tuned", "base"]
    assert all("rehearsal" in answer["answer"] for answer in answers)


def test_events_show_the_job(ftrun: Ftrun) -> None:
    """`events` lists what the job told, `-f` ends with the job."""
    ftrun.json(CONFIG)
    messages = [event["message"] for event in ftrun.json("events", CONFIG)["events"]]
    assert any("succeeded" in message for message in messages)
    assert ftrun("events", CONFIG, "-f").returncode == 0


def test_a_question_of_the_training_data_is_scored_apart(ftrun: Ftrun) -> None:
    """Its answers carry a label, and the metrics tell recall from what is unseen."""
    words = ("--set", "eval.prompts.0.user=質問1は何ですか", "--set", "data.split=null")
    metrics = ftrun.json("configs/toy.yaml", *words)["metrics"]["tuned"]
    assert (metrics["recall"]["judged"], metrics["unseen"]["judged"], metrics["judged"]) == (1, 1, 1)
    lines = (ftrun.folder / "runs/toy/local/answers.jsonl").read_text("utf-8").splitlines()
    assert {(one["prompt_id"], one["recall"]) for one in map(json.loads, lines)} == {
        ("one", True),
        ("two", False),
    }
    assert "recall" in (ftrun.folder / "runs/toy/local/report.md").read_text("utf-8")
