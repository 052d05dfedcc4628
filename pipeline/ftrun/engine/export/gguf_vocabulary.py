"""The tokenizer and the chat template in a GGUF file, from those of Transformers.

llama.cpp has the rules by which texts are split in its own code, under names. A tokenizer whose rules have no
such name here is refused, because its tokens would be others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ftrun.engine.export.refusal import not_as_gguf
from ftrun.engine.export.source import Chat

BYTE = re.compile(r"<0x[0-9A-F]{2}>")
WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}NUMBERS| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
# how a byte-level tokenizer splits texts, and llama.cpp's name for that
SPLITS: Mapping[tuple[str, ...], str] = {
    ("ByteLevel",): "gpt-2",
    ("Digits", "ByteLevel"): "smollm",
    (WORDS.replace("NUMBERS", ""),): "qwen2",
    (WORDS.replace("NUMBERS", "{1,3}"),): "llama-bpe",
}


def add_vocabulary(writer: Any, chat: Chat, *, rows: int) -> None:
    """Add tokens, merges, special tokens and the chat template; `rows` is the size of the embedding.

    UsageError for a tokenizer that llama.cpp would not apply alike.
    """
    backend = getattr(chat.tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise not_as_gguf("This model has no tokenizer.json, so its tokenizer can't be written as GGUF.")
    facts = json.loads(backend.to_str())
    model = facts["model"]
    if model["type"] != "BPE":
        raise not_as_gguf(f"A tokenizer of the type {model['type']} can't be written as GGUF, only BPE.")
    tokens = _tokens(chat.tokenizer, rows)
    merges = [
        tuple(merge.split(" ")) if isinstance(merge, str) else tuple(merge) for merge in model["merges"]
    ]
    if model.get("byte_fallback"):
        _add_sentencepiece(writer, facts, tokens, merges)
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(_split_name(facts))
        writer.add_token_merges([" ".join(merge) for merge in merges])
    writer.add_token_list(tokens)
    writer.add_token_types([*_types(chat.tokenizer, tokens, facts)])
    _add_special(writer, chat)
    writer.add_chat_template(chat.template)


def _tokens(tokenizer: Any, rows: int) -> list[str]:
    """Return the text of every row of the embedding; rows without a token get a name that is in no text."""
    known = {number: token for token, number in tokenizer.get_vocab().items()}
    return [known.get(number, f"[PAD{number}]") for number in range(rows)]


def _types(tokenizer: Any, tokens: Sequence[str], facts: Mapping[str, Any]) -> Iterator[int]:
    from gguf import TokenType

    added, known = tokenizer.added_tokens_decoder, tokenizer.get_vocab()
    fallback = bool(facts["model"].get("byte_fallback"))
    for number, token in enumerate(tokens):
        if token not in known:
            yield TokenType.UNUSED
        elif fallback and token == facts["model"].get("unk_token"):
            yield TokenType.UNKNOWN
        elif number in added:
            yield TokenType.CONTROL if added[number].special else TokenType.USER_DEFINED
        else:
            yield TokenType.BYTE if fallback and BYTE.fullmatch(token) else TokenType.NORMAL


def _split_name(facts: Mapping[str, Any]) -> str:
    """Return llama.cpp's name for how a byte-level tokenizer splits texts."""
    normalizer = facts.get("normalizer")
    if normalizer is not None and normalizer["type"] != "NFC":
        raise not_as_gguf(f"llama.cpp lacks the normalizer {normalizer['type']} of this model's tokenizer.")
    rules = tuple(_rules(facts.get("pre_tokenizer")))
    if rules not in SPLITS:
        raise not_as_gguf("llama.cpp has no known name for how this model's tokenizer splits texts.")
    return SPLITS[rules]


def _rules(splitter: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield what splits a text: names, and regular expressions; nothing that has no effect."""
    match splitter:
        case {"type": "Sequence", "pretokenizers": parts}:
            for part in parts:
                yield from _rules(part)
        case {"type": "Digits", "individual_digits": True}:
            yield "Digits"
        case {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}:
            yield pattern
        case {"type": "ByteLevel", "add_prefix_space": False, "use_regex": splits}:
            if splits:
                yield "ByteLevel"
        case _:
            yield "unknown"


def _add_sentencepiece(
    writer: Any, facts: Mapping[str, Any], tokens: Sequence[str], merges: Sequence[tuple[str, ...]]
) -> None:
    """Add the scores by which llama.cpp merges: of two merges it makes that with the higher score first."""
    rank = {token: number for number, token in enumerate(tokens)}
    made = [rank.get("".join(merge), -1) for merge in merges]
    if made != sorted(made):
        raise not_as_gguf("The merges of this model's tokenizer are not in the order of its tokens.")
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_scores([-float(number) for number in range(len(tokens))])
    writer.add_add_space_prefix(_begins_with_space(facts))


def _begins_with_space(facts: Mapping[str, Any]) -> bool:
    """Return whether every text gets a space in front, also after special tokens and before other spaces."""
    match facts.get("normalizer"), facts.get("pre_tokenizer"):
        case {"type": "Replace", "content": "▁"}, {"type": "Split"} | None:
            return False
        case {"type": "Sequence", "normalizers": [{"type": "Prepend"}, {"type": "Replace"}]}, None:
            return True
        case None, {"type": "Metaspace", "prepend_scheme": "never", "split": False}:
            return False
    raise not_as_gguf("llama.cpp treats spaces in another way than this model's tokenizer.")


def _add_special(writer: Any, chat: Chat) -> None:
    tokenizer = chat.tokenizer
    for name in ("bos", "eos", "unk", "pad"):
        number = getattr(tokenizer, f"{name}_token_id")
        if number is not None:
            getattr(writer, f"add_{name}_token_id")(number)
    ends = [number for number in chat.end_ids if number != tokenizer.eos_token_id]
    if ends:
        writer.add_eot_token_id(ends[0])
    writer.add_add_bos_token(adds_bos(tokenizer))
    writer.add_add_eos_token(False)


def adds_bos(tokenizer: Any) -> bool:
    """Return whether the tokenizer puts its token for the beginning before every text by itself."""
    ids = tokenizer("a")["input_ids"]
    return bool(ids) and tokenizer.bos_token_id is not None and ids[0] == tokenizer.bos_token_id
