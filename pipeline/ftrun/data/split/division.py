"""How examples are divided: a seeded hash of the content ranks them, so added rows move few.

Stratified, each part has the values of a column in the proportions of the whole; grouped, all rows of a group
have one rank and stay together. Knows nothing of rows or files; `split_keys` gives ranks and strata.
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction

Share = int | float
TRAIN, VALIDATION, TEST = range(3)  # indices into SPLITS
HIGHEST = (1 << 64) - 1
FEW = 5000  # ranks that are quicker sorted


def ranking(seed: int) -> Callable[[bytes], int]:
    """Return what gives an example, by its digest, its place in the seeded order.

    The place is 64 bits, the same wherever the example stands.
    """
    seeded = hashlib.blake2b(digest_size=8, key=str(seed).encode()[:64])

    def rank(digest: bytes) -> int:
        state = seeded.copy()
        state.update(digest)
        return int.from_bytes(state.digest())

    return rank


def part_size(share: Share, examples: int) -> int:
    """Return how many of `examples` a share (below 1) or count is: round half up, at least one above 0."""
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
    """Return the part (TRAIN, VALIDATION, TEST) of each example; the two sizes together fit in.

    Validation is taken from the low end of the ranking, test from the high end. `strata` has a number for
    each example's value; `grouped`: examples of one rank go together, sizes are met as near as it allows.
    """
    parts = bytearray(len(ranks))
    if grouped:
        _divide_groups(parts, ranks, strata, (validation, test))
        return parts
    members = {0: range(len(ranks))} if strata is None else _members(strata)
    sizes = {stratum: len(indices) for stratum, indices in members.items()}
    lows = allot(sizes, validation)
    highs = allot(sizes, test, taken=lows)
    for stratum, indices in members.items():
        for index in _first(ranks, indices, lows[stratum]):
            parts[index] = VALIDATION
        for index in _first(ranks, indices[::-1], highs[stratum], flip=HIGHEST):
            parts[index] = TEST
    return parts


def _first(ranks: Sequence[int], indices: Sequence[int], count: int, *, flip: int = 0) -> list[int]:
    """Return the `count` indices of the lowest ranks, of equal ones the first; with `flip` of the highest.

    Only ranks that share their first 16 bits with the last one are sorted: sorting all of half a million
    takes four times as long, and a heap ten times.
    """
    if len(indices) < FEW:
        return sorted(indices, key=lambda index: ranks[index] ^ flip)[:count]
    sizes = [0] * (1 << 16)
    for index in indices:
        sizes[(ranks[index] ^ flip) >> 48] += 1
    ends = list(itertools.accumulate(sizes))
    edge = bisect.bisect_left(ends, count)  # the bucket in which the last one is
    chosen = [index for index in indices if (ranks[index] ^ flip) >> 48 < edge]
    last = [index for index in indices if (ranks[index] ^ flip) >> 48 == edge]
    last.sort(key=lambda index: ranks[index] ^ flip)
    return [*chosen, *last[: count - len(chosen)]]


def allot(sizes: Mapping[int, int], wanted: int, *, taken: Mapping[int, int] | None = None) -> dict[int, int]:
    """Return how many of each stratum make up `wanted`: in proportion, the largest remainders rounded up.

    `taken` is gone already. As long as others can give, each stratum keeps one for training.
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


def _members(strata: Sequence[int]) -> dict[int, list[int]]:
    members: dict[int, list[int]] = {}
    for index, stratum in enumerate(strata):
        members.setdefault(stratum, []).append(index)
    return members


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
        if number and not picked and order:  # each is over twice the size asked for
            picked = [min(order, key=sizes.__getitem__)]
        chosen |= dict.fromkeys(picked, part)
    for index, group in enumerate(ranks):
        parts[index] = chosen.get(group, TRAIN)


def _pick(
    order: Sequence[int], sizes: Mapping[int, int], kinds: Mapping[int, int], wanted: dict[int, int]
) -> list[int]:
    """Return groups, in order, each of which brings its stratum's sum nearer to what is `wanted` of it."""
    picked = []
    for group in order:
        kind, size = kinds[group], sizes[group]
        if size < 2 * wanted[kind]:
            picked.append(group)
            wanted[kind] -= size
    return picked


def _usual_strata(ranks: Sequence[int], strata: Sequence[int]) -> dict[int, int]:
    """Return for each group the stratum of most of its examples."""
    times = Counter(zip(ranks, strata, strict=True))
    usual: dict[int, tuple[int, int]] = {}
    for (group, stratum), count in times.items():
        usual[group] = max(usual.get(group, (0, 0)), (count, stratum))
    return {group: stratum for group, (_, stratum) in usual.items()}
