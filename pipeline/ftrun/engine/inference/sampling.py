"""Choose the next token of each answer: the most likely one, or one drawn with the answer's own generator."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from ftrun.engine.backends import Rejected
from ftrun.engine.inference.constraint import Guide
from ftrun.engine.questions import Sampling

MOST_ORDERED = (
    1024  # tokens: `top_p` is nearly always reached by fewer, and ordering all takes ten times as long
)


class Sampler:
    """How the tokens of one answer are chosen, from its first to its last."""

    def __init__(self, sampling: Sampling, guide: Guide | None = None) -> None:
        """Choose by `sampling`, among the tokens that `guide` allows."""
        self.how, self.guide = sampling, guide
        self.generator = new_generator(sampling.seed)
        self._counts: Counter[int] | None = None
        if sampling.frequency_penalty or sampling.presence_penalty:
            self._counts = Counter()

    @property
    def adjusts(self) -> bool:
        """Return whether `adjust` has something to do."""
        return bool(self.how.logit_bias) or bool(self._counts) or self.guide is not None

    def adjust(self, scores: Tensor) -> None:
        """Change the scores of the next token, (vocabulary,). Raises Rejected if no token can be chosen.

        As the API defines it, each token's score is lowered by the times that it is in the answer, times
        `frequency_penalty`, and once by `presence_penalty`; then `logit_bias` is added.
        """
        if self._counts:
            tokens, counts = _tensors(self._counts, scores)
            scores[tokens] -= counts * self.how.frequency_penalty + self.how.presence_penalty
        if self.how.logit_bias:
            tokens, added = _tensors(self.how.logit_bias, scores)
            scores[tokens] += added
        if self.guide is not None:
            scores.masked_fill_(~self.guide.allowed().to(scores.device), float("-inf"))

    def accept(self, token: int) -> None:
        """Take a token of the answer."""
        if self._counts is not None:
            self._counts[token] += 1
        if self.guide is not None:
            self.guide.accept(token)

    @property
    def ended(self) -> bool:
        """Return whether nothing can follow."""
        return self.guide is not None and self.guide.ended


def new_generator(seed: int | None) -> torch.Generator:
    """Return a generator of random numbers; None is another one each time."""
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator


def choose(scores: Tensor, samplers: Sequence[Sampler]) -> list[int | Rejected]:
    """Return the next token of each row for float32 scores, (rows, vocabulary), which are changed; an error
    for an answer that can't continue.
    """
    failed: dict[int, Rejected] = {}
    for row, sampler in enumerate(samplers):
        if sampler.adjusts:
            try:
                sampler.adjust(scores[row])
            except Rejected as error:
                failed[row] = error
    tokens: list[int] = scores.argmax(-1).tolist()
    drawn = [row for row, sampler in enumerate(samplers) if sampler.how.temperature > 0 and row not in failed]
    if drawn:
        # on the CPU, so that a seed gives the same answer with any device
        for row, its_scores in zip(drawn, scores[drawn].cpu(), strict=True):
            tokens[row] = pick(its_scores, samplers[row].how, samplers[row].generator)
    return [failed.get(row, token) for row, token in enumerate(tokens)]


def pick(scores: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Return a token for float32 scores of shape (vocabulary,), with a temperature above 0."""
    # from the highest score down, so that none is infinite with the smallest temperature
    shares = torch.softmax((scores - scores.max()) / sampling.temperature, dim=-1)
    if sampling.top_p < 1:
        shares = _likeliest(shares, sampling.top_p)
    # as `torch.multinomial`, twenty times as fast: the first token up to which the shares exceed a number
    ends = shares.double().cumsum(-1)
    drawn = torch.rand(1, generator=generator, dtype=torch.float64) * ends[-1]
    return int(torch.searchsorted(ends, drawn, right=True))


def _likeliest(shares: Tensor, top_p: float) -> Tensor:
    """Return the shares of the fewest tokens that have `top_p` together, at least one; 0 for the others."""
    ordered, tokens = shares.topk(min(MOST_ORDERED, len(shares)))
    if float(ordered.sum()) < top_p:
        ordered, tokens = shares.sort(descending=True)
    others = ordered.cumsum(-1) - ordered >= top_p  # the sum before a token decides
    others[0] = False
    return torch.zeros_like(shares).scatter_(0, tokens, ordered.masked_fill_(others, 0))


def _tensors(values: Mapping[int, float], like: Tensor) -> tuple[Tensor, Tensor]:
    """Return the tokens, and the number of each, on the device of `like`."""
    tokens = torch.tensor(list(values), device=like.device)
    return tokens, torch.tensor([*values.values()], dtype=like.dtype, device=like.device)
