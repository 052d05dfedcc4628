"""Answers that are computed together, as the rows of one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ftrun.engine.inference.answers import Answer
from ftrun.engine.inference.prefixes import Beginning, Prefix
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.models.lora import attach_to_rows

TRIM = 64  # columns that are padding in all rows, before they are removed


def next_scores(model: LoadedModel, cache: Any, ids: Tensor, lengths: Sequence[int]) -> Tensor:
    """Read the next tokens of each row, (rows, tokens); return the scores after them, (rows, vocabulary).

    `lengths` are the tokens of each row with these. A row that is shorter than its share of `ids` has padding
    on the left of it, which may be any ids.
    """
    device, before = model.device, cache.get_seq_length()
    width = before + ids.shape[1]
    columns = torch.arange(width, device=device)
    padding = torch.tensor([width - length for length in lengths], device=device)[:, None]
    output = model.causal.base_model(
        input_ids=ids.to(device),
        attention_mask=columns >= padding if min(lengths) < width else None,
        position_ids=(columns[before:] - padding).clamp_(min=0),
        cache=cache,
        use_cache=True,
    )
    return model.logits(output.last_hidden_state[:, -1])


class Rows:
    """Answers, one per row, with their key-value cache, in which they are aligned to the right."""

    def __init__(self, model: LoadedModel, cache: Any = None, answers: Sequence[Answer] = ()) -> None:
        """Begin with `answers`; `cache` is a BatchCache, or any cache of Transformers for a single row."""
        self.answers = list(answers)
        self.lengths = [0] * len(answers)  # how many tokens of each row are in the cache
        self._model, self._cache = model, cache

    def start(self, beginnings: Sequence[Beginning | None]) -> None:
        """Put what is known of each row into the empty cache."""
        self._cache.start(beginnings)

    def read(self, ids: Tensor, lengths: list[int]) -> Tensor:
        """Read the next tokens, as `next_scores` does; return the scores after them."""
        attach_to_rows(self._model.layers, [answer.weights for answer in self.answers])
        scores = next_scores(self._model, self._cache, ids, lengths)
        self.lengths = lengths
        return scores

    def generate(self) -> Tensor:
        """Read the last token of each answer; return the scores of the next ones, (rows, vocabulary)."""
        ids = torch.tensor([[answer.ids[-1]] for answer in self.answers])
        return self.read(ids, [len(answer.ids) for answer in self.answers])

    def join(self, other: Rows) -> None:
        """Add the answers of `other`, which must not be used afterwards."""
        if self.answers:
            self._cache.join(other._cache)
        else:
            self._cache = other._cache
        self.answers += other.answers
        self.lengths += other.lengths

    def leave(self, row: int) -> None:
        """Remove an answer; the last one takes its row."""
        self.answers[row], self.lengths[row] = self.answers[-1], self.lengths[-1]
        self.answers.pop()
        self.lengths.pop()
        if not self.answers:
            self._cache = None
            return
        self._cache.leave(row)
        if (columns := self._cache.get_seq_length() - max(self.lengths)) >= TRIM:
            self._cache.trim(columns)

    def prefix(self, row: int, most: int | None = None) -> Prefix:
        """Return a copy of what is known of a row: its first `most` tokens, or all."""
        answer, length = self.answers[row], self.lengths[row]
        tokens = length if most is None else most
        start = self._cache.get_seq_length() - length
        layers = self._cache.row(row, start, start + tokens)
        return Prefix(ids=tuple(answer.ids[:tokens]), adapter=answer.adapter, layers=layers)
