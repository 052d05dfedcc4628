"""`status` has one truth, says how old it is, and lists the checkpoints with how to use one."""

from __future__ import annotations

import os
import shlex
import signal
import time
from pathlib import Path
from typing import Any

from conftest import Ftrun
from ftrun.engine.launch import running_engine
from support.paid_project import Paid

CONFIG = "configs/toy.yaml"


def _until_succeeded(ftrun: Ftrun) -> dict[str, Any]:
    for _ in range(200):
        document = ftrun.json("status", CONFIG)
        if document["job_status"] == "succeeded":
            return document
        time.sleep(0.1)
    raise AssertionError(document)


def test_no_stage_is_judged_by_an_older_status(ftrun: Ftrun) -> None:
    """After --detach the server knows more than the state: every line says what the server says."""
    assert ftrun("run", CONFIG, "--detach").returncode == 75
    document = _until_succeeded(ftrun)
    (reason,) = document["stages"]["wait"]["reasons"]
    assert reason.startswith(f"job {document['job_id']} succeeded; the next run")
    assert document["job_status_from"] == "server" and document["job_status_at"]
    said = ftrun("status", CONFIG).stdout
    assert "validating_files" not in said and "queued" not in said and "running" not in said
    assert ftrun.json(CONFIG)["status"] == "done"


def test_what_the_server_can_not_confirm_is_dated(ftrun: Ftrun) -> None:
    """Without the server the state's status is shown as of the last run, not as of now."""
    slow = {"FTRUN_REHEARSAL_SECONDS_PER_STEP": "30"}
    assert ftrun("run", CONFIG, "--detach", env=slow).returncode == 75
    engine = running_engine(Path(os.environ["FTRUN_HOME"]))
    assert engine is not None
    os.kill(engine.pid, signal.SIGTERM)
    while running_engine(Path(os.environ["FTRUN_HOME"])) is not None:
        time.sleep(0.05)
    document = ftrun.json("status", CONFIG)
    assert document["job_status_from"] == "state"
    said = ftrun("status", CONFIG).stdout
    assert "at the last run, " in said and "the server can't be asked now" in said
    assert ftrun("cancel", CONFIG, "--yes").returncode in (0, 1)


def test_the_checkpoints_are_listed_with_how_to_use_one(ftrun: Ftrun) -> None:
    """Id, step, epoch and validation loss of each; the best is marked, and both commands work."""
    assert ftrun(CONFIG).returncode == 0
    document = ftrun.json("status", CONFIG)
    points = document["checkpoints"]
    assert [(one["step"], one["epoch"]) for one in points] == [(6, 1.0), (12, 2.0)]
    best = min(points, key=lambda one: one["valid_loss"])
    assert [one["best"] for one in points] == [one is best for one in points]
    said = ftrun("status", CONFIG).stdout
    assert f"{best['model']}  step {best['step']}" in said and said.count("(best)") == 1
    talk, compare = (line.split(": ", 1)[1] for line in said.splitlines() if line.startswith("  to "))
    talk, compare = (line.partition("ftrun ")[2] for line in (talk, compare))
    answered = ftrun(*shlex.split(talk), "--message", "hello")
    assert best["model"] in answered.stdout, answered
    assert best["model"] in ftrun(*shlex.split(compare)).stdout
    report = (ftrun.folder / "runs/toy/local/report.md").read_text(encoding="utf-8")
    assert f"| `{best['model']}` | {best['step']} |" in report and "(best)**" in report


def test_a_failed_job_is_failed_before_the_next_run(paid: Paid) -> None:
    """What the server says of a job that died since is what every line says."""
    paid.provider.looks = 1000
    paid.run("run", paid.config, "--yes", "--detach", code=75)
    paid.provider.jobs["ftjob-1"]["status"] = "failed"
    document = paid.json("status", paid.config)
    assert document["job_status"] == "failed"
    assert document["stages"]["train"]["status"] == "failed"
    assert not any("running" in reason for one in document["stages"].values() for reason in one["reasons"])
