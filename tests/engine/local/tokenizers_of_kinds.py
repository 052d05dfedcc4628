"""Small tokenizers of the kinds that models have, trained on a few words."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

from engine.local.conftest import TEXT

SPECIAL = ("<unk>", "<s>", "</s>")
ASCII = "".join(map(chr, range(32, 127)))
TEMPLATE = (
    "{% for message in messages %}{{ message['role'] + ': ' + message['content'] + '</s>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}"
)
BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def of_kind(kind: str) -> Any:
    """Return a tokenizer of Transformers with a chat template; `kind` is the name of a function below."""
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_object=globals()[kind](),
        unk_token=SPECIAL[0],
        bos_token=SPECIAL[1],
        eos_token=SPECIAL[2],
        chat_template=TEMPLATE,
    )


def sentence_piece(**changed: Any) -> Tokenizer:
    """Return a tokenizer as Gemma's: spaces as a character of their own, unknown characters as bytes."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token=SPECIAL[0]))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=[*SPECIAL, *BYTES], show_progress=False)
    tokenizer.train_from_iterator([TEXT, ASCII], trainer)
    parts = json.loads(tokenizer.to_str())
    parts["added_tokens"] = [token for token in parts["added_tokens"] if token["content"] in SPECIAL]
    return Tokenizer.from_str(json.dumps(parts | changed))


def sentence_piece_with_a_space_first() -> Tokenizer:
    """Return a tokenizer as that of Llama 2, which begins a text with a space and drops it again."""
    tokenizer = sentence_piece()
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("\u2581"), tokenizer.normalizer])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def unigram(*, in_bytes: bool = True) -> Tokenizer:
    """Return a tokenizer as Japanese models have: Unigram, with a decoder that llguidance doesn't know."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=250, special_tokens=list(SPECIAL), unk_token=SPECIAL[0], show_progress=False
    )
    tokenizer.train_from_iterator([TEXT, ASCII] * 3, trainer)
    if not in_bytes:
        return tokenizer
    parts = json.loads(tokenizer.to_str())
    parts["model"]["byte_fallback"] = True
    parts["model"]["vocab"] += [[byte, -20.0] for byte in BYTES]
    parts["decoder"] = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, parts["decoder"]]}
    return Tokenizer.from_str(json.dumps(parts))


def unigram_without_bytes() -> Tokenizer:
    """Return a tokenizer that can't write every character."""
    return unigram(in_bytes=False)


def byte_level() -> Tokenizer:
    """Return a tokenizer as GPT-2's, Llama 3's and Qwen's, with a space before each text."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=330, special_tokens=list(SPECIAL), initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator([TEXT], trainer)
    return tokenizer


def word_piece() -> Tokenizer:
    """Return a tokenizer of words and their parts, which has no way to write a space."""
    tokenizer = Tokenizer(models.WordPiece(unk_token=SPECIAL[0]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.decoder = decoders.WordPiece()
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=list(SPECIAL), show_progress=False)
    tokenizer.train_from_iterator([TEXT, ASCII], trainer)
    return tokenizer
