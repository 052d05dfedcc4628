"""ftrun.engine.models.attention: the same function as Transformers' own."""

from __future__ import annotations

import pytest
import torch

from ftrun.engine.models.attention import NAME
from ftrun.engine.models.base import LoadedModel

pytestmark = pytest.mark.local

IDS = torch.arange(5, 35)[None]
POSITIONS = {
    "one example": [range(30)],
    "packed": [range(11), range(1), range(18)],
}


@pytest.mark.parametrize("examples", POSITIONS.values(), ids=POSITIONS)
def test_states_are_those_of_transformers(tiny: LoadedModel, examples: list[range]) -> None:
    """Grouped heads, a causal row and packed examples give the states of Transformers' `sdpa`."""
    positions = torch.cat([torch.tensor(list(one)) for one in examples])[None]
    assert tiny.causal.config._attn_implementation == NAME
    with torch.no_grad():
        ours = tiny.hidden(IDS, positions)
        tiny.causal.set_attn_implementation("sdpa")
        theirs = tiny.hidden(IDS, positions)
    assert torch.allclose(ours, theirs, atol=1e-5)
