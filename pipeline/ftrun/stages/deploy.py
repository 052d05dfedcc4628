"""A tuned model is deployed where it must be before it answers: while questions are open, at its price."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ftrun.errors import DecisionError
from ftrun.experiment.target import Deployment
from ftrun.paid.asking.questionnaire import asks_tuned
from ftrun.paid.deployments import (
    FREE,
    STAGE,
    begin,
    count_hours,
    is_needed,
    management_of,
    price,
    take_down_earlier,
    warn_of_running,
)
from ftrun.paid.job_spec import spec_key
from ftrun.targets import Service
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision, fingerprint
from ftrun.workflow.stage import Stage


class DeployStage(Stage):
    """Deploys the tuned model."""

    name = STAGE
    around_asking = "before"

    def applies(self, context: Context) -> bool:
        """Return whether a model must be deployed here before it answers."""
        return is_needed(context)

    def inputs(self, context: Context) -> dict[str, Any]:
        """Return the job, and how its model is deployed."""
        where = context.experiment.target.deployment or Deployment()
        return {
            "job": spec_key(context),
            "resource": [where.subscription, where.resource_group, where.account],
            "deployment": [_name(context), where.sku, where.capacity],
        }

    def decide(self, context: Context, remote: Service | None) -> Decision:
        """Deploy while questions are open and it is not up."""
        where = context.experiment.target.deployment
        if self.forced(context):
            return Decision(action="run", reasons=("--force",))
        if self.is_up(context):
            return Decision(action="skip", reasons=(f"deployed as {_name(context)}",))
        if not asks_tuned(context):
            return Decision(action="skip", reasons=("no question is open",))
        by_hand = where is None or where.subscription is None
        cost = "by hand" if by_hand or where is None else price(where.sku, where.usd_per_hour)
        return Decision(action="run", reasons=(f"a tuned model answers only when deployed ({cost})",))

    def is_up(self, context: Context) -> bool:
        """Return whether the state says that this model is deployed as it should be."""
        record = context.state.stages.get(self.name)
        if record is None or record.status != "done":
            return False
        if record.fingerprint != fingerprint(self.inputs(context)):
            return False
        result = record.result
        return "deployment" in result and not result.get("removed") and not _is_over(result)

    def costs(self, context: Context, decision: Decision) -> bool:
        """Return whether a deployment by the hour would be created."""
        where = context.experiment.target.deployment
        return decision.action == "run" and where is not None and where.subscription is not None

    def priced(self, context: Context) -> Mapping[str, Any]:
        """Count the first hour."""
        where = context.experiment.target.deployment
        assert where is not None
        return {"deploy": True, "hourly": 0.0 if where.sku == FREE else where.usd_per_hour}

    def before(self, context: Context) -> None:
        """Count the hours of a deployment that is up; remove one of an earlier configuration."""
        count_hours(context)
        take_down_earlier(context, self.inputs(context))

    def after(self, context: Context) -> None:
        """Warn of a deployment that stays up."""
        warn_of_running(context)

    def run(self, context: Context) -> dict[str, Any]:
        """Deploy the model and wait until it is up; DecisionError where a person must."""
        if self.decide(context, None).action == "skip":
            return dict(context.result(self.name))
        where, name = context.experiment.target.deployment, _name(context)
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
            inputs = self.inputs(context)
            take_down_earlier(context, inputs)
            facts = begin(context, inputs, name, model)
            context.emit("note", text=f"deploying {model} as {name}: {price(where.sku, where.usd_per_hour)}")
            service = management_of(context, where)
            try:
                service.up(name, model)
            finally:
                service.close()
        context.service().expect_soon(name)
        return facts


def _name(context: Context) -> str:
    """Return the deployment's name: as given, or the experiment's with a part of the job's key."""
    where = context.experiment.target.deployment
    return (where.name if where else None) or f"{context.experiment.name[:48]}-{spec_key(context)[:8]}"


def _is_over(result: dict[str, Any]) -> bool:
    """Return whether a deployment of the developer tier has ended by itself, as it does after a day."""
    if result.get("sku") != FREE:
        return False
    age = datetime.now(UTC) - datetime.fromisoformat(result["since"])
    return age.total_seconds() > 23 * 3600
