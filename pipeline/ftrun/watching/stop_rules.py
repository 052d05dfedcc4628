"""The rules of `train.stop_when`: from the numbers of steps to the reason why a job should stop."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ftrun.experiment.model import StopWhen

WINDOW = 5  # steps whose mean counts: one bad batch is not divergence
DIVERGED = 2.0  # times the mean of the first steps
SERIES = ("full_valid_loss", "valid_loss")  # the loss of the whole validation file counts first


@dataclass(slots=True, kw_only=True)
class _Worsening:
    """How often in a row a validation loss was above the best so far."""

    best: float = math.inf
    worse: int = 0

    def take(self, loss: float) -> None:
        self.worse = 0 if loss < self.best else self.worse + 1
        self.best = min(self.best, loss)


@dataclass(slots=True, kw_only=True)
class StopRules:
    """Decide whether a job should stop, from the numbers of its steps in order; keep a few of them."""

    when: StopWhen = field(default_factory=StopWhen)
    _first: list[float] = field(default_factory=list)
    _last: deque[float] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _validation: dict[str, _Worsening] = field(default_factory=dict)
    _broken: bool = False

    def take(self, data: Mapping[str, Any]) -> None:
        """Take the numbers of one step; what is not a number is ignored."""
        loss = _number(data, "train_loss")
        if loss is not None:
            self._broken = self._broken or not math.isfinite(loss)
            if len(self._first) < WINDOW:
                self._first.append(loss)
            self._last.append(loss)
        for name in SERIES:
            loss = _number(data, name)
            if loss is not None:
                self._validation.setdefault(name, _Worsening()).take(loss)

    def verdict(self) -> str | None:
        """Return why the job should stop, or None."""
        mean = sum(self._last) / WINDOW if len(self._last) == WINDOW else None
        if self.when.diverges and self._broken:
            return "the training loss became NaN or infinite"
        if self.when.diverges and mean is not None and mean > DIVERGED * sum(self._first) / WINDOW:
            return f"the training loss diverges: {mean:.3g} after {sum(self._first) / WINDOW:.3g} at first"
        limit = self.when.loss_above
        if limit is not None and mean is not None and mean > limit:
            return f"the training loss of {WINDOW} steps is {mean:.3g}, above {limit:g}"
        return self._worsened()

    def _worsened(self) -> str | None:
        most = self.when.validation_worse
        series = next((self._validation[name] for name in SERIES if name in self._validation), None)
        if most is None or series is None or series.worse < most:
            return None
        return (
            f"the validation loss has not been better than {series.best:.3g} for {series.worse} evaluations"
        )


def _number(data: Mapping[str, Any], name: str) -> float | None:
    value = data.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
