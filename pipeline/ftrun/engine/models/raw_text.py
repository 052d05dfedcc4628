"""Token ids of texts that are read as they are, without a chat template."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ftrun.engine.backends import Rejected


class RawTextEncoder:
    """Turns texts and given ids into token ids that begin as this model's texts do."""

    def __init__(self, tokenizer: Any, *, vocabulary: int) -> None:
        """Use a tokenizer of Transformers, for a model with scores for `vocabulary` tokens."""
        self._tokenizer, self._vocabulary = tokenizer, vocabulary
        start = tokenizer.bos_token_id
        self._start = [start] if start is not None and start in tokenizer("")["input_ids"] else []

    def ids(self, text: str | Sequence[int], *, special: bool, param: str) -> list[int]:
        """Return the ids of a text, or the given ones; with `special` the names of special tokens in the text
        are those tokens.

        Raises Rejected, about the API's field `param`, if there is none or the vocabulary lacks one.
        """
        ids = self._encode(text, special=special) if isinstance(text, str) else [*text]
        if not ids:
            raise Rejected("An empty text has nothing to read.", code="invalid_value", param=param)
        self.check(ids, param=param)
        return ids

    def check(self, ids: Iterable[int], *, param: str) -> None:
        """Raise Rejected, about the API's field `param`, if the vocabulary lacks one of `ids`."""
        unknown = next((token for token in ids if not 0 <= token < self._vocabulary), None)
        if unknown is not None:
            raise Rejected(
                f"This model has no token {unknown}: its vocabulary has the ids 0 to {self._vocabulary - 1}.",
                code="invalid_value",
                param=param,
            )

    def _encode(self, text: str, *, special: bool) -> list[int]:
        found = self._tokenizer(text, add_special_tokens=False, split_special_tokens=not special)
        ids: list[int] = found["input_ids"]
        return ids if ids[:1] == self._start else self._start + ids
