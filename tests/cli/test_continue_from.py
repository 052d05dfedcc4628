"""train.continue_from: what is asked for, what it changes, and what is refused before anything is sent."""

from __future__ import annotations

from pathlib import Path

from support.paid_project import Paid


def write_second(paid: Paid, start: str, name: str = "zwei") -> Path:
    """Write an experiment that continues from `start`."""
    text = paid.config.read_text(encoding="utf-8").replace("name: toy", f"name: {name}")
    path = paid.folder / "zwei.yaml"
    path.write_text(f"{text}train: {{continue_from: '{start}'}}\n", encoding="utf-8")
    return path


def test_a_model_id_is_what_the_job_starts_from(paid: Paid) -> None:
    """The job is asked for with the tuned model; without the key the spec is what it always was."""
    path = write_second(paid, "ft:m:earlier")
    paid.provider.models["ft:m:earlier"] = {"id": "ft:m:earlier"}
    paid.json("run", path, "--yes")
    assert paid.provider.created[0]["model"] == "ft:m:earlier"
    paid.json("run", paid.config, "--yes")
    assert paid.provider.created[1]["model"] == "m"
    specs = [body["metadata"]["ftrun_spec"] for body in paid.provider.created]
    assert specs[0] != specs[1]


def test_another_experiment_stands_for_its_model(paid: Paid) -> None:
    """It must be trained first; if it is trained again, the one that builds on it is, too."""
    path = write_second(paid, "toy.yaml")
    error = paid.json("run", path, "--yes", code=2)["error"]
    assert error["code"] == "continue_from" and "ftrun run" in error["hint"]
    assert paid.provider.created == []
    paid.json("run", paid.config, "--yes")
    paid.json("run", path, "--yes")
    assert [body["model"] for body in paid.provider.created] == ["m", "ft:m:ftjob-1"]
    assert {one["action"] for one in paid.json("plan", path)["steps"]} == {"skip"}
    paid.json("run", paid.config, "--yes", "--force", "train")
    plan = {one["stage"]: one for one in paid.json("plan", path)["steps"]}
    assert plan["train"]["action"] == "run"
    assert "continue from" in " ".join(plan["train"]["reasons"])


def test_an_experiment_cannot_continue_from_itself(paid: Paid) -> None:
    """That would be another job at every run."""
    path = write_second(paid, "zwei.yaml")
    assert "itself" in paid.json("run", path, "--yes", code=2)["error"]["message"]


def test_a_file_that_is_not_there_is_named_with_its_place(paid: Paid) -> None:
    """The error has file, line and column of the key."""
    path = write_second(paid, "none.yaml")
    error = paid.json("run", path, "--yes", code=2)["error"]
    assert "none.yaml" in error["message"] and error["line"] and error["column"]
