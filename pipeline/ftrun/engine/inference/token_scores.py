"""Log probabilities of an answer's tokens, each told with its text.

They are the model's own: before temperature, penalties, `logit_bias` and grammars, as the API has them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ftrun.engine.inference.text import AnswerText
from ftrun.engine.inference.vocabulary import Vocabulary
from ftrun.engine.questions import Sampling, TokenScore

LEAST = -9999.0  # the API's number for a token that can't come: JSON has no infinity


def log_probabilities(scores: Tensor, samplings: Sequence[Sampling]) -> dict[int, Tensor]:
    """Return the natural log probabilities, (vocabulary,), by row for the answers that want them."""
    rows = [row for row, sampling in enumerate(samplings) if sampling.top_logprobs is not None]
    if not rows:
        return {}
    return dict(zip(rows, torch.log_softmax(scores[rows], dim=-1).clamp_(min=LEAST), strict=True))


class TokenScores:
    """The scores of one answer's tokens that wait until all of their text is told.

    Several tokens may make one character, and a text that was held back may turn out to be a stop text or a
    call. So tokens wait in groups, each with the place in the text where it ends.
    """

    def __init__(self, text: AnswerText, vocabulary: Vocabulary, most: int) -> None:
        """Follow `text`, and tell the `most` likeliest tokens at each place."""
        self._text, self._vocabulary, self._most = text, vocabulary, most
        self._group: list[TokenScore] = []  # whose text is not known yet
        self._waiting = deque[tuple[list[TokenScore], int]]()
        self._end = 0  # of the last group that is known

    def add(self, token: int, logprobs: Tensor) -> None:
        """Take the token that was just added to the text."""
        found = self._vocabulary.likely(token, float(logprobs[token]))
        values, tokens = logprobs.topk(self._most)
        top = [self._vocabulary.likely(*one) for one in zip(tokens.tolist(), values.tolist(), strict=True)]
        self._group.append(TokenScore(text=found.text, bytes=found.bytes, logprob=found.logprob, top=top))
        self._close()

    def until(self, characters: int) -> list[TokenScore]:
        """Return the scores of the tokens whose text is within the first `characters` of the answer's."""
        scores: list[TokenScore] = []
        while self._waiting and self._waiting[0][1] <= characters:
            group, self._end = self._waiting.popleft()
            scores += group
        return scores

    def rest(self, characters: int) -> list[TokenScore]:
        """Return what is left at the end of an answer of `characters`; the last token may be cut."""
        self._close(whole=True)
        scores = self.until(characters)
        if self._waiting and self._end < characters:
            group, _ = self._waiting[0]
            scores += _first(group, characters - self._end)
        return scores

    def _close(self, *, whole: bool = False) -> None:
        known = self._waiting[-1][1] if self._waiting else self._end
        if self._group and (self._text.decoded > known or whole):
            group = self._group if known else _without_space(self._group, self._text.decoded)
            self._waiting.append((group, self._text.decoded))
            self._group = []


def _without_space(group: Sequence[TokenScore], characters: int) -> list[TokenScore]:
    """Return a group without the space before the first word that tokens of SentencePiece have, and texts
    have not.
    """
    text = _bytes(group).decode(errors="replace")
    extra = len(text) - characters
    return list(_part(group, extra, len(text.encode()))) if extra > 0 and text[:extra].isspace() else [*group]


def _first(group: Sequence[TokenScore], characters: int) -> list[TokenScore]:
    """Return the tokens of the first characters of a group."""
    kept = _bytes(group).decode(errors="surrogateescape")[:characters]
    stop = len(kept.encode(errors="surrogateescape"))
    return [score for score in _part(group, 0, stop) if score.bytes]


def _part(group: Sequence[TokenScore], start: int, stop: int) -> Iterator[TokenScore]:
    """Yield the tokens of a group with those of its bytes alone that are in a range."""
    place = 0
    for score in group:
        kept = score.bytes[max(0, start - place) : max(0, stop - place)]
        place += len(score.bytes)
        cut = len(kept) < len(score.bytes)
        yield replace(score, text=bytes(kept).decode(errors="replace"), bytes=kept) if cut else score


def _bytes(group: Sequence[TokenScore]) -> bytes:
    return b"".join(bytes(score.bytes) for score in group)
