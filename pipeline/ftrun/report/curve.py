"""The drawings: the loss curve and histograms, as inline SVG without script.

Colours are CSS classes, so that light, dark and print are the style sheet's matter. Every number in the
SVG is computed here, so nothing of it needs escaping.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from ftrun.evaluation.learning_curve.metric_rows import MetricRow
from ftrun.report.facts import Bin, Facts
from ftrun.report.words import loss

WIDE, NARROW = 760.0, 360.0  # of the drawing; the narrow one is for phones, where text must stay readable
HEIGHT = 320.0
LEFT, RIGHT, TOP, BOTTOM = 52.0, 16.0, 40.0, 44.0
MOST_POINTS = 300  # per curve; more are averaged, as no screen shows them
MOST_LABELS = 8  # checkpoints that get a label
Point = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A curve's points (step, loss) with its name for legend and hover."""

    css: str
    name: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """The range of both axes, and the mapping from data to a drawing of that width."""

    first: float
    last: float
    top: float
    width: float = WIDE

    @property
    def narrow(self) -> bool:
        """Return whether the drawing is the one for phones."""
        return self.width < WIDE

    def x(self, step: float) -> float:
        """Return the x position of a step."""
        return LEFT + (step - self.first) / max(1e-9, self.last - self.first) * (self.width - LEFT - RIGHT)

    def y(self, value: float) -> float:
        """Return the y position of a loss."""
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - TOP - BOTTOM)


def loss_curve(facts: Facts, width: float = WIDE) -> Markup | None:
    """Return the loss curve as SVG; None if fewer than two steps have a training loss."""
    series = _series(facts.metrics)
    points = [point for one in series for point in one.points]
    if not series or len(series[0].points) < 2:
        return None
    steps = [step for step, _ in points]
    top = _ceiling(max(value for _, value in points))
    scale = Scale(first=min(steps), last=max(steps), top=top, width=width)
    since = facts.fit.since_step if facts.fit else None
    body = [
        *_axes(scale),
        *_checkpoints([one.step for one in facts.checkpoints], scale),
        *_since(since, scale),
        *(_line(one, scale) for one in series),
        *(mark for one in series if one.css != "raw" for mark in _dots(one, scale)),
        *_legend([one for one in series if one.css != "raw"], scale),
    ]
    return _svg(width, HEIGHT, "Loss by training step", _described(series), body)


def _series(rows: Sequence[MetricRow]) -> list[Series]:
    """Return the raw and the smoothed training loss, and the most complete validation loss."""
    train = [(row.step, row.train_loss) for row in rows if row.train_loss is not None]
    full = [(row.step, row.full_valid_loss) for row in rows if row.full_valid_loss is not None]
    batch = [(row.step, row.valid_loss) for row in rows if row.valid_loss is not None]
    found = [
        Series(css="raw", name="training loss per step", points=_thinned(train)),
        Series(css="train", name="training loss", points=_thinned(_smooth(train))),
        Series(css="valid", name="validation loss", points=_thinned(full or _smooth(batch))),
    ]
    return [one for one in found if one.points]


