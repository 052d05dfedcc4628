"""What commands say of a cost: whether the budget allows it."""

from __future__ import annotations

from typing import Any

import pytest

from ftrun.cost.amounts import cost_words


def estimate(usd: float | None, budget: float | None, *, free: bool = False) -> dict[str, Any]:
    """Return an estimate as `plan --json` has it."""
    return {
        "usd": usd,
        "train_usd": usd,
        "eval_usd": 0.0,
        "yen_per_usd": None,
        "budget_usd": budget,
        "unknown": "no price is known for this server",
        "free": free,
    }


@pytest.mark.parametrize(
    ("usd", "budget", "words"),
    [
        (6.0, 5.0, "over the budget of US$5.00: a run stops before it pays"),
        (None, 5.0, "with a budget, a run stops here before it pays"),
    ],
)
def test_a_budget_that_forbids_a_run_is_told(usd: float | None, budget: float, words: str) -> None:
    """Nobody has to start a run to learn that it would stop."""
    assert cost_words(estimate(usd, budget)).endswith(words)


@pytest.mark.parametrize(("usd", "budget"), [(5.0, 5.0), (6.0, None), (None, None)])
def test_a_budget_that_holds_is_not_mentioned(usd: float | None, budget: float | None) -> None:
    """Where a run may go ahead, the cost alone is told."""
    assert "stops" not in cost_words(estimate(usd, budget))
    assert cost_words(estimate(usd, budget, free=True)) == "free on this machine"
