"""Attention on a CPU without copies: keys and values of grouped heads stay as they are, and the mask is made
once for all layers in the form that the kernel adds to the scores.

Transformers' own function repeats keys and values for every head of a group, and PyTorch turns a mask of
booleans into numbers in every layer. Results are the same to the bit; both are registered with Transformers
under `NAME`, its documented way to add an attention function.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

NAME = "ftrun_grouped"


def grouped_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    dropout: float = 0.0,
    scaling: float | None = None,
    is_causal: bool | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Return (batch, queries, heads, width) for a query of shape (batch, heads, queries, width).

    Key and value have the heads of the groups: (batch, groups, keys, width). The mask, (batch or 1, 1 or
    heads, queries, keys), is added to the scores, or tells with booleans what is seen; without one, several
    queries see what is at or before their own place.
    """
    queries = query.shape[2]
    if is_causal is None:
        is_causal = getattr(module, "is_causal", True)
    causal = is_causal and attention_mask is None and queries > 1
    if causal:  # a cache may have room behind the last query
        key, value = key[:, :, :queries], value[:, :, :queries]
    output = nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=attention_mask,
        dropout_p=dropout,
        is_causal=causal,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return output.transpose(1, 2).contiguous(), None


def additive_mask(*arguments: Any, dtype: torch.dtype = torch.float32, **options: Any) -> Tensor | None:
    """Return the mask of Transformers' `sdpa_mask` as numbers of `dtype`: 0 where it sees, else -inf."""
    from transformers.masking_utils import sdpa_mask

    seen = sdpa_mask(*arguments, dtype=dtype, **options)
    if seen is None:
        return None
    return torch.zeros_like(seen, dtype=dtype).masked_fill_(~seen, float("-inf"))


def use_grouped_attention(causal: Any) -> None:
    """Make a model on the CPU that has `sdpa` attend in this way; leave every other one as it is."""
    from transformers import AttentionInterface, AttentionMaskInterface

    if causal.device.type != "cpu" or causal.config._attn_implementation != "sdpa":
        return
    AttentionInterface.register(NAME, grouped_attention)
    AttentionMaskInterface.register(NAME, additive_mask)
    causal.set_attn_implementation(NAME)
