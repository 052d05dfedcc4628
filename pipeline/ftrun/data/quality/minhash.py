"""Finding examples that are nearly the same: MinHash over character 4-grams, bands, then a close look.

Common grams (a template, a persona's turn of phrase) do not count. Two examples are near when question and
answer together are alike by NEAR, each of them by NEAR_EACH, and they have the same numbers in them.
Per example 128 bytes are kept, 100 more while a band is looked through, and the texts of those that look
alike. One core does two to four thousand examples of a kilobyte a second; of a longer text the first and last
500 characters of question and of answer count. Nothing is left to chance: the same data give the same pairs.
"""

from __future__ import annotations

import functools
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from ftrun.data.quality.ngrams import grams, likeness, numbers

NEAR, NEAR_EACH = 0.8, 0.6
FEWEST_GRAMS = 12  # that are not common: less says too little
BINS, BANDS, ROWS = 64, 16, 4
SHIFT = 58  # the six upper bits say which of 64 bins
MASK = (1 << 64) - 1
FACTOR = 0x9E3779B97F4A7C15  # odd: a permutation of the numbers below 2 ** 64
EMPTY = 1 << 64
# an empty bin borrows of another one, in an order of its own
DONORS = [[(bin_ * 37 + step * 27 + 11) % BINS for step in range(BINS)] for bin_ in range(BINS)]
TEMPLATE = 400  # examples of which the common grams are learned
COMMON = 0.2  # share of examples that have a common gram
FEWEST_COMMON = 5
EARLIER = 4  # earlier ones with the same band that an example is compared with
MOST_PAIRS = 2_000_000
KEPT_SETS = 512  # of grams, while pairs are compared
Texts = tuple[str, str]  # of an example, as `grams.compared` gives them
Read = Callable[[Iterable[int]], Iterator[Texts]]  # the texts of ascending indices


def near_among(indices: list[int], texts: list[Texts]) -> list[tuple[int, int]]:
    """Return (later, earlier) of near examples whose texts are at hand, in order."""
    text_of = dict(zip(indices, texts, strict=True))
    return near_pairs(indices, lambda wanted: map(text_of.__getitem__, wanted))


def near_pairs(indices: list[int], read: Read) -> list[tuple[int, int]]:
    """Return (later, earlier) of near examples among `indices` (ascending), in order."""
    common = _common_grams(read(indices[:: max(1, len(indices) // TEMPLATE)]))
    bands = [array("Q") for _ in range(BANDS)]
    mine = array("I")
    for index, texts in zip(indices, read(indices), strict=True):
        found = _own_grams(*texts, common)
        if len(found) >= FEWEST_GRAMS:
            mine.append(index)
            for band, key in zip(bands, _keys(_signature(found)), strict=True):
                band.append(key)
    return _verified(_candidates(bands, mine), common, read)


def _common_grams(examples: Iterable[Texts]) -> frozenset[int]:
    times: Counter[int] = Counter()
    count = 0
    for texts in examples:
        count += 1
        times.update(grams("".join(texts)))
    least = max(FEWEST_COMMON, COMMON * count)
    return frozenset(gram for gram, seen in times.items() if seen >= least)


def _own_grams(question: str, answer: str, common: frozenset[int]) -> set[int]:
    return grams(question + answer) - common


def _signature(found: set[int]) -> list[int]:
    """Return the least mixed gram of each bin; the bins without one borrow (one-permutation MinHash)."""
    bins = [EMPTY] * BINS
    for gram in found:
        mixed = gram * FACTOR & MASK
        bin_ = mixed >> SHIFT
        if mixed < bins[bin_]:
            bins[bin_] = mixed
    if EMPTY not in bins:
        return bins
    return [
        value if value != EMPTY else next(bins[one] for one in DONORS[bin_] if bins[one] != EMPTY)
        for bin_, value in enumerate(bins)
    ]


def _keys(signature: list[int]) -> Iterator[int]:
    """Yield a number for each band; equal bands have equal ones."""
    for start in range(0, BINS, ROWS):
        yield hash(tuple(signature[start : start + ROWS])) & MASK


def _candidates(bands: list[array[int]], mine: array[int]) -> list[tuple[int, int]]:
    """Return the (later, earlier) that share a band, each with a few earlier ones."""
    pairs: set[tuple[int, int]] = set()
    for band in bands:
        alike: dict[int, int | list[int]] = {}
        for position, key in enumerate(band):
            before = alike.setdefault(key, position)
            if before == position:
                continue
            members = before if isinstance(before, list) else [before]
            pairs.update((position, one) for one in members)
            if len(members) < EARLIER:
                alike[key] = [*members, position]
        if len(pairs) > MOST_PAIRS:
            break
    return sorted((mine[later], mine[earlier]) for later, earlier in pairs)


def _verified(pairs: list[tuple[int, int]], common: frozenset[int], read: Read) -> list[tuple[int, int]]:
    wanted = sorted({index for pair in pairs for index in pair})
    texts = dict(zip(wanted, read(wanted), strict=True))
    numbers_of = {index: numbers("".join(texts[index])) for index in wanted}

    @functools.lru_cache(maxsize=KEPT_SETS)
    def own(index: int) -> set[int]:
        return _own_grams(*texts[index], common)

    def near(later: int, earlier: int) -> bool:
        one, other = texts[later], texts[earlier]
        return (
            numbers_of[later] == numbers_of[earlier]  # first: it takes the least time
            and likeness(own(later), own(earlier)) >= NEAR
            and all(_is_alike(mine, its, common) for mine, its in zip(one, other, strict=True))
        )

    return [pair for pair in pairs if near(*pair)]


def _is_alike(one: str, other: str, common: frozenset[int]) -> bool:
    mine, its = _own_grams(one, "", common), _own_grams(other, "", common)
    if min(len(mine), len(its)) < FEWEST_GRAMS:
        return one == other  # one word more may change all of a short text
    return likeness(mine, its) >= NEAR_EACH


def dropped(pairs: Iterable[tuple[int, int]]) -> set[int]:
    """Return the later ones of near pairs whose earlier one stays."""
    gone: set[int] = set()
    for later, earlier in sorted(pairs):
        if earlier not in gone:
            gone.add(later)
    return gone
