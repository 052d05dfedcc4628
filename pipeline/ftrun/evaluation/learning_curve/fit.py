"""How a model fits, in plain words: learning, underfitting, or overfitting from a step on, which is the one
with the lowest validation loss. Each sentence is a message of its own, so that it can be translated.

Losses of single batches are noisy, so curves are smoothed and a rise counts only when it is larger than the
noise explains. If the data can't show it (no validation file, too few steps), the sentence says so instead
of guessing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ftrun.evaluation.learning_curve.metric_rows import MetricRow

HEALTHY, SEVERE = 1.2, 2.0  # validation loss / training loss, as in Microsoft's fine-tuning notes
FEWEST_STEPS = 4
SMALLEST_FALL = 0.1  # of the first loss: less than that over a whole training counts as none
SMALLEST_RISE = 0.03  # of the lowest loss
CERTAIN = 5  # standard errors: the lowest of many noisy values is two or three below the rest anyway
SMALLEST_GAP = 0.2  # nats per token: between two losses close to zero a ratio means nothing
FEWER = "Fewer epochs or more examples may help."
FitVerdict = Literal["learning", "underfitting", "overfitting", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The verdict, its sentence, and the values at the end of training (smoothed as the sentence has them).

    `since_step` is the step from which it overfits: the one with the lowest validation loss. None: not
    measured, not the case, or the validation loss was lowest at the end.
    """

    verdict: FitVerdict
    sentence: str
    since_step: int | None = None
    train_loss: float | None = None
    valid_loss: float | None = None
    train_accuracy: float | None = None
    valid_accuracy: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """A smoothed curve; `noise` is the standard error of one of its values (0: exact measurements)."""

    steps: tuple[int, ...]
    values: tuple[float, ...]
    noise: float = 0.0

    @property
    def lowest(self) -> int:
        """Return the index of the lowest value."""
        return min(range(len(self.values)), key=self.values.__getitem__)

    def at(self, step: int) -> float:
        """Return the value at the last measured step up to `step`."""
        points = list(zip(self.steps, self.values, strict=True))
        return next((value for s, value in reversed(points) if s <= step), self.values[0])


def explain(rows: Sequence[MetricRow]) -> Fit:
    """Return the verdict on a training's metrics, in one sentence for people."""
    train, valid = curve(rows, "train_loss"), validation_curve(rows)
    verdict, sentence, since = _verdict(train, valid)
    return Fit(
        verdict=verdict,
        sentence=sentence,
        since_step=since,
        train_loss=_end(train),
        valid_loss=_end(valid),
        train_accuracy=_end(curve(rows, "train_accuracy")),
        valid_accuracy=_end(_fullest(rows, "valid_accuracy")),
    )


def validation_curve(rows: Sequence[MetricRow]) -> Curve | None:
    """Return the validation loss: of the whole file where that was measured, else smoothed over batches."""
    return _fullest(rows, "valid_loss")


