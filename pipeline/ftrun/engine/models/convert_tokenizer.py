"""Building a fast tokenizer from a GGUF file's metadata: byte-level BPE, and SentencePiece's BPE."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONTROL, USER_DEFINED = 3, 4  # GGUF's token types; others are ordinary
SPACE = "▁"  # SentencePiece writes a space so


def convert_tokenizer(metadata: Mapping[str, Any], folder: Path, *, chat_template: str | None) -> None:
    """Write tokenizer and chat template into `folder`; `chat_template` is for files that bring none."""
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
    if facts["pre"] == "smollm":  # was trained on single digits
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
    """Yield the merges that a SentencePiece vocabulary implies: every way to make a token of two others.

    A token's place in the vocabulary is its rank; among the ways to one token, the earlier parts come first.
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
