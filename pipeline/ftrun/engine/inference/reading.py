"""Reading prompts into the cache: which of them together, and how much in one step."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

from ftrun.engine.inference.answers import Answer
from ftrun.engine.inference.cache import SPARE, BatchCache
from ftrun.engine.inference.prefixes import Beginning, Known, Prefixes, shared_beginning
from ftrun.engine.inference.rows import Rows, next_scores
from ftrun.engine.models.base import LoadedModel, is_same

PORTION = 512  # tokens that are read in one step, in all rows


class Reading:
    """What some answers have so far, prompts most of all, that is being read in portions.

    All rows read the same number of their last tokens, as many as the one that needs most: so there is no
    padding between what is known of a row and what is new.
    """

    def __init__(
        self, rows: Rows, count: int, beginnings: Sequence[Beginning | None] = (), *, shared: int = 0
    ) -> None:
        """Read the last `count` tokens of `rows`; `beginnings` have what comes before them, None nothing.

        Others share the first `shared` tokens of the only row.
        """
        self.rows, self.shared = rows, shared
        self._beginnings, self._left = beginnings, count
        texts = [answer.ids for answer in rows.answers]
        self._ids = torch.tensor([[0] * (count - len(text)) + text[-count:] for text in texts])

    def advance(self) -> Tensor | None:
        """Read a portion; return the scores of the next tokens if it was the last one."""
        if self._beginnings:
            self.rows.start(self._beginnings)
            self._beginnings = ()
        start = self._ids.shape[1] - self._left
        portion = self._ids[:, start : start + max(1, PORTION // len(self._ids))]
        left = self._left - portion.shape[1]
        scores = self.rows.read(portion, [len(answer.ids) - left for answer in self.rows.answers])
        self._left = left
        return None if left else scores


def is_short(answer: Answer) -> bool:
    """Return whether all of an answer is read in one step."""
    return len(answer.ids) <= PORTION


def next_reading(model: LoadedModel, waiting: Sequence[Answer], prefixes: Prefixes | None) -> Reading:
    """Choose what to read next of answers that wait, all with the same adapter.

    Without `prefixes` the architecture can't answer in batches, and needs a cache of its own kind.
    """
    if prefixes is None:
        alone = waiting[0]
        rows = Rows(model, DynamicCache(config=model.causal.config), [alone])
        return Reading(rows, len(alone.ids))
    # the last token is always read: the scores after it are needed
    known = [prefixes.longest(answer.ids[:-1], answer.adapter) for answer in waiting]
    shared = shared_beginning([answer.ids for answer in waiting], [tokens for tokens, _ in known])
    if shared is not None:
        place, tokens = shared
        return _prepare(model, [(waiting[place], known[place])], shared=tokens)
    return _prepare(model, _together([*zip(waiting, known, strict=True)]))


def _together(waiting: Sequence[tuple[Answer, Known]]) -> list[tuple[Answer, Known]]:
    """Return the first answer, and others that need about as much, up to a portion in all."""
    most, *needs = (len(answer.ids) - tokens for answer, (tokens, _) in waiting)
    chosen = [waiting[0]]
    for entry, need in zip(waiting[1:], needs, strict=True):
        larger, smaller = max(most, need), min(most, need)
        if larger <= 2 * smaller and (len(chosen) + 1) * larger <= PORTION:
            chosen.append(entry)
            most = larger
    return chosen


def _prepare(model: LoadedModel, chosen: Sequence[tuple[Answer, Known]], *, shared: int = 0) -> Reading:
    count = max(len(answer.ids) - tokens for answer, (tokens, _) in chosen)
    longest = max(len(answer.ids) for answer, _ in chosen)
    rows = Rows(
        model, BatchCache(model.causal.config, room=longest + SPARE), [answer for answer, _ in chosen]
    )
    beginnings = [
        prefix.first(len(answer.ids) - count) if prefix is not None and len(answer.ids) > count else None
        for answer, (_, prefix) in chosen
    ]
    return Reading(rows, count, beginnings if longest > count else (), shared=shared)


def bytes_per_token(model: LoadedModel) -> int | None:
    """Return what a token takes in the cache; None if this architecture can't answer in batches.

    Two rows that are read and continued together must give what each gives alone.
    """
    texts, cache = (list(range(1, 12)), list(range(21, 27))), BatchCache(model.causal.config)
    padded = torch.tensor([texts[0], [0] * 5 + texts[1]])
    try:
        with torch.inference_mode():
            next_scores(model, cache, padded[:, :-1], [10, 5])
            together = next_scores(model, cache, padded[:, -1:], [11, 6])
            alone = [model.logits(_states(model, text)[0, -1]) for text in texts]
    except Exception:  # this cache is not what the architecture needs
        return None
    same = is_same(together, torch.stack(alone), model.dtype)
    return cache.bytes_per_token if same else None


def _states(model: LoadedModel, text: Sequence[int]) -> Tensor:
    positions = torch.arange(len(text))[None]
    return model.hidden(torch.tensor([text]), positions)
