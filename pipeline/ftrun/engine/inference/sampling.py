"""Choose the next token of each answer: the most likely one, or one drawn with the answer's own generator."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ftrun.engine.questions import Sampling


def new_generator(seed: int | None) -> torch.Generator:
    """Return a generator of random numbers; None is another one each time."""
    generator = torch.Generator()
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator


def choose(scores: Tensor, how: Sequence[tuple[Sampling, torch.Generator]]) -> list[int]:
    """Return the next token of each row for float32 scores of shape (rows, vocabulary)."""
    tokens: list[int] = scores.argmax(-1).tolist()
    drawn = [row for row, (sampling, _) in enumerate(how) if sampling.temperature > 0]
    if drawn:
        # on the CPU, so that a seed gives the same answer with any device
        for row, its_scores in zip(drawn, scores[drawn].cpu(), strict=True):
            tokens[row] = pick(its_scores, *how[row])
    return tokens


def pick(scores: Tensor, sampling: Sampling, generator: torch.Generator) -> int:
    """Return a token for float32 scores of shape (vocabulary,), with a temperature above 0."""
    shares = torch.softmax(scores / sampling.temperature, dim=-1)
    if sampling.top_p < 1:
        ordered, tokens = shares.sort(descending=True)
        # the smallest set that reaches top_p: the sum before a token decides, so the first always stays
        ordered[ordered.cumsum(-1) - ordered >= sampling.top_p] = 0
        shares = torch.zeros_like(shares).scatter_(0, tokens, ordered)
    return int(torch.multinomial(shares, 1, generator=generator))