def curve(rows: Sequence[MetricRow], name: str, *, exact: bool = False) -> Curve | None:
    """Return the smoothed curve of one column, unsmoothed if its values are `exact`; None without values."""
    points = [(row.step, value) for row in rows if (value := getattr(row, name)) is not None]
    if not points:
        return None
    steps, values = zip(*points, strict=True)
    width = 1 if exact else max(1, min(51, len(values) // 5))
    noise = 0.0 if exact else _noise(values) / math.sqrt(width)
    return Curve(steps=steps, values=_smooth(values, width), noise=noise)


def _fullest(rows: Sequence[MetricRow], name: str) -> Curve | None:
    return curve(rows, f"full_{name}", exact=True) or curve(rows, name)


def _smooth(values: Sequence[float], width: int) -> tuple[float, ...]:
    """Return centred moving averages; at the ends over what there is."""
    half = width // 2
    windows = (values[max(0, i - half) : i + half + 1] for i in range(len(values)))
    return tuple(sum(window) / len(window) for window in windows)


def _noise(values: Sequence[float]) -> float:
    """Return the noise (standard deviation), from second differences: a trend does not count."""
    bends = [a - 2 * b + c for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    return math.sqrt(sum(bend * bend for bend in bends) / (6 * len(bends))) if bends else 0.0


def _end(found: Curve | None) -> float | None:
    return found.values[-1] if found else None


def _verdict(train: Curve | None, valid: Curve | None) -> tuple[FitVerdict, str, int | None]:
    if train is None:
        return "unknown", "No training loss was reported, so nothing can be said about the fit.", None
    if len(train.steps) < FEWEST_STEPS:
        steps = len(train.steps)
        return "unknown", f"Only {steps} training step{'s'[: steps > 1]}: too few to judge the fit.", None
    fell = train.values[0] - train.values[-1] > SMALLEST_FALL * train.values[0] + 2 * train.noise
    if not fell and (valid is None or _overfitting(train, valid) is None):
        return "underfitting", _stuck(train), None
    if valid is None:
        return "unknown", _unvalidated(train), None
    return _overfitting(train, valid) or (*_with_validation(train, valid), None)


def _unvalidated(train: Curve) -> str:
    first, last = _loss(train.values[0]), _loss(train.values[-1])
    return (
        f"The training loss fell from {first} to {last}, but without a validation file learning looks the "
        "same as memorizing; add `data.split: {validation: 0.1}`."
    )


def _stuck(train: Curve) -> str:
    first, last = _loss(train.values[0]), _loss(train.values[-1])
    if train.values[-1] > train.values[0] * (1 + SMALLEST_FALL):
        return (
            f"Underfitting: the training loss rose from {first} to {last}; "
            "a lower learning_rate_multiplier may help."
        )
    return (
        f"Underfitting: the training loss barely changed (from {first} to {last}); "
        "more epochs or a higher learning_rate_multiplier may help."
    )


def _overfitting(train: Curve, valid: Curve) -> tuple[FitVerdict, str, int | None] | None:
    """Return the verdict if the validation loss rose while the training loss fell, or is far above it."""
    lowest, end = valid.values[valid.lowest], valid.values[-1]
    step, low, high, trained = valid.steps[valid.lowest], _loss(lowest), _loss(end), _loss(train.values[-1])
    rose = end - lowest > SMALLEST_RISE * lowest + CERTAIN * valid.noise
    ratio = _ratio(train, valid)
    if rose and train.values[-1] <= train.at(step):
        sentence = (
            f"Overfitting from step {step}, the best by validation loss, which then rose from {low} to "
            f"{high} while the training loss fell to {trained}."
        )
        return "overfitting", " ".join([sentence, *_reading(train, valid), FEWER]), step
    if ratio < SEVERE or end - train.values[-1] <= SMALLEST_GAP:
        return None
    times = f"{ratio:.1f}"
    if step == valid.steps[-1]:
        sentence = (
            f"Overfitting: at the end the validation loss ({high}) is {times} times the training loss "
            f"({trained}), so the examples are memorized."
        )
        return "overfitting", f"{sentence} {FEWER}", None
    sentence = (
        f"Overfitting from step {step}, the best by validation loss ({low}): at the end the validation loss "
        f"({high}) is {times} times the training loss ({trained}), so the examples are memorized."
    )
    return "overfitting", f"{sentence} {FEWER}", step


def _with_validation(train: Curve, valid: Curve) -> tuple[FitVerdict, str]:
    first, last = _loss(train.values[0]), _loss(train.values[-1])
    before, after = _loss(valid.values[0]), _loss(valid.values[-1])
    kind: FitVerdict = "learning"
    if len(valid.steps) == 1:
        sentence = (
            f"Learning: the training loss fell from {first} to {last}, and the validation loss was measured "
            f"once ({after})."
        )
    elif valid.values[0] - valid.values[-1] <= 2 * valid.noise:
        kind = "unknown"
        sentence = (
            f"The training loss fell from {first} to {last}, but the validation loss barely changed "
            f"(from {before} to {after})."
        )
    else:
        sentence = (
            f"Learning: the validation loss fell from {before} to {after} while the training loss fell from "
            f"{first} to {last}."
        )
    return kind, " ".join([sentence, *_reading(train, valid)])


def _ratio(train: Curve, valid: Curve) -> float:
    """Return the last validation loss over the training loss at that step."""
    below = train.at(valid.steps[-1])
    return valid.values[-1] / below if below > 0 else math.inf


def _reading(train: Curve, valid: Curve | None) -> list[str]:
    """Return how far the validation loss is above the training loss, where both were measured."""
    value = math.inf if valid is None else _ratio(train, valid)
    if math.isinf(value):
        return []
    ratio = f"{value:.2f}"
    if value < HEALTHY:
        return [f"The validation loss is {ratio} times the training loss, which is healthy."]
    if valid is not None and valid.values[-1] - train.values[-1] <= SMALLEST_GAP:
        return []  # both are next to nothing: a ratio would alarm for no reason
    if value < SEVERE:
        return [f"The validation loss is {ratio} times the training loss, a noticeable gap."]
    return [f"The validation loss is {ratio} times the training loss, a severe gap."]


def _loss(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"
