"""A deployment that nobody needs any more is removed, so that it costs nothing; `keep` lets it stay."""

from __future__ import annotations

from typing import Any

from ftrun.stages.context import Context
from ftrun.stages.decision import Decision
from ftrun.targets import Service

NAME = "undeploy"
DEPLOY = "deploy"


def inputs(context: Context) -> dict[str, Any]:
    """Return which deployment there was."""
    result = context.result(DEPLOY)
    return {"deployment": result.get("deployment"), "since": result.get("since")}


def outputs(context: Context) -> tuple[str, ...]:
    """Return no file: it writes none."""
    return ()


def decide(context: Context, remote: Service | None) -> Decision:
    """Remove what ftrun deployed, once the questions are answered."""
    where, result = context.experiment.target.deployment, context.result(DEPLOY)
    ours = where is not None and where.subscription is not None
    if ours and where is not None and where.keep:
        return Decision(action="skip", reasons=("keep: it stays until `ftrun rm` removes it",))
    if ours and (context.asks() or (result.get("deployment") and not result.get("removed"))):
        return Decision(action="run", reasons=("the deployment is not needed any more",))
    return Decision(action="skip", reasons=("nothing is deployed",))


def costs(context: Context, decision: Decision) -> bool:
    """Tell that it costs nothing anywhere."""
    return False


def run(context: Context) -> dict[str, Any]:
    """Remove the deployment and note it."""
    record = context.state.stages.get(DEPLOY)
    if record is None or decide(context, None).action == "skip" or record.result.get("removed"):
        return {"removed": None}
    name = record.result.get("deployment")
    if name is None:
        return {"removed": None}
    service = context.deployments()
    try:
        service.down(name)
    finally:
        service.close()
    record.result["removed"] = True
    context.save()
    context.emit("note", text=f"deployment {name} removed")
    return {"removed": name}
