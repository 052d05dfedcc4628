"""Convert a built-in model's GGUF file to a folder that Transformers can load.

For two architectures it has the config and what has to be undone; the package gguf knows the tensors' names.
Transformers 5.24 needs seven times as long for SmolLM2 (54 s instead of 7 on two busy cores, since it reads
the vocabulary one token at a time), refuses to save the result, and its tokenizer divides spaces before
digits otherwise. A test compares the weights with those that it reads. The tokenizers are byte-level BPE and
SentencePiece's BPE.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftrun.engine.models.gguf_file import GgufFile
from ftrun.engine.models.libraries import load_libraries
from ftrun.files import write_json

if TYPE_CHECKING:
    import numpy
    from tokenizers import Tokenizer

    Array = numpy.ndarray[Any, Any]

GEMMA_SLIDING_PATTERN = 6  # every sixth layer has full attention
GEMMA_LOCAL_ROPE = 10_000.0  # of the layers with a sliding window; the file has only the other value
CONTROL, USER_DEFINED = 3, 4  # GGUF's token types; others are ordinary
SPACE = "▁"  # how SentencePiece writes a space


def convert_gguf(source: Path, folder: Path, *, chat_template: str | None) -> None:
    """Write config, weights (safetensors, float32), tokenizer and chat template of `source` into `folder`.

    `chat_template` is for models that have none. Raises ValueError for another architecture.
    """
    file = GgufFile(source)
    architecture = file.metadata["general.architecture"]
    if architecture not in ARCHITECTURES:
        raise ValueError(f"{source} holds the architecture {architecture!r}")
    make_config, adjust = ARCHITECTURES[architecture]
    facts = {key.partition(".")[2]: value for key, value in file.metadata.items()}
    config = make_config(facts)
    names = _names(architecture, config)
    _write_weights(
        file, folder / "model.safetensors", names, lambda name, tensor: adjust(name, tensor, config)
    )
    write_json(folder / "config.json", config)
    convert_tokenizer(file.metadata, folder, chat_template=chat_template)


def _write_weights(
    file: GgufFile, path: Path, names: Mapping[str, str], adjust: Callable[[str, Array], Array]
) -> None:
    import numpy
    from safetensors.numpy import save_file

    tensors = {names[name]: numpy.ascontiguousarray(adjust(name, tensor)) for name, tensor in file.tensors()}
    save_file(tensors, path, metadata={"format": "pt"})


def _names(architecture: str, config: Mapping[str, Any]) -> dict[str, str]:
    """Return what Transformers calls the tensors of a file: `blk.0.…` -> `model.layers.0.…`."""
    import torch
    from gguf import MODEL_ARCH_NAMES, get_tensor_name_map
    from transformers import AutoConfig, AutoModelForCausalLM

    (code,) = (code for code, name in MODEL_ARCH_NAMES.items() if name == architecture)
    known = get_tensor_name_map(code, config["num_hidden_layers"])
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(**config))
    parts = (name.removesuffix(".weight") for name in model.state_dict())
    return {f"{known.get_name(part)}.weight": f"{part}.weight" for part in parts}


def _common_config(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": facts["ggml.bos_token_id"],
        "dtype": "float32",
        "eos_token_id": facts["ggml.eos_token_id"],
        "hidden_size": facts["embedding_length"],
        "intermediate_size": facts["feed_forward_length"],
        "max_position_embeddings": facts["context_length"],
        "num_attention_heads": facts["attention.head_count"],
        "num_hidden_layers": facts["block_count"],
        "num_key_value_heads": facts["attention.head_count_kv"],
        "pad_token_id": facts["ggml.padding_token_id"],
        "rms_norm_eps": facts["attention.layer_norm_rms_epsilon"],
        "tie_word_embeddings": True,
        "vocab_size": len(facts["ggml.tokens"]),
    }


def _llama_config(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **_common_config(facts),
        "architectures": ["LlamaForCausalLM"],
        "head_dim": facts["rope.dimension_count"],
        "hidden_act": "silu",
        "mlp_bias": False,
        "model_type": "llama",
        "rope_parameters": {"rope_type": "default", "rope_theta": facts["rope.freq_base"]},
    }


def _gemma_config(facts: Mapping[str, Any]) -> dict[str, Any]:
    layers = range(1, facts["block_count"] + 1)
    full = {"rope_type": "default", "rope_theta": facts["rope.freq_base"]}
    return {
        **_common_config(facts),
        "architectures": ["Gemma3ForCausalLM"],
        "head_dim": facts["attention.key_length"],
        "hidden_activation": "gelu_pytorch_tanh",
        "layer_types": [
            "full_attention" if layer % GEMMA_SLIDING_PATTERN == 0 else "sliding_attention"
            for layer in layers
        ],
        "model_type": "gemma3_text",
        "query_pre_attn_scalar": facts["attention.key_length"],
        "rope_parameters": {
            "full_attention": full,
            "sliding_attention": {**full, "rope_theta": GEMMA_LOCAL_ROPE},
        },
        "sliding_window": facts["attention.sliding_window"],
    }


def _llama_weight(name: str, tensor: Array, config: Mapping[str, Any]) -> Array:
    """Undo GGUF's order of query and key rows, which interleaves the two halves that rotate together."""
    heads = {"attn_q": "num_attention_heads", "attn_k": "num_key_value_heads"}.get(name.split(".")[-2])
    if heads is None:
        return tensor
    pairs = tensor.reshape(config[heads], -1, 2, tensor.shape[-1])
    return pairs.swapaxes(1, 2).reshape(tensor.shape)


