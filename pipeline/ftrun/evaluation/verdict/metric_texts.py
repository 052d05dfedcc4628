"""Values of metrics and differences of them, as sentences say them."""

from __future__ import annotations

from ftrun.evaluation.results import Comparison, Scores

SHARES = ("share", "points")  # scales whose differences are points


def value_text(scores: Scores, metric: str, value: float) -> str:
    """Return a value of a metric."""
    scale = scores.scales.get(metric, "number")
    return f"{value:.0%}" if scale == "share" else _plain(scale, value)


def size_text(scores: Scores, metric: str, size: float) -> str:
    """Return the size of a difference; shares differ by percentage points."""
    scale = scores.scales.get(metric, "number")
    if scale not in SHARES:
        return _plain(scale, size)
    n = _points(scale, size)
    return f"{n} point{'' if n == '1' else 's'}"


def range_texts(scores: Scores, one: Comparison) -> tuple[str, str]:
    """Return the ends of a comparison's interval, the second with its unit: of how much `a` is better or,
    where the difference is negative, worse.
    """
    low, high = one.low or 0.0, one.high or 0.0
    if (one.difference or 0) < 0:
        low, high = -high, -low
    scale = scores.scales.get(one.metric, "number")
    start = _points(scale, low) if scale in SHARES else _plain(scale, low)
    return start, size_text(scores, one.metric, high)


def _points(scale: str, size: float) -> str:
    points = size * 100 if scale == "share" else size
    text = f"{points:.0f}" if abs(points) >= 10 else f"{points:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _plain(scale: str, value: float) -> str:
    if scale == "usd":
        return f"US${_digits(value, 2)}"
    return f"{_digits(value, 2)} s" if scale == "seconds" else _digits(value, 3)


def _digits(value: float, number: int) -> str:
    """Return a value to this number of digits, or all those before the point: never as 1.2e+03."""
    return f"{value:.{number}g}" if abs(value) < 10**number - 0.5 else f"{value:,.0f}"
