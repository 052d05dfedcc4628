"""The stages of a run, one module each, in one explicit order. They never import each other."""

from ftrun.stages.check import CheckStage
from ftrun.stages.deploy import DeployStage
from ftrun.stages.evaluate import EvaluateStage
from ftrun.stages.prepare import PrepareStage
from ftrun.stages.report import ReportStage
from ftrun.stages.train import TrainStage
from ftrun.stages.undeploy import UndeployStage
from ftrun.stages.upload import UploadStage
from ftrun.stages.wait import WaitStage
from ftrun.workflow.context import Context
from ftrun.workflow.stage import Stage

STAGES: tuple[Stage, ...] = (
    PrepareStage(),
    CheckStage(),
    UploadStage(),
    TrainStage(),
    WaitStage(),
    DeployStage(),
    EvaluateStage(),
    UndeployStage(),
    ReportStage(),
)


def stages_of(context: Context) -> tuple[Stage, ...]:
    """Return the stages of an experiment on its target, in their order."""
    left_out = context.settings.evaluate_only
    return tuple(one for one in STAGES if one.applies(context) and not (left_out and one.trains))
