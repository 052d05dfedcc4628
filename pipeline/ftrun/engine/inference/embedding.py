"""Embeddings by a chat model: the mean of the last states of a text's tokens, of length 1.

A model that was trained to predict tokens is not a specialist for this, but texts about the same thing are
near each other. Short texts are computed together, packed into rows as in training.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch.nn.functional import normalize

from ftrun.engine.inference.reading import PORTION
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.models.lora import Adapter, attach_to_rows

Embedding = tuple[list[float], int]  # the vector, and the tokens of the text


def embed(model: LoadedModel, texts: Sequence[Sequence[int]], weights: Adapter | None) -> Iterator[Embedding]:
    """Yield the embedding of each text, given as token ids; all of a portion are computed with its first."""
    for portion in _portions(texts, most=PORTION if model.packs else 0):
        with torch.inference_mode():
            vectors = _vectors(model, portion, weights)
        yield from zip(vectors, map(len, portion), strict=True)


def _portions(texts: Sequence[Sequence[int]], *, most: int) -> Iterator[list[Sequence[int]]]:
    """Divide texts into those that have `most` tokens together, or are alone."""
    portion: list[Sequence[int]] = []
    for text in texts:
        if portion and sum(map(len, portion)) + len(text) > most:
            yield portion
            portion = []
        portion.append(text)
    if portion:
        yield portion


def _vectors(
    model: LoadedModel, portion: Sequence[Sequence[int]], weights: Adapter | None
) -> list[list[float]]:
    attach_to_rows(model.layers, [weights])
    ids = torch.tensor([[token for text in portion for token in text]])
    positions = torch.tensor([[place for text in portion for place in range(len(text))]])
    states = model.hidden(ids, positions)[0].float().split([len(text) for text in portion])
    vectors: list[list[float]] = normalize(torch.stack([own.mean(0) for own in states])).tolist()
    return vectors
