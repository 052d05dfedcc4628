"""What a rescue would ask, and what that costs: said before anything is asked."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ftrun.cost.candidates import priced_candidate, target_named
from ftrun.cost.price_table import unknown_price
from ftrun.cost.prices import tokens_usd
from ftrun.cost.requests import LONGEST_ANSWER, request_tokens
from ftrun.evaluation.answers import Request
from ftrun.paid.asking.questionnaire import Questionnaire
from ftrun.paid.budgets import estimate, with_part
from ftrun.runner.plan import costs_money
from ftrun.runner.rescuing.questions import Rescue
from ftrun.stages import stages_of
from ftrun.workflow.context import Context
from ftrun.workflow.stage import Stage


@dataclass(frozen=True, slots=True, kw_only=True)
class RescueEstimate:
    """What a rescue would ask: how many answers there are in all, how many are missing, with how many tokens
    (read, and written at most), and the estimate of the cost. `paid`: somebody must agree.
    """

    total: int
    missing: int
    tokens: tuple[int, int]
    estimate: Mapping[str, Any]
    paid: bool
    notes: tuple[str, ...] = ()

    @property
    def usd(self) -> float | None:
        """Return what it costs at most; None if a price is unknown."""
        found: float | None = self.estimate.get("usd") if self.missing else 0.0
        return found


def price(context: Context, rescue: Rescue, asked: Questionnaire) -> RescueEstimate:
    """Return what would be asked, and what it costs."""
    missing = asked.missing()
    tokens, found = _cost(context, missing)
    providers = {target_named(context.experiment, one.candidate.target).provider for one in missing}
    return RescueEstimate(
        total=len(asked.all()),
        missing=len(missing),
        tokens=tokens,
        estimate=found,
        paid=bool(providers - {"local"}),
        notes=(*rescue.notes, *asked.notes),
    )


def around_asking(context: Context, when: Literal["before", "after"]) -> list[Stage]:
    """Return the stages without which the tuned model doesn't answer, or that end what these need."""
    return [stage for stage in stages_of(context) if stage.around_asking == when]


def _cost(context: Context, missing: Sequence[Request]) -> tuple[tuple[int, int], Mapping[str, Any]]:
    """Return how many tokens the missing answers need (read, and written at most), and the estimate of their
    cost, with a deployment if the tuned model needs one; nothing is trained.
    """
    asked: dict[str, list[Request]] = {}
    for one in missing:
        asked.setdefault(one.candidate.name, []).append(one)
    read, written, costs, unknown = 0, 0, list[float | None](), None
    for same in asked.values():
        who = same[0].candidate
        target = priced_candidate(context.experiment, who.name, who.model, who.target)
        tokens = sum(request_tokens(target, [(one.messages, one.tools) for one in same]))
        most = sum(one.sampling.get("max_tokens") or LONGEST_ANSWER for one in same)
        costs.append(tokens_usd(target, tokens, most))
        read, written, unknown = read + tokens, written + most, unknown or unknown_price(target)
    usd = None if None in costs else round(sum(one or 0.0 for one in costs), 6)
    return (read, written), with_part(_without_answers(context), "eval_usd", usd, unknown)


def _without_answers(context: Context) -> dict[str, Any]:
    more: dict[str, Any] = {}
    for stage in around_asking(context, "before"):
        decision = stage.decide(context, None)
        if costs_money(context, stage, decision):
            more |= stage.priced(context)
    untrained = dataclasses.replace(context.experiment, trains=False)
    return estimate(dataclasses.replace(context, experiment=untrained), **more) or {}
