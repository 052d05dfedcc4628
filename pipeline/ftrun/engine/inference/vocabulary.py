"""A model's tokens as llguidance reads them: what grammars are checked with, and the bytes of each token."""

from __future__ import annotations

import json
import re
from functools import cached_property

from llguidance import LLTokenizer

from ftrun.engine.models.base import LoadedModel
from ftrun.engine.questions import LikelyToken

# how SentencePiece's tokens become text, in the one form that llguidance reads
SENTENCE_PIECE = {
    "type": "Sequence",
    "decoders": [
        {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
    ],
}
UNSAID = "<\ufdd0{}>"  # with a noncharacter
SAMPLE = 'a {"猫": 1}\n'


class Vocabulary:
    """The tokens of one model; `prepare` reads them once, which takes about a second."""

    def __init__(self, model: LoadedModel) -> None:
        """Use the tokenizer of `model`, with as many tokens as have scores."""
        self.name, self.size = model.name, model.vocabulary
        self._tokenizer, self._ends = model.tokenizer, sorted(model.encoder.end_ids)

    @cached_property
    def tokenizer(self) -> LLTokenizer:
        """Return llguidance's tokenizer. Raises ValueError if it doesn't know this kind."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ValueError("it has no tokenizer.json")
        size = max(self.size, len(self._tokenizer))  # a tokenizer may know tokens that the model lacks
        known = LLTokenizer(_readable(backend.to_str()), n_vocab=size, eos_token=self._ends)
        ids = self._tokenizer(SAMPLE, add_special_tokens=False)["input_ids"]
        if known.decode_str(ids).strip() != self._tokenizer.decode(ids).strip():
            raise ValueError("its tokens become text in an unknown way")
        return known

    def is_special(self, token: int) -> bool:
        """Return whether llguidance takes a token for no text: special ones, and some like `<tool_call>`."""
        return self._known is not None and bool(self._known.is_special_token(token))

    def prepare(self) -> None:
        """Read the tokens now, for `likely`; from the thread that encodes questions."""
        _ = self._known, self._added, self._special

    def likely(self, token: int, logprob: float) -> LikelyToken:
        """Return a token with its text; a special one has its name, and no bytes."""
        if token in self._added:
            written = self._added[token].encode()
        elif self._known is None:
            written = self._tokenizer.decode([token]).encode()
        else:
            # it leaves this byte out, which is its mark of special tokens and in no text
            written = self._known.decode_bytes([token]) or b"\xff"
        special = token in self._special
        text = written.decode(errors="replace")
        return LikelyToken(text=text, bytes=() if special else tuple(written), logprob=logprob)

    @cached_property
    def _known(self) -> LLTokenizer | None:
        try:
            return self.tokenizer
        except ValueError:
            return None

    @cached_property
    def _added(self) -> dict[int, str]:
        return {number: token.content for number, token in self._tokenizer.added_tokens_decoder.items()}

    @cached_property
    def _special(self) -> frozenset[int]:
        added = self._tokenizer.added_tokens_decoder.items()
        unused = range(len(self._tokenizer), self.size)
        return frozenset([number for number, token in added if token.special]) | frozenset(unused)


def _readable(tokenizer: str) -> str:
    """Return a tokenizer.json in a form that llguidance knows, without a space before each text.

    Special tokens, and those that llguidance takes for such, get names that no text has: it reads what an
    answer must say next as text, in which a name such as `<|im_end|>` would be the token.
    """
    parts = json.loads(tokenizer.replace('"add_prefix_space":true', '"add_prefix_space":false'))
    if "Metaspace" in json.dumps(parts["decoder"]):
        parts["decoder"] = SENTENCE_PIECE
    added, model = parts["added_tokens"], parts["model"]
    new = {
        one["content"]: UNSAID.format(one["id"])
        for one in added
        if (one["special"] or re.fullmatch("<.*>", one["content"]))
        and one["content"] != model.get("unk_token")  # which stands for words in the check above
        and one["id"] != model.get("unk_id")
    }
    for one in added:
        one["content"] = new.get(one["content"], one["content"])
    if isinstance(model["vocab"], dict):
        model["vocab"] = {new.get(token, token): number for token, number in model["vocab"].items()}
    else:
        model["vocab"] = [[new.get(token, token), score] for token, score in model["vocab"]]
    return json.dumps(parts)
