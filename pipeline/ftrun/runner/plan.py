"""The plan: for every stage an action and its reasons. It reads and asks, and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ftrun import data
from ftrun.paid.deployments import FREE
from ftrun.paid.lineage import starting_model
from ftrun.stages import Action, Context, evaluate, stages_of
from ftrun.targets import Service
from ftrun.workflow.decision import Decision

NEWS = "there is something new to report"
FREE_FIRST = ("prepare", "check")  # local and free: done, or previewed, before the rest can be planned


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What would be done with one stage. `paid`: it can cost money."""

    stage: str
    action: Action
    reasons: tuple[str, ...]
    paid: bool
    code: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the step as it stands in `plan --json`."""
        return {"stage": self.stage, "action": self.action, "reasons": list(self.reasons), "paid": self.paid}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps of all stages, in their order, and what they would cost."""

    experiment: str
    target: str
    steps: tuple[Step, ...]
    estimate: dict[str, Any] | None
    notes: tuple[str, ...] = ()

    @property
    def idle(self) -> bool:
        """Return whether there is nothing to do."""
        return all(step.action == "skip" for step in self.steps)

    @property
    def paid(self) -> bool:
        """Return whether a step can cost money."""
        return any(step.paid for step in self.steps)

    def action(self, stage: str) -> Action:
        """Return the action of a stage."""
        return next(step.action for step in self.steps if step.stage == stage)

    def as_dict(self) -> dict[str, Any]:
        """Return the document of `plan --json`."""
        return {
            "experiment": self.experiment,
            "target": self.target,
            "steps": [step.as_dict() for step in self.steps],
            "estimate": self.estimate,
            "notes": list(self.notes),
        }


def make_plan(context: Context, *, remote: Service | None, notes: tuple[str, ...] = ()) -> Plan:
    """Return the plan. `remote` None: the target is not asked."""
    steps = _steps(context, remote)
    asking = any(step.stage == evaluate.NAME and step.paid for step in steps)
    words = evaluate.still_to_ask(context) if asking else None
    notes = (*notes, *_readiness(context, steps, remote), *((words,) if words else ()))
    return Plan(
        experiment=context.experiment.name,
        target=context.experiment.target.name,
        steps=tuple(steps),
        estimate=_estimate(context, steps),
        notes=notes,
    )


def is_done(context: Context) -> bool:
    """Tell, without asking the target and without a price, whether every stage would be skipped."""
    return all(step.action == "skip" for step in _steps(context, None))


def _steps(context: Context, remote: Service | None) -> list[Step]:
    steps: list[Step] = []
    for stage in stages_of(context):
        decision = _decide(stage, context, remote, steps)
        paid = not context.local and stage.costs(context, decision)
        steps.append(
            Step(
                stage=stage.NAME,
                action=decision.action,
                reasons=decision.reasons,
                paid=paid,
                code=decision.code,
            )
        )
    return steps


def _readiness(context: Context, steps: list[Step], remote: Service | None) -> list[str]:
    """Return what is to be known before a job is created; ConfigError for what can't succeed there."""
    creates = any(step.stage == "train" and step.action == "run" for step in steps)
    if context.local or not creates:
        return []
    from ftrun.targets.preflight import check_model, check_request

    notes = check_request(context.experiment)
    if remote is not None:
        model = starting_model(context) or context.experiment.target.model
        notes += check_model(context.experiment, remote, model)
    return notes


def _decide(stage: Any, context: Context, remote: Service | None, before: list[Step]) -> Decision:
    blocked = next((step.stage for step in before if step.action == "blocked"), None)
    if blocked:
        return Decision(action="blocked", reasons=(f"{blocked} is blocked",))
    running = next((step.stage for step in before if step.action == "run" and step.stage in FREE_FIRST), None)
    if running and running not in context.fresh:  # what comes out of it is not known yet
        return Decision(action="run", reasons=(f"after {running}",))
    decision: Decision = stage.decide(context, remote)
    if stage.NAME == "report" and decision.action == "skip" and _works(before):
        return Decision(action="run", reasons=(NEWS,))
    return decision


def _works(steps: list[Step]) -> bool:
    return any(
        step.action != "skip" for step in steps if step.stage in ("check", "train", "wait", "evaluate")
    )


def _estimate(context: Context, steps: list[Step]) -> dict[str, Any] | None:
    """Return tokens and cost of what is planned; what is done or adopted is paid for already."""
    counted = context.result("check")
    if "train_tokens" not in counted:
        return None
    paid = {step.stage for step in steps if step.paid}
    estimate = data.price(
        context.experiment,
        examples=counted["examples"],
        train_tokens=counted["train_tokens"],
        train="train" in paid,
        evaluate="evaluate" in paid,
        answered=evaluate.answered(context) if "evaluate" in paid else None,
    )
    return _with_deployment(context, estimate) if "deploy" in paid else estimate


def _with_deployment(context: Context, estimate: dict[str, Any]) -> dict[str, Any]:
    """Add the first hour of a deployment: questions rarely take longer, and each begun hour is paid."""
    where = context.experiment.target.deployment
    assert where is not None
    hour = 0.0 if where.sku == FREE else where.usd_per_hour
    usd, rate = estimate["usd"], estimate["yen_per_usd"]
    total = None if hour is None or usd is None else round(usd + hour, 6)
    return {
        **estimate,
        "deploy_usd": hour,
        "usd": total,
        "yen": None if total is None or rate is None else round(total * rate, 2),
        "unknown": estimate["unknown"]
        or (None if hour is not None else "deployment.usd_per_hour is not given"),
    }
