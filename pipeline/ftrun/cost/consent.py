"""Whether an estimated amount may be spent: within the budget, or agreed to by a person. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ftrun.cost.amounts import money
from ftrun.errors import DecisionError

OVER_BUDGET = "Raise `budget.usd`, or train on fewer examples or epochs."


def consent(
    estimate: Mapping[str, Any],
    *,
    target: str,
    budget: float | None,
    spent: float = 0.0,
    yes: bool,
    ask: Callable[[str], bool] | None,
    over_budget_hint: str = OVER_BUDGET,
    at_most: bool = False,
) -> None:
    """Return if `estimate` (usd, yen_per_usd, unknown) may be spent at `target`; otherwise DecisionError.

    `spent` US$ of the `budget` are already paid. `ask` puts a question to a person (None: nobody is there).
    `at_most`: the estimate is an upper bound.
    """
    usd, rate = estimate.get("usd"), estimate.get("yen_per_usd")
    unknown = estimate.get("unknown") or "no price is known"
    if budget is not None:
        _hold_to_budget(budget, spent, usd, rate, unknown, over_budget_hint)
        return
    if yes:
        return
    price = _price(usd, rate, unknown, at_most=at_most)
    if ask is None:
        raise DecisionError(
            f"this run would cost {price}, and nobody is here to confirm it; nothing was sent",
            code="not_confirmed",
            hint="Add --yes, or set a `budget: {usd: …}` that covers it in the experiment.",
        )
    if not ask(f"This run costs {price} at target {target!r}. Go ahead?"):
        raise DecisionError("not confirmed; nothing was sent", code="not_confirmed")


def _price(usd: float | None, rate: float | None, unknown: str, *, at_most: bool) -> str:
    if usd is None:
        return f"an unknown amount ({unknown})"
    return f"at most {money(usd, rate)}" if at_most else f"about {money(usd, rate)}"


def _hold_to_budget(
    budget: float, spent: float, usd: float | None, rate: float | None, unknown: str, hint: str
) -> None:
    if usd is None:
        raise DecisionError(
            f"the budget can't be kept: {unknown}; nothing was sent",
            code="unknown_price",
            hint="Set `price: {train: …, input: …, output: …}` (US$ per million tokens) in the target.",
        )
    if round(spent + usd, 6) > budget:
        more = f" more after {money(spent, rate)}" if spent else ""
        raise DecisionError(
            f"this run would cost about {money(usd, rate)}{more}, over the budget of {money(budget, rate)}; "
            "nothing was sent",
            code="over_budget",
            hint=hint,
        )
