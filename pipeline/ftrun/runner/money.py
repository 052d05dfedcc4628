"""The question whether a plan may spend money: pure functions of estimate, budget and consent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ftrun.cost.amounts import money
from ftrun.errors import DecisionError
from ftrun.runner.plan import Plan


def authorize(
    plan: Plan, *, budget: float | None, spent: float, yes: bool, ask: Callable[[str], bool] | None
) -> None:
    """Return when the plan may go ahead; DecisionError otherwise, before any remote write.

    `budget` is US$ for training and evaluation of one run, of which `spent` are paid already where it goes on
    with one that stopped; the month's is `stages.spending`'s. `ask` puts a question to a person (None: nobody
    is there).
    """
    if not plan.paid:
        return
    consent(plan.estimate or {}, target=plan.target, budget=budget, spent=spent, yes=yes, ask=ask)


def consent(
    estimate: Mapping[str, Any],
    *,
    target: str,
    budget: float | None,
    spent: float = 0.0,
    yes: bool,
    ask: Callable[[str], bool] | None,
    cure: str = "Raise `budget.usd`, or train on fewer examples or epochs.",
) -> None:
    """Return when `estimate` (usd, yen_per_usd, unknown) may be spent at `target`; DecisionError otherwise.

    `spent` US$ of the budget are paid already; `cure` says what else can be done when it is over the budget.
    """
    usd, rate = estimate.get("usd"), estimate.get("yen_per_usd")
    unknown = estimate.get("unknown") or "no price is known"
    if budget is not None:
        _hold_to(budget, spent, usd, rate, unknown, cure)
        return
    if yes:
        return
    price = f"about {money(usd, rate)}" if usd is not None else f"an unknown amount ({unknown})"
    if ask is None:
        raise DecisionError(
            f"this run would cost {price}, and nobody is here to confirm it; nothing was sent",
            code="not_confirmed",
            hint="Add --yes, or a `budget: {usd: …}` that covers it, to the experiment.",
        )
    if not ask(f"This run costs {price} at target {target!r}. Go ahead?"):
        raise DecisionError("not confirmed; nothing was sent", code="not_confirmed")


def _hold_to(
    budget: float, spent: float, usd: float | None, rate: float | None, unknown: str, cure: str
) -> None:
    if usd is None:
        raise DecisionError(
            f"the budget can't be kept: {unknown}; nothing was sent",
            code="unknown_price",
            hint="Give `price: {train: …, input: …, output: …}` (US$ per million tokens) in the target.",
        )
    if round(spent + usd, 6) > budget:
        more = f" more after {money(spent, rate)}" if spent else ""
        raise DecisionError(
            f"this run would cost about {money(usd, rate)}{more}, over the budget of {money(budget, rate)}; "
            "nothing was sent",
            code="over_budget",
            hint=cure,
        )
