"""A deployment is removed when its questions are answered, so that it costs nothing; `keep` lets it stay."""

from __future__ import annotations

from typing import Any

from ftrun.paid.asking.questionnaire import asks_tuned
from ftrun.paid.deployments import STAGE, is_needed, running, take_down
from ftrun.targets import Service
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision
from ftrun.workflow.stage import Stage


class UndeployStage(Stage):
    """Removes the deployment."""

    name = "undeploy"
    around_asking = "after"

    def applies(self, context: Context) -> bool:
        """Return whether a model must be deployed here before it answers."""
        return is_needed(context)

    def inputs(self, context: Context) -> dict[str, Any]:
        """Return which deployment there was."""
        result = context.result(STAGE)
        return {"deployment": result.get("deployment"), "since": result.get("since")}

    def decide(self, context: Context, remote: Service | None) -> Decision:
        """Remove what ftrun deployed, once the questions are answered."""
        where = context.experiment.target.deployment
        ours = where is not None and where.subscription is not None
        if where is not None and ours and where.keep:
            return Decision(action="skip", reasons=("keep: it stays until `ftrun rm` removes it",))
        if (ours and asks_tuned(context)) or running(context) is not None:
            return Decision(action="run", reasons=("the deployment is no longer needed",))
        return Decision(action="skip", reasons=("nothing is deployed",))

    def run(self, context: Context) -> dict[str, Any]:
        """Remove the deployment and note it."""
        if self.decide(context, None).action == "skip":
            return {"removed": None}
        return {"removed": take_down(context)}
