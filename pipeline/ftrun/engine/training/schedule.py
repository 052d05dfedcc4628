"""What "auto" means, the order of examples, and the learning rate of every step. Pure functions."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from ftrun.protocol.spec import default_epochs

# Times learning_rate_multiplier. At this rate both built-in models learn a persona from 22-41 short examples;
# at twice the rate they memorize them, and the validation loss rises from the second epoch on.
LEARNING_RATE = 5e-4
WARM_UP = 0.05  # of all steps
EXAMPLES_PER_BATCH_UNIT = 16  # an automatic batch has one example for this many
LEAST_AUTO_BATCH, MOST_AUTO_BATCH = 2, 8  # a single short example uses only half of the cores' speed


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Resolved hyperparameters for `examples` examples."""

    examples: int
    n_epochs: int
    batch_size: int
    learning_rate_multiplier: float
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        """Return the number of batches in an epoch; the last one may be smaller."""
        return -(-self.examples // self.batch_size)

    @property
    def total_steps(self) -> int:
        """Return the number of steps in the whole training."""
        return self.n_epochs * self.steps_per_epoch

    @property
    def hyperparameters(self) -> dict[str, int | float]:
        """Return the resolved values under the API's names."""
        return {
            "n_epochs": self.n_epochs,
            "batch_size": self.batch_size,
            "learning_rate_multiplier": self.learning_rate_multiplier,
        }

    def batches(self, epoch: int) -> list[list[int]]:
        """Return the indices of the examples, batch by batch, in the order of an epoch (from 0)."""
        order = list(range(self.examples))
        random.Random(f"{self.seed} {epoch}").shuffle(order)  # noqa: S311  an order, not a secret
        size = self.batch_size
        return [order[start : start + size] for start in range(0, len(order), size)]

    def learning_rate(self, step: int) -> float:
        """Return the rate of a step (from 1): a short linear warm-up, then a linear decay to zero."""
        rise = max(1, round(WARM_UP * self.total_steps))
        fall = (self.total_steps - step + 1) / max(1, self.total_steps - rise + 1)
        return LEARNING_RATE * self.learning_rate_multiplier * min(step / rise, fall)


def make_schedule(requested: Mapping[str, int | float | str], *, examples: int, seed: int) -> Schedule:
    """Resolve "auto": epochs by the usual rule, small batches for few examples, the rate unchanged."""
    epochs, batch = requested.get("n_epochs", "auto"), requested.get("batch_size", "auto")
    multiplier = requested.get("learning_rate_multiplier", "auto")
    automatic = max(LEAST_AUTO_BATCH, min(MOST_AUTO_BATCH, examples // EXAMPLES_PER_BATCH_UNIT))
    return Schedule(
        examples=examples,
        n_epochs=default_epochs(examples) if isinstance(epochs, str) else int(epochs),
        batch_size=min(automatic if isinstance(batch, str) else int(batch), examples),
        learning_rate_multiplier=1.0 if isinstance(multiplier, str) else float(multiplier),
        seed=seed,
    )