def _smooth(points: Sequence[Point]) -> list[Point]:
    half = max(1, min(51, len(points) // 5)) // 2
    windows = (points[max(0, i - half) : i + half + 1] for i in range(len(points)))
    means = (sum(value for _, value in window) / len(window) for window in windows)
    return [(step, mean) for (step, _), mean in zip(points, means, strict=True)]


def _thinned(points: Sequence[Point]) -> tuple[Point, ...]:
    """Return at most MOST_POINTS points: means of neighbours, the last one kept as it is."""
    size = math.ceil(len(points) / MOST_POINTS)
    if size <= 1:
        return tuple(points)
    groups = [points[i : i + size] for i in range(0, len(points), size)]
    means = [(sum(s for s, _ in g) / len(g), sum(v for _, v in g) / len(g)) for g in groups]
    return (*means[:-1], points[-1])


def _ceiling(value: float) -> float:
    step = _nice(max(value, 1e-6) / 4)
    return math.ceil(max(value, 1e-6) / step) * step


def _nice(rough: float) -> float:
    """Return the next of 1, 2, 2.5, 5 times a power of ten that is at least `rough`."""
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)


def _axes(scale: Scale) -> list[str]:
    left, right, bottom = LEFT, scale.width - RIGHT, HEIGHT - BOTTOM
    parts = []
    every = _nice(scale.top / 4)
    for index in range(round(scale.top / every) + 1):
        y = scale.y(index * every)
        parts.append(_rule("grid" if index else "axis", left, y, right, y))
        parts.append(_text("tick end", left - 8, y + 4, f"{index * every:.4g}"))
    pace = max(1.0, _nice((scale.last - scale.first) / (4 if scale.narrow else 8)))
    pace = math.ceil(pace)
    for step in range(math.ceil(scale.first / pace) * pace, int(scale.last) + 1, pace):
        parts.append(_rule("axis", scale.x(step), bottom, scale.x(step), bottom + 4))
        parts.append(_text("tick mid", scale.x(step), bottom + 18, f"{step:,}"))
    parts.append(_text("label mid", (left + right) / 2, HEIGHT - 6, "training step"))
    if not scale.narrow:
        parts.append(_text("label", 8, TOP - 16, "loss per token"))
    return parts


def _checkpoints(steps: Sequence[int], scale: Scale) -> list[str]:
    inside = [step for step in sorted(set(steps)) if scale.first <= step <= scale.last]
    parts = []
    for index, step in enumerate(inside, 1):
        x = scale.x(step)
        title = f"<title>checkpoint {index}, step {step}</title>"
        parts.append(f'<g class="checkpoint">{title}{_rule("", x, TOP, x, HEIGHT - BOTTOM)}')
        label = "checkpoint" if len(inside) == 1 else f"ckpt {index}"
        most = MOST_LABELS // 3 if scale.narrow else MOST_LABELS
        parts.append((_text("note end", x - 4, TOP + 10, label) if len(inside) <= most else "") + "</g>")
    return parts


def _since(step: int | None, scale: Scale) -> list[str]:
    if step is None or not scale.first <= step <= scale.last:
        return []
    x = scale.x(step)
    side, shift = ("end", -6) if x > scale.width * 0.6 else ("", 6)
    label = _text(f"since-label {side}", x + shift, HEIGHT - BOTTOM - 8, f"overfits from step {step}")
    return [_rule("since", x, TOP, x, HEIGHT - BOTTOM), label]


def _line(series: Series, scale: Scale) -> str:
    spots = " ".join(f"{scale.x(step):.1f},{scale.y(value):.1f}" for step, value in series.points)
    return f'<polyline class="line {series.css}" points="{spots}"/>'


def _dots(series: Series, scale: Scale) -> list[str]:
    """Return a dot with hover text per point; on long curves the dots only serve to hover over."""
    kind = "dot" if len(series.points) <= 40 else "dot hover"
    parts = []
    for step, value in series.points:
        title = f"<title>{series.name} at step {step:.0f}: {loss(value)}</title>"
        x, y = f"{scale.x(step):.1f}", f"{scale.y(value):.1f}"
        parts.append(f'<circle class="{kind} {series.css}" cx="{x}" cy="{y}" r="3.5">{title}</circle>')
    return parts


def _legend(series: Sequence[Series], scale: Scale) -> list[str]:
    parts = []
    for index, one in enumerate(series):
        x = (8 if scale.narrow else 140) + (170 if scale.narrow else 140) * index
        parts.append(_rule(f"line {one.css}", x, TOP - 20, x + 22, TOP - 20))
        parts.append(_text("label", x + 28, TOP - 16, one.name))
    return parts


def _described(series: Sequence[Series]) -> str:
    ends = [
        f"{one.name} from {loss(one.points[0][1])} to {loss(one.points[-1][1])}"
        for one in series
        if one.css != "raw"
    ]
    return "; ".join(ends)


def histogram(bins: Sequence[Bin], what: str, width: float = WIDE) -> Markup | None:
    """Return the histogram of `what` (tokens, messages) per training example; None without bins."""
    if not bins or not any(bar.count for bar in bins):
        return None
    height, base = 156.0, 116.0
    top, step = max(bar.count for bar in bins), (width - 16) / len(bins)
    every = math.ceil(len(bins) / (12 if width == WIDE else 6))
    parts = [_rule("axis", 8, base, width - 8, base)]
    for index, bar in enumerate(bins):
        x, tall = 8 + index * step, bar.count / top * (base - 22)
        n = bar.count
        title = f"<title>{bar.low:,} to {bar.high:,} {what}: {n:,} example{'' if n == 1 else 's'}</title>"
        parts.append(
            f'<rect class="bar" x="{x + 1.5:.1f}" y="{base - tall:.1f}" width="{max(1.0, step - 3):.1f}" '
            f'height="{tall:.1f}">{title}</rect>'
        )
        if bar.count and step > 24:
            parts.append(_text("tick mid", x + step / 2, base - tall - 5, f"{bar.count:,}"))
        if index % every == 0:
            parts.append(_text("tick mid", x + step / 2, base + 16, f"{bar.low:,}"))
    parts.append(_text("label mid", width / 2, height - 4, f"{what} per example (from)"))
    n = sum(bar.count for bar in bins)
    described = f"{n:,} example{'' if n == 1 else 's'}, {bins[0].low:,} to {bins[-1].high:,} {what} each"
    return _svg(width, height, f"{what.capitalize()} per training example", described, parts)


def _svg(width: float, height: float, title: str, described: str, body: Sequence[str]) -> Markup:
    head = f'<svg viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-label="{title}: {described}">'
    return Markup(head + "".join(body) + "</svg>")  # noqa: S704 - numbers and words of this module alone


def _rule(css: str, x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="{css}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(css: str, x: float, y: float, words: str) -> str:
    return f'<text class="{css}" x="{x:.1f}" y="{y:.1f}">{words}</text>'
