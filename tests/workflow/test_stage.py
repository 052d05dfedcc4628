"""Stages say what the runner must know of them, and a simple one is a few lines."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from conftest import ROOT
from ftrun.cli.run import STAGES as CHOICES
from ftrun.runner.plan import decide_one
from ftrun.stages import STAGES
from ftrun.state import StageRecord, State
from ftrun.workflow.context import Context, RunSettings
from ftrun.workflow.decision import fingerprint
from ftrun.workflow.stage import Stage

FLOW = ("apply.py", "plan.py")


class Notify(Stage):
    """Runs when the text changes, and after others that made news."""

    name = "notify"
    follows_news = True

    def inputs(self, context: Context) -> dict[str, Any]:
        """Return the text."""
        return {"text": "done"}

    def run(self, context: Context) -> dict[str, Any]:
        """Notify nobody."""
        return {}


def context(**settings: Any) -> Context:
    """Return as much of a context as a stage with defaults uses, after the stage was done once."""
    state = State(experiment="e", target="t", file="e.yaml", identity={})
    done = StageRecord(status="done", fingerprint=fingerprint({"text": "done"}), inputs={"text": "done"})
    state.stages["notify"] = done
    return cast(Context, SimpleNamespace(state=state, settings=RunSettings(**settings), folder=Path()))


def test_a_simple_stage_is_skipped_until_something_changes() -> None:
    """With its inputs unchanged it is skipped; --force and news of an earlier stage run it."""
    stage, worked = Notify(), STAGES[0]
    skipped = decide_one(stage, context(), None, ())
    assert (skipped.action, stage.costs(context(), skipped)) == ("skip", False)
    assert decide_one(stage, context(force="notify"), None, ()).action == "run"
    news = decide_one(stage, context(force="notify"), None, ())
    assert decide_one(stage, context(), None, [(worked, news)]).action == "run"
    assert decide_one(stage, context(), None, [(worked, skipped)]).action == "skip"


def test_the_command_line_offers_the_stages_in_their_order() -> None:
    """`--until` and `--force` take the names of all stages."""
    assert tuple(stage.name for stage in STAGES) == CHOICES


def test_the_runner_knows_no_stage_by_name() -> None:
    """Neither the plan nor the run imports a stage's module or holds its name."""
    names = {stage.name for stage in STAGES}
    for file in (ROOT / "pipeline/ftrun/runner").glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        assert not {f"ftrun.stages.{name}" for name in names} & imported, file
        held = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        assert file.name not in FLOW or not names & held, file
