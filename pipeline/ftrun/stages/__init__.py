"""The stages of a run, one module each; they never import each other, save for what `train` calls a spec."""

from typing import cast

from ftrun.stages import check, evaluate, prepare, report, train, upload, wait
from ftrun.stages.context import Context
from ftrun.stages.decision import Action, Decision, Stage

STAGES = cast(tuple[Stage, ...], (prepare, check, upload, train, wait, evaluate, report))
NAMES = tuple(stage.NAME for stage in STAGES)

__all__ = ["NAMES", "STAGES", "Action", "Context", "Decision", "Stage"]
