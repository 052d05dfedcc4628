"""The checkpoints of a training: which model each is, how far it had trained, and which one is the best.

The best is the one with the lowest validation loss, as the server measured it at that step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrun.evaluation.learning_curve.metric_rows import MetricRow

SERIES = ("full_valid_loss", "valid_loss")  # of the whole validation file, of one batch


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """One checkpoint. `model` is the id that answers, `epoch` how many epochs it had trained (None: unknown);
    `valid_loss` is None where it was not measured.
    """

    step: int
    model: str | None = None
    epoch: float | None = None
    valid_loss: float | None = None
    best: bool = False


def checkpoints_of(
    points: Iterable[Mapping[str, Any]], rows: Sequence[MetricRow], n_epochs: object
) -> tuple[Checkpoint, ...]:
    """Return the checkpoints in the order of their steps; `points` are the server's, `rows` the metrics.

    All losses are of the same kind, so that they can be compared. Without two of them there is no best.
    """
    listed = sorted(points, key=lambda point: int(point["step"]))
    curves = [_losses(listed, rows, name) for name in SERIES]
    losses = next((one for one in curves if len(one) == len(listed)), max(curves, key=len))
    best = min(losses, key=losses.__getitem__) if len(losses) > 1 else None
    last = max((row.step for row in rows), default=0)
    per_epoch = last / n_epochs if isinstance(n_epochs, int) and n_epochs > 0 else 0.0
    return tuple(
        Checkpoint(
            step=(step := int(point["step"])),
            model=str(point["model"]) if point.get("model") else None,
            epoch=round(step / per_epoch, 2) if per_epoch else None,
            valid_loss=losses.get(step),
            best=step == best,
        )
        for point in listed
    )


def _losses(points: Sequence[Mapping[str, Any]], rows: Sequence[MetricRow], name: str) -> dict[int, float]:
    """Return the loss `name` by the step of a checkpoint: as the server says, else as the metrics do."""
    measured = {row.step: getattr(row, name) for row in rows}
    found: dict[int, float] = {}
    for point in points:
        step, metrics = int(point["step"]), point.get("metrics")
        value = metrics.get(name) if isinstance(metrics, Mapping) else None
        value = measured.get(step) if value is None else value
        if isinstance(value, (int, float)) and math.isfinite(value):
            found[step] = float(value)
    return found
