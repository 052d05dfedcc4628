"""Owns how examples are divided: a seeded hash of the content ranks them, so added rows move few."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from fractions import Fraction

Share = int | float


def rank(digest: bytes, seed: int) -> int:
    """Return the place of an example in the seeded order: 64 bits, the same wherever the example stands."""
    return int.from_bytes(hashlib.blake2b(digest, digest_size=8, key=str(seed).encode()[:64]).digest())


def part_size(share: Share, examples: int) -> int:
    """Return how many of `examples` a share (below 1) or count is: round half up, at least one above 0."""
    if share >= 1 or share == 0:
        return int(share)
    exact = Fraction(str(share)) * examples  # 0.145 of 100 is 14.5, which binary fractions miss
    return max(1, int(exact + Fraction(1, 2)))


def divide(ranks: Sequence[int], validation: int, test: int) -> tuple[list[int], list[int]]:
    """Return the indices of the validation and of the test examples, from either end of the ranking."""
    order = sorted(range(len(ranks)), key=ranks.__getitem__)
    return order[:validation], order[len(order) - test :]
