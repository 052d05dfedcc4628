"""Write a causal language model of Transformers as a GGUF file in float32, for llama.cpp and its kin.

The package `gguf` has the format and the names of tensors. What llama.cpp computes in its own way is here:
which settings an architecture has in the file, and how its weights are stored. A model that llama.cpp would
run otherwise is refused by name.
"""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ftrun.engine.export.gguf_vocabulary import add_vocabulary
from ftrun.engine.export.refusal import not_as_gguf
from ftrun.engine.export.source import Chat

# Transformers' names of architectures, and GGUF's
ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
    "Gemma3ForCausalLM": "gemma3",
}
ACTIVATIONS = {"gemma3": "gelu_pytorch_tanh"}
ROPE_FACTORS = "rope_freqs.weight"  # has no counterpart in Transformers
SLIDING_PATTERN = 6  # of gemma3 in llama.cpp: every sixth layer has full attention


def write_model(path: Path, causal: Any, chat: Chat) -> None:
    """Write `causal`, a float32 model, to `path`; UsageError if llama.cpp would not run it alike."""
    from gguf import GGUFWriter, LlamaFileType, get_tensor_name_map
    from gguf.constants import MODEL_ARCH_NAMES

    config = causal.config
    name = type(causal).__name__
    if name not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise not_as_gguf(f"The architecture {name} can't be written as GGUF. Those that can: {known}.")
    architecture = ARCHITECTURES[name]
    _check(config, architecture)
    writer = GGUFWriter(path, architecture)
    writer.add_file_type(LlamaFileType.ALL_F32)
    for key, value in _settings(config, architecture).items():
        add = writer.add_float32 if isinstance(value, float) else writer.add_uint32
        add(f"{architecture}.{key}", value)
    if scale := _linear_scale(config):
        writer.add_string(f"{architecture}.rope.scaling.type", "linear")
        writer.add_float32(f"{architecture}.rope.scaling.factor", scale)
    rows = causal.get_input_embeddings().weight.shape[0]
    add_vocabulary(writer, chat, rows=min(rows, len(chat.tokenizer)) if architecture == "gemma3" else rows)
    code = next(code for code, its in MODEL_ARCH_NAMES.items() if its == architecture)
    names = get_tensor_name_map(code, config.num_hidden_layers)
    for name, tensor in _tensors(causal, architecture, tokens=len(chat.tokenizer)):
        stored = names.get_name(name, try_suffixes=(".weight", ".bias"))
        if stored is None and name != ROPE_FACTORS:
            raise not_as_gguf(f"A GGUF file of the architecture {architecture} has no place for {name}.")
        writer.add_tensor(stored or name, tensor.detach().contiguous().numpy())
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    except OSError as error:
        if error.errno is not None:
            raise
        # numpy says how much it could write, but not why that was all
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
    finally:
        writer.close()


def _check(config: Any, architecture: str) -> None:
    """Raise UsageError for a setting that llama.cpp doesn't have in this architecture."""
    gemma, rope = architecture == "gemma3", _rope(config)["rope_type"]
    activation = getattr(config, "hidden_act", None) or getattr(config, "hidden_activation", None)
    if activation != ACTIVATIONS.get(architecture, "silu"):
        raise not_as_gguf(f"llama.cpp has another activation in {architecture} models than {activation}.")
    if rope not in ("default", "linear") and (rope, architecture) != ("llama3", "llama"):
        raise not_as_gguf(f"Positions of the type {rope} can't be written as GGUF for {architecture} models.")
    sliding = [kind == "sliding_attention" for kind in getattr(config, "layer_types", None) or ()]
    usual = [gemma and bool(layer % SLIDING_PATTERN) for layer in range(1, len(sliding) + 1)]
    if sliding != usual or (not gemma and getattr(config, "sliding_window", None) is not None):
        raise not_as_gguf(f"llama.cpp has sliding attention in other layers of {architecture} models.")
    if gemma and config.query_pre_attn_scalar != config.head_dim:
        raise not_as_gguf("llama.cpp scales the attention of gemma3 models by head_dim only.")


def _settings(config: Any, architecture: str) -> dict[str, int | float]:
    """Return what the file says of the architecture, by the part of its key after the architecture's name."""
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    found: dict[str, int | float] = {
        "context_length": config.max_position_embeddings,
        "embedding_length": config.hidden_size,
        "block_count": config.num_hidden_layers,
        "feed_forward_length": config.intermediate_size,
        "attention.head_count": config.num_attention_heads,
        "attention.head_count_kv": config.num_key_value_heads,
        "attention.key_length": head,
        "attention.value_length": head,
        "attention.layer_norm_rms_epsilon": float(config.rms_norm_eps),
        "rope.dimension_count": head,
        "rope.freq_base": float(_rope(config)["rope_theta"]),
    }
    if architecture == "gemma3":
        found["attention.sliding_window"] = config.sliding_window
        found["rope.freq_base_swa"] = float(config.rope_parameters["sliding_attention"]["rope_theta"])
    return found


def _rope(config: Any) -> Mapping[str, Any]:
    """Return the settings of positions, those of layers with full attention where there are two kinds."""
    found: dict[str, Mapping[str, Any]] = {"full_attention": config.rope_parameters, **config.rope_parameters}
    return found["full_attention"]


def _linear_scale(config: Any) -> float | None:
    rope = _rope(config)
    return float(rope["factor"]) if rope["rope_type"] == "linear" else None


def _tensors(causal: Any, architecture: str, *, tokens: int) -> Iterator[tuple[str, Any]]:
    """Yield names as in Transformers, and float32 tensors as the file has them."""
    adjust = ADJUSTMENTS.get(architecture)
    if _rope(causal.config)["rope_type"] == "llama3":
        yield ROPE_FACTORS, _rope_factors(causal)
    for name, tensor in causal.state_dict().items():
        if name == "lm_head.weight" and causal.config.tie_word_embeddings:
            continue
        if architecture == "gemma3" and name in ("model.embed_tokens.weight", "lm_head.weight"):
            tensor = tensor[:tokens]  # rows after the vocabulary, of no token
        yield name, tensor if adjust is None else adjust(name, tensor, causal.config)


def _rope_factors(causal: Any) -> Any:
    """Return by what llama.cpp divides each frequency: Llama 3 stretches the slow ones."""
    import torch

    head = causal.config.head_dim
    plain = _rope(causal.config)["rope_theta"] ** (-torch.arange(0, head, 2, dtype=torch.float64) / head)
    return (plain / causal.model.rotary_emb.inv_freq.double()).float()


def _llama_tensor(name: str, tensor: Any, config: Any) -> Any:
    """Return query and key rows in GGUF's order: those that rotate together are neighbours."""
    heads = {"q_proj": config.num_attention_heads, "k_proj": config.num_key_value_heads}.get(
        name.split(".")[-2]
    )
    if heads is None:
        return tensor
    halves = tensor.reshape(heads, 2, -1, math.prod(tensor.shape[1:]))
    return halves.swapaxes(1, 2).reshape(tensor.shape)


def _gemma_tensor(name: str, tensor: Any, config: Any) -> Any:
    """Return norms as GGUF stores them: 1 + weight."""
    return tensor + 1 if name.endswith("norm.weight") else tensor


ADJUSTMENTS: Mapping[str, Callable[[str, Any, Any], Any]] = {"llama": _llama_tensor, "gemma3": _gemma_tensor}
