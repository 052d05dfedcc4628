"""How reports format numbers, times and money."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ftrun.cost.amounts import money
from ftrun.report.facts import CostFacts

NOTHING = "–"


def number(value: float | None) -> str:
    """Return a number with thousands separators, and with up to three digits if it is not whole."""
    if value is None:
        return NOTHING
    return (
        f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}" if value >= 100 else f"{value:.3g}"
    )


def signed(value: float) -> str:
    """Return a difference with its sign and up to three digits."""
    return f"{value:+.3g}".replace("-", "−")


def clipped(text: str, most: int = 160) -> str:
    """Return text on one line, with an ellipsis where it was cut."""
    line = " ".join(text[: 4 * most].split())
    return line if len(line) <= most and len(text) <= 4 * most else f"{line[:most].rstrip()}…"


def loss(value: float | None) -> str:
    """Return a loss with its significant digits."""
    return NOTHING if value is None else f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def percent(share: float | None) -> str:
    """Return a share (0 to 1) as a percentage."""
    return NOTHING if share is None else f"{share:.0%}"


def duration(seconds: float | None) -> str:
    """Return a duration in its two largest units."""
    if seconds is None:
        return NOTHING
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def moment(seconds: float | None) -> str:
    """Return a time (seconds since 1970) in UTC, to the minute."""
    return NOTHING if seconds is None else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def price(cost: CostFacts) -> str:
    """Return the estimated cost of training and evaluation, or that the price is unknown."""
    if cost.free:
        return "free (this machine)"
    if cost.usd is None:
        return "price unknown"
    return money(cost.usd, cost.yen_per_usd)


def price_parts(cost: CostFacts) -> str:
    """Return the estimate in a sentence, with training and evaluation."""
    if cost.free:
        return "No cost: training and evaluation ran on this machine."
    if cost.usd is None:
        return "The price of this server is unknown."
    parts = (("training", cost.train_usd), ("evaluation at most", cost.eval_usd))
    detail = ", ".join(f"{name} {money(usd, cost.yen_per_usd)}" for name, usd in parts if usd is not None)
    return f"Estimated: {price(cost)}{f' ({detail})' if detail else ''}."


def counted(how_many: int, noun: str) -> str:
    """Return `how_many` with its noun in singular or plural."""
    return f"{how_many:,} {noun}{'' if how_many == 1 else 's'}"


def hyperparameters(requested: Mapping[str, Any], resolved: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return (name, requested, used) of every hyperparameter, sorted by name."""
    names = sorted({*requested, *resolved})
    return [(name, _setting(requested.get(name)), _setting(resolved.get(name))) for name in names]


def _setting(value: Any) -> str:
    return NOTHING if value is None else f"{value:g}" if isinstance(value, float) else str(value)
