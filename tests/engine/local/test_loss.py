"""The loss that Transformers computes, over learned tokens only, without padding."""

from __future__ import annotations

import pytest
import torch

from engine.local.conftest import chat
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.models.lora import attach, new_adapter
from ftrun.engine.training import loss
from ftrun.engine.training.examples import pack

pytestmark = pytest.mark.local

CHATS = [chat("猫は？", "にゃあ。"), chat("犬は何と鳴く？", "わんわん、わん。"), chat("a", "b", system=None)]


def reference(model: LoadedModel) -> torch.Tensor:
    """Return the mean loss over all learned tokens, from Transformers, one example at a time."""
    total, learned = torch.zeros(()), 0
    for messages in CHATS:
        encoded = model.encoder.examples(messages)[0]
        ids = torch.tensor([encoded.ids])
        labels = torch.where(torch.tensor([encoded.learned]), ids, -100)
        count = int((labels[0, 1:] != -100).sum())
        total = total + model.causal(input_ids=ids, labels=labels).loss * count
        learned += count
    return total / learned


@pytest.mark.parametrize("most_tokens", [1, 45, 1000])
def test_loss_and_gradients_equal_those_of_transformers(
    tiny: LoadedModel, most_tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However examples are packed and logits chunked, loss and gradients are those of separate examples."""
    monkeypatch.setattr(loss, "CHUNK", 3)
    adapter = {
        name: (a, torch.full_like(b, 0.02)) for name, (a, b) in new_adapter(tiny.layers, seed=1).items()
    }
    parameters = attach(tiny.layers, adapter, train=True)
    expected = reference(tiny)
    gradients = torch.autograd.grad(expected, parameters)
    rows = pack([tiny.encoder.examples(messages)[0] for messages in CHATS], most_tokens=most_tokens)
    score = loss.accumulate_gradients(tiny, rows)
    assert score.loss == pytest.approx(expected.item(), rel=1e-5)
    for parameter, gradient in zip(parameters, gradients, strict=True):
        assert torch.allclose(parameter.grad, gradient, rtol=1e-3, atol=1e-6)


def test_evaluating_gives_the_training_loss_and_no_gradient(tiny: LoadedModel) -> None:
    """Validation is the same number without learning from it."""
    parameters = attach(tiny.layers, new_adapter(tiny.layers, seed=1), train=True)
    rows = pack([tiny.encoder.examples(messages)[0] for messages in CHATS], most_tokens=1000)
    score = loss.evaluate(tiny, rows)
    assert all(parameter.grad is None for parameter in parameters)
    assert score.loss == pytest.approx(loss.accumulate_gradients(tiny, rows).loss)
    assert 0 <= score.accuracy <= 1


def test_examples_in_a_row_do_not_see_each_other(tiny: LoadedModel) -> None:
    """This architecture keeps attention within an example when positions start again."""
    assert tiny.packs
