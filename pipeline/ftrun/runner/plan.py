"""The plan: for every stage an action and its reasons. It reads and asks, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.cost.availability import Ends
from ftrun.stages import stages_of
from ftrun.targets import Service
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Action, Decision
from ftrun.workflow.stage import Stage

NEWS = "there is something new to report"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanStep:
    """What would be done with one stage. `paid`: it can cost money."""

    stage: str
    decision: Decision
    paid: bool

    @property
    def action(self) -> Action:
        """Return the action."""
        return self.decision.action

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return the reasons."""
        return self.decision.reasons

    def as_dict(self) -> dict[str, Any]:
        """Return the step as in `plan --json`."""
        return {"stage": self.stage, "action": self.action, "reasons": list(self.reasons), "paid": self.paid}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The steps of all stages, in their order, and what they would cost. `ends`: until when the target's
    model and the tuned one can be trained and answer, as far as that is known.
    """

    experiment: str
    target: str
    steps: tuple[PlanStep, ...]
    estimate: dict[str, Any] | None
    notes: tuple[str, ...] = ()
    ends: tuple[Ends, ...] = ()

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
            "ends": [one.as_dict() for one in self.ends],
        }


Decided = tuple[Stage, Decision]


def make_plan(context: Context, *, remote: Service | None, notes: Sequence[str] = ()) -> Plan:
    """Return the plan. `remote` None: the target is not asked."""
    from ftrun.paid.budgets import estimate  # a run with nothing to do has no price

    decided = decide_all(context, remote)
    paid = [(one, decision) for one, decision in decided if costs_money(context, one, decision)]
    more = [note for stage, decision in paid for note in stage.preflight(context, decision, remote)]
    shares = [stage.priced(context) for stage, _ in paid]
    return Plan(
        experiment=context.experiment.name,
        target=context.experiment.target.name,
        steps=tuple(
            PlanStep(stage=stage.name, decision=decision, paid=(stage, decision) in paid)
            for stage, decision in decided
        ),
        estimate=estimate(context, **{name: value for share in shares for name, value in share.items()}),
        notes=(*notes, *more),
    )


def verify(context: Context, plan: Plan) -> None:
    """Raise a UserError for a stage that would run and can't succeed, as far as is known by now."""
    for stage in stages_of(context):
        if plan.action(stage.name) == "run":
            stage.verify(context)


def is_done(context: Context) -> bool:
    """Return whether every stage would be skipped, without asking the target and without a price."""
    return all(decision.action == "skip" for _, decision in decide_all(context, None))


def costs_money(context: Context, stage: Stage, decision: Decision) -> bool:
    """Return whether doing as decided can cost money here."""
    free = context.free if stage.asks_model else context.local
    return not free and stage.costs(context, decision)


def decide_all(context: Context, remote: Service | None) -> list[Decided]:
    """Return what would be done with each stage, each in the light of those before it."""
    decided: list[Decided] = []
    for stage in stages_of(context):
        decided.append((stage, _after(decided, context) or decide_one(stage, context, remote, decided)))
    return decided


def _after(before: Sequence[Decided], context: Context) -> Decision | None:
    """Return the decision that an earlier stage forces: it is blocked, or its result is not known yet."""
    for stage, decision in before:
        if decision.action == "blocked":
            return Decision(action="blocked", reasons=(f"{stage.name} is blocked",))
    for stage, decision in before:
        if stage.offline and decision.action == "run" and stage.name not in context.fresh:
            return Decision(action="run", reasons=(f"after {stage.name}",))
    return None


def decide_one(stage: Stage, context: Context, remote: Service | None, before: Sequence[Decided]) -> Decision:
    """Return the stage's own decision; one that follows news runs after others that made some."""
    decision = stage.decide(context, remote)
    news = any(one.makes_news and done.action != "skip" for one, done in before)
    if stage.follows_news and news and decision.action == "skip":
        return Decision(action="run", reasons=(NEWS,))
    return decision


def preview(context: Context, folder: Path) -> None:
    """Compute what the offline stages would find, with their files in `folder` instead of the run's."""
    for stage in stages_of(context):
        if stage.offline and stage.decide(context, None).action == "run":
            context.fresh[stage.name] = stage.preview(context, folder)
