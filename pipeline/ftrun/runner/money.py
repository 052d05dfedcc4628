"""Owns the question whether a plan may spend money: a pure function of plan, budget and consent."""

from __future__ import annotations

from collections.abc import Callable

from ftrun.errors import DecisionError
from ftrun.runner.plan import Plan


def authorize(plan: Plan, *, budget: float | None, yes: bool, ask: Callable[[str], bool] | None) -> None:
    """Return when the plan may go ahead; DecisionError otherwise, before any remote write.

    `budget` is US$ for training and evaluation; `ask` puts a question to a person (None: nobody is there).
    """
    if not plan.paid:
        return
    usd = (plan.estimate or {}).get("usd")
    if budget is not None:
        _hold_to(budget, usd)
        return
    if yes:
        return
    price = (
        f"about US${usd:.2f}" if usd is not None else "an unknown amount (no price is known for this server)"
    )
    if ask is None:
        raise DecisionError(
            f"this run would cost {price}, and nobody is here to confirm it; nothing was sent",
            code="not_confirmed",
            hint="Add --yes, or a `budget: {usd: …}` that covers it, to the experiment.",
        )
    if not ask(f"This run costs {price} at target {plan.target!r}. Go ahead?"):
        raise DecisionError("not confirmed; nothing was sent", code="not_confirmed")


def _hold_to(budget: float, usd: float | None) -> None:
    if usd is None:
        raise DecisionError(
            "the budget can't be kept: no price is known for this model at this server; nothing was sent",
            code="unknown_price",
            hint="Give `price: {train: …, input: …, output: …}` (US$ per million tokens) in the target.",
        )
    if usd > budget:
        raise DecisionError(
            f"this run would cost about US${usd:.2f}, over the budget of US${budget:.2f}; nothing was sent",
            code="over_budget",
            hint="Raise `budget.usd`, or train on fewer examples or epochs.",
        )
