"""ftrun.engine.models.lora: the same function as the composed operations, and as PEFT's."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from ftrun.engine.models.base import LoadedModel
from ftrun.engine.models.lora import (
    Adapter,
    LoraLinear,
    attach,
    attach_to_rows,
    for_rows,
    load_adapter,
    new_adapter,
    save_adapter,
)

pytestmark = pytest.mark.local

IDS = torch.tensor([[5, 9, 20, 31, 7, 44]])


def random_adapter(model: LoadedModel, *, seed: int = 3) -> Adapter:
    """Return an adapter that changes something."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: (a, torch.randn(b.shape, generator=generator) * 0.1)
        for name, (a, b) in new_adapter(model.layers, seed=1).items()
    }


def logits(model: LoadedModel) -> torch.Tensor:
    """Return the logits of a few ids."""
    with torch.no_grad():
        return model.logits(model.hidden(IDS, torch.arange(6)[None]))


def test_gradients_are_those_of_the_composed_operations() -> None:
    """The backward pass written by hand gives what autograd gives for W x + s B A x + bias, in float64."""
    torch.manual_seed(0)
    layer = LoraLinear(torch.nn.Linear(6, 5).double().requires_grad_(False))
    layer.a, layer.b = (torch.randn(s, dtype=torch.float64, requires_grad=True) for s in ((3, 6), (5, 3)))
    x = torch.randn(2, 4, 6, dtype=torch.float64, requires_grad=True)
    whole = layer(x)
    composed = layer.base(x) + layer.scale * (x @ layer.a.t()) @ layer.b.t()
    weights = torch.randn_like(whole)
    ours = torch.autograd.grad((whole * weights).sum(), (x, layer.a, layer.b))
    theirs = torch.autograd.grad((composed * weights).sum(), (x, layer.a, layer.b))
    assert torch.allclose(whole, composed)
    assert all(torch.allclose(one, other) for one, other in zip(ours, theirs, strict=True))


def test_a_new_adapter_changes_nothing(tiny: LoadedModel) -> None:
    """Training starts from the base model."""
    before = logits(tiny)
    attach(tiny.layers, new_adapter(tiny.layers, seed=1))
    assert torch.equal(logits(tiny), before)


def test_the_head_is_left_alone(tiny: LoadedModel) -> None:
    """Every linear layer but the output head is adapted: seven in each of two blocks."""
    assert len(tiny.layers) == 14
    assert not any("lm_head" in name for name in tiny.layers)


def test_rows_of_a_batch_have_adapters_of_their_own(tiny: LoadedModel) -> None:
    """Each row answers as if its adapter, or none, were attached to the whole model."""
    one, other = random_adapter(tiny, seed=3), random_adapter(tiny, seed=4)
    alone = []
    for adapter in (one, None, other, one):
        attach(tiny.layers, adapter)
        alone.append(logits(tiny))
    attach(tiny.layers, None)
    mine, theirs = for_rows(tiny.layers, one), for_rows(tiny.layers, other)
    attach_to_rows(tiny.layers, [mine, None, theirs, mine])
    with torch.no_grad():
        states = tiny.causal.base_model(input_ids=IDS.expand(4, -1), use_cache=False).last_hidden_state
        assert torch.allclose(tiny.logits(states), torch.cat(alone), atol=1e-4)
    attach_to_rows(tiny.layers, [mine])
    assert torch.allclose(logits(tiny), alone[0], atol=1e-4)
    attach_to_rows(tiny.layers, [None])
    assert torch.equal(logits(tiny), alone[1])


def test_a_saved_adapter_is_read_back_whole(tiny: LoadedModel, tmp_path: Path) -> None:
    """What is loaded is what was saved, bit by bit."""
    adapter = random_adapter(tiny)
    attach(tiny.layers, adapter)
    save_adapter(tmp_path, tiny.layers, base="tiny")
    loaded = load_adapter(tmp_path, tiny.layers)
    assert all(torch.equal(loaded[name][part], adapter[name][part]) for name in adapter for part in (0, 1))


@pytest.mark.filterwarnings("ignore::FutureWarning")  # PEFT's own use of what Transformers is to drop
def test_peft_loads_our_adapter_with_equal_logits(
    tiny: LoadedModel, tiny_folder: Path, tmp_path: Path
) -> None:
    """The folder is an adapter in PEFT's form: other tools can use it."""
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    attach(tiny.layers, random_adapter(tiny))
    save_adapter(tmp_path, tiny.layers, base=str(tiny_folder))
    base = AutoModelForCausalLM.from_pretrained(tiny_folder)
    theirs = peft.PeftModel.from_pretrained(base, tmp_path)
    with torch.no_grad():
        assert torch.allclose(theirs(IDS).logits, logits(tiny), atol=1e-4)
