"""`ftrun metrics`: the losses of the job, from files or a server, and the scores of the evaluation."""

from __future__ import annotations

import shutil
import time

from conftest import Ftrun
from support.paid_project import Paid

CONFIG = "configs/toy.yaml"
SLOW = {"FTRUN_REHEARSAL_SECONDS_PER_STEP": "0.5"}
SERIES = {"train_loss", "train_accuracy", "valid_loss", "valid_accuracy", "full_valid_loss"}


def test_a_finished_experiment_has_losses_and_scores(ftrun: Ftrun) -> None:
    """Rows by step, the last values, the best step and the scores, from files: the server is not asked."""
    assert ftrun(CONFIG).returncode == 0
    found = ftrun.json("metrics", CONFIG)
    assert (found["source"], found["job_status"]) == ("file", "succeeded")
    assert [row["step"] for row in found["rows"]] == list(range(1, 13))
    assert found["last"]["step"] == 12 and SERIES >= set(found["last"]) & SERIES != set()
    assert found["last"]["train_loss"] == found["rows"][-1]["train_loss"]
    assert found["best"]["valid_loss"] <= found["last"].get("full_valid_loss", 99)
    assert found["fit"] is None and found["notes"] == ["a rehearsal: these losses are made up"]
    tuned = found["evaluation"]["candidates"]["tuned"]["metrics"]["pass_rate"]
    assert tuned.keys() >= {"value", "n", "low", "high"} and tuned["n"] == 2
    said = ftrun("metrics", CONFIG).stdout
    assert "loss by training step (• training, ○ validation)" in said and "└─" in said
    assert "pass_rate" in said and "too few" in said


def test_a_lost_file_comes_from_the_archive(ftrun: Ftrun) -> None:
    """Where metrics.csv is gone, the archive of the model has it too."""
    assert ftrun(CONFIG).returncode == 0
    before = ftrun.json("metrics", CONFIG)
    (ftrun.folder / "runs/toy/local/metrics.csv").unlink()
    found = ftrun.json("metrics", CONFIG)
    assert (found["source"], found["rows"]) == ("history", before["rows"])


def test_a_running_job_is_asked_without_the_lock(ftrun: Ftrun) -> None:
    """The steps so far come from the server's events, while another run holds the lock."""
    run = ftrun.start("run", CONFIG, env=SLOW)
    try:
        for _ in range(200):
            done = ftrun("metrics", CONFIG, "--json")
            if done.returncode == 0 and '"train_loss"' in done.stdout:
                break
            time.sleep(0.1)
        found = ftrun.json("metrics", CONFIG)
        assert found["source"] == "server" and found["job_status"] == "running"
        assert 1 <= len(found["rows"]) < 12
        assert found["evaluation"] is None
    finally:
        run.kill()
        run.communicate(10)
        ftrun("cancel", CONFIG, "--yes")


def test_an_experiment_without_a_job_says_so(ftrun: Ftrun) -> None:
    """Exit 2, and the command that starts one."""
    error = ftrun.json("metrics", CONFIG, code=2)["error"]
    assert error["code"] == "no_job" and "ftrun" in error["hint"]


def test_a_server_that_is_gone_leaves_what_is_known(paid: Paid) -> None:
    """Nothing kept and nobody to ask: a note and exit 0; the job's id and last known status are there."""
    paid.run("run", paid.config, "--yes")
    folder = paid.folder / "runs/toy/paid"
    shutil.rmtree(folder / "history")
    (folder / "metrics.csv").unlink(missing_ok=True)
    paid.server.close()
    found = paid.json("metrics", paid.config)
    assert (found["job_id"], found["source"], found["rows"]) == ("ftjob-1", None, [])
    assert "can't be asked now" in found["notes"][0]
