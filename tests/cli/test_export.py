"""`ftrun export`: what can be exported, where to, and what is said of it."""

from __future__ import annotations

from conftest import Ftrun
from support.paid_project import Paid

CONFIG = "configs/toy.yaml"


def test_a_rehearsal_has_nothing_to_export(ftrun: Ftrun) -> None:
    """Exit 2 before anything is looked for or written."""
    error = ftrun.json("export", CONFIG, "--to", "out", code=2)["error"]
    assert error["code"] == "not_exportable" and "rehearsal" in error["message"]
    assert not (ftrun.folder / "out").exists()


def test_models_at_a_service_stay_there(paid: Paid) -> None:
    """Exit 2 for a target whose server is another one's; nothing is asked of it."""
    paid.run("export", paid.config, "--to", "out", code=2)
    assert not paid.provider.calls


def test_without_a_model_the_next_step_is_named(ftrun: Ftrun) -> None:
    """Exit 2 with the command that trains one."""
    local = ("--set", "targets.local.model=smollm2-135m-instruct")
    error = ftrun.json("export", CONFIG, *local, "--to", "out", code=2)["error"]
    assert error["code"] == "no_model" and "ftrun run configs/toy.yaml" in error["hint"]


def test_a_folder_with_something_else_is_refused_first(ftrun: Ftrun) -> None:
    """Exit 2 before the engine is started; the folder stays."""
    local = ("--set", "targets.local.model=smollm2-135m-instruct")
    error = ftrun.json("export", CONFIG, *local, "--to", "configs", code=2)["error"]
    assert error["code"] == "folder_in_use" and "data" in error["message"]
    assert (ftrun.folder / CONFIG).exists()
