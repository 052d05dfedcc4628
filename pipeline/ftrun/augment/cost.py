"""What asking for more rows costs at most, at the asked target's price."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftrun.augment.requests import Request
from ftrun.cost.models import encoding_of
from ftrun.cost.prices import LONGEST_ANSWER, MILLION, price_of, unknown_price
from ftrun.cost.tokens import count_examples, text_counter
from ftrun.experiment.model import Experiment
from ftrun.experiment.target import Target


def estimate(
    experiment: Experiment, target: Target, asked: Sequence[Request], spent: float
) -> dict[str, Any]:
    """Return what `asked` costs at most at `target`, beside what was `spent` before, as JSON values."""
    known = price_of(target)
    rows = [{"messages": list(request.messages)} for request in asked]
    tokens = sum(one.total for one in count_examples(rows, text_counter(encoding_of(target).name)))
    longest = sum(int(request.sampling.get("max_tokens", LONGEST_ANSWER)) for request in asked)
    usd = None
    if known is not None:
        usd = round((tokens * known.input + longest * known.output) / MILLION, 6)
    return {
        "requests": len(asked),
        "prompt_tokens": tokens,
        "answer_tokens": longest,
        "usd": usd,
        "spent_usd": round(spent, 6),
        "yen_per_usd": experiment.budget.yen_per_usd,
        "unknown": unknown_price(target),
    }
