"""The loss of packed examples: cross entropy and accuracy over the learned tokens, and the gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from ftrun.engine.training.examples import PackedRow

CHUNK = (
    256  # positions whose logits exist at one time: a vocabulary of 262,144 tokens takes 1 MB per position
)


class Network(Protocol):
    """What is trained: a `LoadedModel`, or its `TopLayers`."""

    @property
    def device(self) -> torch.device: ...

    def hidden(self, ids: Tensor, positions: Tensor) -> Tensor: ...

    def logits(self, states: Tensor) -> Tensor: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Mean cross entropy (nats) and accuracy over the learned tokens, and how many there were."""

    loss: float
    accuracy: float
    learned: int

    def __add__(self, other: Score) -> Score:
        """Return the means over the tokens of both."""
        learned = self.learned + other.learned
        return Score(
            loss=(self.loss * self.learned + other.loss * other.learned) / learned,
            accuracy=(self.accuracy * self.learned + other.accuracy * other.learned) / learned,
            learned=learned,
        )


def accumulate_gradients(model: Network, rows: Sequence[PackedRow]) -> Score:
    """Add the gradient of the mean loss over all rows' learned tokens to the adapter's `grad`."""
    return _score(model, rows, learn=True)


def evaluate(model: Network, rows: Sequence[PackedRow]) -> Score:
    """Return the mean loss and accuracy over all rows' learned tokens."""
    with torch.no_grad():
        return _score(model, rows, learn=False)


def _score(model: Network, rows: Sequence[PackedRow], *, learn: bool) -> Score:
    learned = sum(len(row.targets) for row in rows)
    loss, correct = 0.0, 0
    for row in rows:
        states = model.hidden(row.ids, row.positions)[0, row.predict.to(model.device)]
        targets = row.targets.to(model.device)
        row_loss, row_correct, gradient = _head(model, states.detach(), targets, learned, learn=learn)
        if learn:
            states.backward(gradient)
        loss, correct = loss + row_loss, correct + row_correct
    return Score(loss=loss / learned, accuracy=correct / learned, learned=learned)


def _head(
    model: Network, states: Tensor, targets: Tensor, learned: int, *, learn: bool
) -> tuple[float, int, Tensor]:
    """Return the summed loss, the number of correct tokens, and the gradient of the mean loss by `states`.

    The head is frozen and positions are independent, so logits are computed and dropped in chunks.
    """
    loss, correct = 0.0, 0
    gradient = torch.zeros_like(states)
    for start in range(0, len(states), CHUNK):
        part = states[start : start + CHUNK].requires_grad_(learn)
        logits = model.logits(part)
        wanted = targets[start : start + CHUNK]
        summed = cross_entropy(logits, wanted, reduction="sum")
        if learn:
            (gradient[start : start + CHUNK],) = torch.autograd.grad(summed / learned, part)
        loss += float(summed.detach())
        correct += int((logits.detach().argmax(-1) == wanted).sum())
    return loss, correct, gradient
