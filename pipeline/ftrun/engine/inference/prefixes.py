"""Beginnings of prompts whose keys and values are known, so that they are computed once."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ftrun.engine.inference.cache import KeysAndValues

WORTH = 64  # tokens: a pass of its own for a shared beginning must save at least so many

Beginning: TypeAlias = Sequence[KeysAndValues | None]  # of one text, layer by layer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prefix:
    """Tokens, the adapter that they were read with, and the keys and values of each layer."""

    ids: tuple[int, ...]
    adapter: Path | None
    layers: Beginning

    @property
    def size(self) -> int:
        """Return the bytes that it takes."""
        return sum(tensor.nbytes for layer in self.layers if layer for tensor in layer)

    def first(self, tokens: int) -> Beginning:
        """Return the keys and values of the first `tokens` tokens."""
        return [layer and (layer[0][:, :tokens], layer[1][:, :tokens]) for layer in self.layers]


Known: TypeAlias = tuple[int, Prefix | None]  # how many tokens of a text are known, from which prefix


class Prefixes:
    """The prefixes that were used last, at most `most` bytes of them."""

    def __init__(self, most: int) -> None:
        """Keep nothing yet."""
        self._most, self._size = most, 0
        self._kept: list[Prefix] = []  # the last one was used last

    def __len__(self) -> int:
        return len(self._kept)

    def longest(self, ids: Sequence[int], adapter: Path | None) -> Known:
        """Return how much of the start of `ids` is known."""
        best, found = 0, None
        for prefix in self._kept:
            if prefix.adapter == adapter and (common := common_beginning(prefix.ids, ids)) > best:
                best, found = common, prefix
        if found is not None:
            self._kept.remove(found)
            self._kept.append(found)
        return best, found

    def keep(self, prefix: Prefix) -> None:
        """Keep a prefix instead of those that it begins with; drop the ones that were used longest ago."""
        known = any(
            other.adapter == prefix.adapter and other.ids[: len(prefix.ids)] == prefix.ids
            for other in self._kept
        )
        if known or prefix.size > self._most:
            return
        for other in list(self._kept):
            if other.adapter == prefix.adapter and prefix.ids[: len(other.ids)] == other.ids:
                self._drop(other)
        self._kept.append(prefix)
        self._size += prefix.size
        while self._size > self._most:
            self._drop(self._kept[0])

    def clear(self) -> None:
        """Forget everything."""
        self._kept, self._size = [], 0

    def _drop(self, prefix: Prefix) -> None:
        self._kept.remove(prefix)
        self._size -= prefix.size


def common_beginning(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two texts have in common at their start."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def shared_beginning(prompts: Sequence[list[int]], known: Sequence[int]) -> tuple[int, int] | None:
    """Return which of several prompts is worth reading first, for so many tokens that others begin with too.

    Of each prompt so many tokens are `known`; all are read with the same adapter.
    """
    order = sorted(range(len(prompts)), key=lambda place: prompts[place])
    common = [common_beginning(prompts[one], prompts[other]) for one, other in itertools.pairwise(order)]
    most, found = WORTH, None
    for place, length in enumerate(common):
        # those that share so much are neighbours in sorted order
        others = 1 + _at_least(length, common[place + 1 :]) + _at_least(length, reversed(common[:place]))
        saved = others * (length - known[order[place]])
        if saved > most:
            most, found = saved, (order[place], length)
    return found


def _at_least(length: int, common: Iterable[int]) -> int:
    return sum(1 for _ in itertools.takewhile(lambda size: size >= length, common))
