"""The stages of a run, one module each; they never import each other, save for what `train` calls a spec."""

from typing import cast

from ftrun.paid.deployments import standing
from ftrun.stages import check, deploy, evaluate, prepare, report, train, undeploy, upload, wait
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Action, Decision, Stage

STAGES = cast(tuple[Stage, ...], (prepare, check, upload, train, wait, evaluate, report))
# in the place of `evaluate` where a tuned model answers only when it is deployed
DEPLOYED = cast(tuple[Stage, ...], (deploy, evaluate, undeploy))


def stages_of(context: Context) -> tuple[Stage, ...]:
    """Return the stages of an experiment on its target, in their order."""
    needed = context.experiment.target.capabilities.get("deployment") == "needed"
    asked = bool(context.experiment.evaluation.prompts) or standing(context) is not None
    if not needed or not asked:
        return STAGES
    position = STAGES.index(DEPLOYED[1])
    return (*STAGES[:position], *DEPLOYED, *STAGES[position + 1 :])


__all__ = ["STAGES", "Action", "Context", "Decision", "Stage", "stages_of"]
