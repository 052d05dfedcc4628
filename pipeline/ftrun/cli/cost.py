"""How commands say what a run costs, from the `estimate` of `plan --json` and `check --json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftrun.cost.amounts import money


def epochs_words(number: int) -> str:
    """Return the number of epochs in words."""
    return "1 epoch" if number == 1 else f"{number} epochs"


def cost_words(estimate: Mapping[str, Any]) -> str:
    """Return what training and evaluation cost, each of them, or why nobody knows."""
    usd, rate = estimate["usd"], estimate["yen_per_usd"]
    if estimate["free"]:
        return "free on this machine"
    if usd is None:
        return f"price unknown: {estimate['unknown']}{_stop(estimate)}"
    if usd == 0:
        return "nothing"
    training, evaluation = (money(estimate[part], rate) for part in ("train_usd", "eval_usd"))
    return f"about {money(usd, rate)} (training {training}, evaluation at most {evaluation}){_stop(estimate)}"


def _stop(estimate: Mapping[str, Any]) -> str:
    """Return that the budget forbids a run, if it does: `authorize` in runner/money.py is what stops it."""
    usd, budget = estimate["usd"], estimate.get("budget_usd")
    if budget is None or (usd is not None and usd <= budget):
        return ""
    if usd is None:
        return "; with a budget a run stops here, before it pays"
    return f"; over the budget of {money(budget, estimate['yen_per_usd'])}: a run stops before it pays"
