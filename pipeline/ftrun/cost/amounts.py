"""Amounts of money and estimates in words, as every command and report writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SMALL = 0.1  # US$; below it two decimals say too little


def money(usd: float, yen_per_usd: float | None = None) -> str:
    """Return an amount such as `US$1.23` or, with a rate, `US$1.23 (¥190)`."""
    dollars = f"US${usd:,.2f}" if usd >= SMALL or usd == 0 else f"US${usd:.4f}"
    if yen_per_usd is None:
        return dollars
    yen = usd * yen_per_usd
    return f"{dollars} ({'under ¥1' if 0 < yen < 1 else f'¥{yen:,.0f}'})"


def epochs_words(number: int) -> str:
    """Return the number of epochs in words."""
    return "1 epoch" if number == 1 else f"{number} epochs"


def cost_words(estimate: Mapping[str, Any]) -> str:
    """Return what training and evaluation cost, from the `estimate` of `plan --json` and `check --json`."""
    usd, rate, budget = estimate["usd"], estimate["yen_per_usd"], estimate.get("budget_usd")
    if estimate["free"]:
        return "free on this machine"
    if usd is None:
        stop = "" if budget is None else "; with a budget, a run stops here before it pays"
        return f"price unknown: {estimate['unknown']}{stop}"
    if usd == 0:
        return "nothing to pay"
    stop = ""
    if budget is not None and usd > budget:
        stop = f"; over the budget of {money(budget, rate)}: a run stops before it pays"
    training, evaluation = (money(estimate[part], rate) for part in ("train_usd", "eval_usd"))
    return f"about {money(usd, rate)} (training {training}, evaluation at most {evaluation}){stop}"
