"""A tuned model is deployed where it must be before it answers: while questions are open, at its price."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ftrun.errors import DecisionError
from ftrun.experiment.target import Deployment
from ftrun.paid.deployments import FREE, STAGE, begin, price, take_down_earlier
from ftrun.paid.job_spec import spec_key
from ftrun.targets import Service
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision, fingerprint

NAME = STAGE


def inputs(context: Context) -> dict[str, Any]:
    """Return the job, and how its model is deployed."""
    where = context.experiment.target.deployment or Deployment()
    return {
        "job": spec_key(context),
        "resource": [where.subscription, where.resource_group, where.account],
        "deployment": [deployment_name(context), where.sku, where.capacity],
    }


def outputs(context: Context) -> tuple[str, ...]:
    """Return no file: it writes none."""
    return ()


def deployment_name(context: Context) -> str:
    """Return the deployment's name: as given, or the experiment's with a part of the job's key."""
    where = context.experiment.target.deployment
    return (where.name if where else None) or f"{context.experiment.name[:48]}-{spec_key(context)[:8]}"


def decide(context: Context, remote: Service | None) -> Decision:
    """Deploy while questions are open and it is not up."""
    where = context.experiment.target.deployment
    if context.force == NAME:
        return Decision(action="run", reasons=("--force",))
    if is_up(context):
        return Decision(action="skip", reasons=(f"deployed as {deployment_name(context)}",))
    if not context.asks():
        return Decision(action="skip", reasons=("no question is open",))
    return Decision(action="run", reasons=(f"a tuned model answers only when deployed ({_price(where)})",))


def _price(where: Deployment | None) -> str:
    if where is None or where.subscription is None:
        return "by hand"
    return price(where.sku, where.usd_per_hour)


def is_up(context: Context) -> bool:
    """Return whether the state says that this model is deployed as it should be."""
    record = context.state.stages.get(NAME)
    if record is None or record.status != "done" or record.fingerprint != fingerprint(inputs(context)):
        return False
    result = record.result
    return "deployment" in result and not result.get("removed") and not _over(result)


def _over(result: dict[str, Any]) -> bool:
    """Return whether a deployment of the developer tier has ended by itself, as it does after a day."""
    if result.get("sku") != FREE:
        return False
    age = datetime.now(UTC) - datetime.fromisoformat(result["since"])
    return age.total_seconds() > 23 * 3600


def costs(context: Context, decision: Decision) -> bool:
    """Return whether a deployment by the hour would be made."""
    where = context.experiment.target.deployment
    return decision.action == "run" and where is not None and where.subscription is not None


def run(context: Context) -> dict[str, Any]:
    """Deploy the model and wait until it is up; DecisionError where a person must."""
    if decide(context, None).action == "skip":
        return dict(context.result(NAME))
    where, name = context.experiment.target.deployment, deployment_name(context)
    model = str(context.result("wait").get("fine_tuned_model"))
    if where is None:
        raise DecisionError(
            f"{model} is trained; it must be deployed before it answers, and the target does not say how",
            code="not_deployed",
            hint="Add `deployment: {subscription: …, resource_group: …, account: …}` to the target, or "
            "deploy it in the portal and add `deployment: {name: …}`; then run the same command again.",
        )
    facts: dict[str, Any] = {"deployment": name, "model": model, "sku": None}
    if where.subscription is not None:
        take_down_earlier(context, inputs(context))
        facts = begin(context, inputs(context), name, model)
        context.emit("note", text=f"deploying {model} as {name}: {price(where.sku, where.usd_per_hour)}")
        service = context.deployments(where)
        try:
            service.up(name, model)
        finally:
            service.close()
    context.service().expect_soon(name)
    return facts