def _gemma_weight(name: str, tensor: Array, config: Mapping[str, Any]) -> Array:
    """Undo GGUF's norms: it stores 1 + weight, Transformers the weight."""
    return tensor - 1 if name.endswith("norm.weight") else tensor


ARCHITECTURES = {
    "llama": (_llama_config, _llama_weight),
    "gemma3": (_gemma_config, _gemma_weight),
}


def convert_tokenizer(metadata: Mapping[str, Any], folder: Path, *, chat_template: str | None) -> None:
    """Write tokenizer and chat template to `folder`; `chat_template` is for files that have none."""
    load_libraries()
    from transformers import PreTrainedTokenizerFast

    facts = {key.removeprefix("tokenizer.ggml."): value for key, value in metadata.items()}
    tokens: list[str] = facts["tokens"]
    build = _byte_level if facts["model"] == "gpt2" else _sentence_piece
    tokenizer = build(tokens, facts)
    _add_special(tokenizer, tokens, facts["token_type"])
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=tokens[facts["bos_token_id"]],
        eos_token=tokens[facts["eos_token_id"]],
        unk_token=tokens[facts["unknown_token_id"]],
        pad_token=tokens[facts["padding_token_id"]],
        clean_up_tokenization_spaces=False,
        chat_template=metadata.get("tokenizer.chat_template", chat_template),
    )
    fast.save_pretrained(folder)


def _byte_level(tokens: Sequence[str], facts: Mapping[str, Any]) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    merges = [tuple(merge.split(" ")) for merge in facts["merges"]]
    tokenizer = Tokenizer(models.BPE(vocab=_vocabulary(tokens), merges=merges))
    split: list[pre_tokenizers.PreTokenizer] = [pre_tokenizers.ByteLevel(add_prefix_space=False)]
    if facts["pre"] == "smollm":  # it was trained on single digits
        split.insert(0, pre_tokenizers.Digits(individual_digits=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(split)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentence_piece(tokens: Sequence[str], facts: Mapping[str, Any]) -> Tokenizer:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    unknown = tokens[facts["unknown_token_id"]]
    merges = list(merges_of(tokens))
    bpe = models.BPE(
        vocab=_vocabulary(tokens), merges=merges, unk_token=unknown, fuse_unk=True, byte_fallback=True
    )
    tokenizer = Tokenizer(bpe)
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return tokenizer


def merges_of(tokens: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the merges that a SentencePiece vocabulary implies: every way to make a token from two others.

    A token's index in the vocabulary is its rank; among the ways to make a token, earlier parts come first.
    """
    rank = _vocabulary(tokens)
    for token in tokens:
        cuts = ((token[:cut], token[cut:]) for cut in range(1, len(token)))
        ways = [(left, right) for left, right in cuts if left in rank and right in rank]
        yield from sorted(ways, key=lambda way: (rank[way[0]], rank[way[1]]))


def _vocabulary(tokens: Sequence[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate(tokens)}


def _add_special(tokenizer: Tokenizer, tokens: Sequence[str], types: Sequence[int]) -> None:
    from tokenizers import AddedToken

    special = [token for token, kind in zip(tokens, types, strict=True) if kind == CONTROL]
    defined = [token for token, kind in zip(tokens, types, strict=True) if kind == USER_DEFINED]
    tokenizer.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in special])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in defined])
