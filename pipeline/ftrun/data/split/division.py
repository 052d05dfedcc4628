"""Dividing examples: a seeded hash of their content ranks them, so that added rows move few others.

Stratified, each split has the values of a column in the proportions of the whole; grouped, all rows of a
group have the same rank and stay together. Rows and files are unknown here: `keys` gives ranks and strata.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

Share = int | float
TRAIN, VALIDATION, TEST = range(3)  # indices into types.ROLES


def ranking(seed: int) -> Callable[[bytes], int]:
    """Return a function that gives an example's rank (64 bits) in the seeded order, by its digest."""
    seeded = hashlib.blake2b(digest_size=8, key=str(seed).encode()[:64])

    def rank(digest: bytes) -> int:
        state = seeded.copy()
        state.update(digest)
        return int.from_bytes(state.digest())

    return rank


def part_size(share: Share, examples: int) -> int:
    """Return how many of `examples` a share (below 1) or count means: rounded half up, 0 only for 0."""
    if share >= 1 or share == 0:
        return int(share)
    exact = Fraction(str(share)) * examples  # 0.145 of 100 is 14.5, which binary fractions miss
    return max(1, int(exact + Fraction(1, 2)))


def divide(
    ranks: Sequence[int],
    validation: int,
    test: int,
    *,
    strata: Sequence[int] | None = None,
    grouped: bool = False,
) -> bytearray:
    """Return the split (TRAIN, VALIDATION, TEST) of each example; there are enough for both sizes.

    Validation is taken from the low end of the ranking, test from the high end. `strata` has a number for
    each example's value; `grouped`: examples of one rank stay together, so sizes are met approximately.
    """
    parts = bytearray(len(ranks))
    if grouped:
        _divide_groups(parts, ranks, strata, (validation, test))
        return parts
    members: dict[int, list[int]] = {0: [*range(len(ranks))]} if strata is None else {}
    for index, stratum in enumerate(strata or ()):
        members.setdefault(stratum, []).append(index)
    sizes = {stratum: len(indices) for stratum, indices in members.items()}
    lows = allot(sizes, validation)
    highs = allot(sizes, test, taken=lows)
    for stratum, indices in members.items():
        ranked = sorted(indices, key=ranks.__getitem__)  # stable: of equal ranks the first comes first
        for index in ranked[: lows[stratum]]:
            parts[index] = VALIDATION
        for index in ranked[len(ranked) - highs[stratum] :]:
            parts[index] = TEST
    return parts


def allot(sizes: Mapping[int, int], wanted: int, *, taken: Mapping[int, int] | None = None) -> dict[int, int]:
    """Return how many of each stratum make up `wanted`: in proportion, the largest remainders rounded up.

    `taken` are no longer available. Each stratum keeps one for training as long as others can give.
    """
    total = sum(sizes.values())
    left = {stratum: size - (taken[stratum] if taken else 0) for stratum, size in sizes.items()}
    given = {stratum: min(left[stratum], wanted * size // total) for stratum, size in sizes.items()}
    order = sorted(sizes, key=lambda stratum: (-(wanted * sizes[stratum] % total), stratum))
    missing = wanted - sum(given.values())
    for kept in (1, 0):
        while missing and (able := [one for one in order if given[one] + kept < left[one]]):
            for stratum in able[:missing]:
                given[stratum] += 1
            missing -= len(able[:missing])
    return given


def _divide_groups(
    parts: bytearray, ranks: Sequence[int], strata: Sequence[int] | None, wanted: tuple[int, int]
) -> None:
    sizes = Counter(ranks)
    kinds = dict.fromkeys(sizes, 0) if strata is None else _usual_strata(ranks, strata)
    rows: Counter[int] = Counter()
    for group, size in sizes.items():
        rows[kinds[group]] += size
    chosen: dict[int, int] = {}
    for part, number in ((VALIDATION, wanted[0]), (TEST, wanted[1])):
        order = [group for group in sorted(sizes, reverse=part == TEST) if group not in chosen]
        picked = _pick(order, sizes, kinds, allot(rows, number)) if number else []
        if number and not picked and order:  # each has over twice the size asked for
            picked = [min(order, key=sizes.__getitem__)]
        chosen |= dict.fromkeys(picked, part)
    for index, group in enumerate(ranks):
        parts[index] = chosen.get(group, TRAIN)


def _pick(
    order: Sequence[int], sizes: Mapping[int, int], kinds: Mapping[int, int], wanted: dict[int, int]
) -> list[int]:
    """Return the groups, in order, that bring the size of their stratum closer to what is `wanted`."""
    picked = []
    for group in order:
        kind, size = kinds[group], sizes[group]
        if size < 2 * wanted[kind]:
            picked.append(group)
            wanted[kind] -= size
    return picked


def _usual_strata(ranks: Sequence[int], strata: Sequence[int]) -> dict[int, int]:
    """Return the stratum of most examples of each group."""
    times = Counter(zip(ranks, strata, strict=True))
    usual: dict[int, tuple[int, int]] = {}
    for (group, stratum), count in times.items():
        usual[group] = max(usual.get(group, (0, 0)), (count, stratum))
    return {group: stratum for group, (_, stratum) in usual.items()}
