"""A deployment that nobody needs any more is removed, so that it costs nothing; `keep` lets it stay."""

from __future__ import annotations

from typing import Any

from ftrun.paid.deployments import STAGE, standing, take_down
from ftrun.targets import Service
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision

NAME = "undeploy"


def inputs(context: Context) -> dict[str, Any]:
    """Return which deployment there was."""
    result = context.result(STAGE)
    return {"deployment": result.get("deployment"), "since": result.get("since")}


def outputs(context: Context) -> tuple[str, ...]:
    """Return no file: it writes none."""
    return ()


def decide(context: Context, remote: Service | None) -> Decision:
    """Remove what ftrun deployed, once the questions are answered."""
    where = context.experiment.target.deployment
    if where is not None and where.subscription is not None and where.keep:
        return Decision(action="skip", reasons=("keep: it stays until `ftrun rm` removes it",))
    to_come = where is not None and where.subscription is not None and context.asks()
    if to_come or standing(context) is not None:
        return Decision(action="run", reasons=("the deployment is not needed any more",))
    return Decision(action="skip", reasons=("nothing is deployed",))


def costs(context: Context, decision: Decision) -> bool:
    """Tell that it costs nothing anywhere."""
    return False


def run(context: Context) -> dict[str, Any]:
    """Remove the deployment and note it."""
    if decide(context, None).action == "skip":
        return {"removed": None}
    return {"removed": take_down(context)}
