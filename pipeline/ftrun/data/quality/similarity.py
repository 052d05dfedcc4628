"""How alike texts are, and which of many examples are nearly the same.

Texts are compared by their character 4-grams. Near examples are found by MinHash: bands that are equal give
candidates, which are then compared exactly. Grams that many examples have (a template, a persona's phrase) do
not count. Two examples are near when question and answer together are alike by NEAR, each of them by
NEAR_EACH, the same numbers are in them, and the words in which they differ say nothing else (`sameness`):
rows of one template that differ in what they ask about are different.

Per example 128 bytes are kept, 100 more while a band is searched, and the texts of the candidates. One core
searches two to four thousand examples of a kilobyte per second; of a longer text the first and last 500
characters of question and answer count. There is no randomness: the same data gives the same pairs.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from ftrun.data.quality.corpus import last_turn, unsaid
from ftrun.data.wording.sameness import CUT, Sameness, sameness
from ftrun.protocol.faults import Example
from ftrun.protocol.spec import SYSTEM_ROLES
from ftrun.protocol.texts import dialogue

SIZE = 4  # characters of a gram: 8 bytes in UTF-16
EDGE = 500  # characters of each end of a text that are compared
NO_LETTER = re.compile(r"[\W_]+")
DIGITS = re.compile(r"\d+")
OTHER_WIDTH = re.compile("[\uff10-\uffdc]")
NEAR, NEAR_EACH = 0.8, 0.6
FEWEST_GRAMS = 12  # that are not common: fewer say too little
BINS, BANDS, ROWS = 64, 16, 4
SHIFT = 58  # the six upper bits choose one of 64 bins
MASK = (1 << 64) - 1
FACTOR = 0x9E3779B97F4A7C15  # odd: a permutation of the numbers below 2 ** 64
EMPTY = 1 << 64
# an empty bin borrows from another one, in an order of its own
DONORS = [[(bin_ * 37 + step * 27 + 11) % BINS for step in range(BINS)] for bin_ in range(BINS)]
TEMPLATE = 400  # examples from which the common grams are learned
COMMON, FEWEST_COMMON = 0.2, 5  # share of examples that have a common gram, and how many at least
EARLIER = 4  # earlier examples with the same band that an example is compared with
MOST_PAIRS = 2_000_000
KEPT_SETS = 512  # of grams, while pairs are compared
Texts = tuple[str, str]  # of an example, as `compared` returns them
Read = Callable[[Iterable[int]], Iterator[Texts]]  # the texts of ascending indices


def compared(example: Example, *, shown: bool = True) -> Texts:
    """Return what is compared: everything said except system prompts and the last answer; and that answer.

    Of long texts both ends. With `shown`, what is not text (images, calls) is represented by a hash.
    """
    turn, other = last_turn(example), unsaid(example) if shown else []
    if turn is None:
        said = [text for role, text in dialogue(example) if role != "system"]
        return ends("\n".join([*said, *other])), ""
    before = [text for role, text in turn.before if role not in SYSTEM_ROLES]
    return ends("\n".join([*before, *other, turn.question])), ends(turn.answer)


def ends(text: str) -> str:
    """Return a text, or both ends of a long one with a sign between them."""
    return _cut(text, CUT)


def letters(text: str) -> str:
    """Return the letters and digits of a text in one case and width; of a long text those of its ends."""
    bare = _bare(text)
    return _bare(unicodedata.normalize("NFKC", bare)) if OTHER_WIDTH.search(bare) else bare


def _bare(text: str) -> str:
    bare = NO_LETTER.sub("", _cut(text, "").casefold())
    return bare if len(bare) <= 2 * EDGE else bare[:EDGE] + bare[-EDGE:]


def _cut(text: str, sign: str) -> str:
    return text if len(text) <= 4 * EDGE else f"{text[: 2 * EDGE]}{sign}{text[-2 * EDGE :]}"


def all_letters(texts: Texts) -> str:
    """Return the letters of a question and its answer."""
    return "".join(map(letters, texts))


def grams(text: str) -> set[int]:
    """Return the 4-grams of a text of letters, each as the number that its UTF-16 code units make."""
    units = text.encode("utf-16-le", "surrogatepass")
    view, found = memoryview(units), set[int]()
    for offset in range(0, 2 * SIZE, 2):
        end = offset + (len(units) - offset) // 8 * 8
        if end > offset:
            found.update(view[offset:end].cast("Q"))
    return found


def numbers(text: str) -> list[str]:
    """Return the numbers in a text, sorted: texts that differ only in these are different."""
    return sorted(DIGITS.findall(text))


def likeness(one: set[int], other: set[int]) -> float:
    """Return the Jaccard index: the share of common elements in all; 1 for two empty sets."""
    common = len(one & other)
    return common / (len(one) + len(other) - common) if one or other else 1.0


class GramIndex:
    """Texts by their n-grams, to find those that are like another; a text of few n-grams is never found."""

    def __init__(self, fewest: int) -> None:
        self._fewest = fewest
        self._grams: list[set[int]] = []
        self._having: dict[int, list[int]] = {}

    def add(self, found: set[int]) -> None:
        """Add the next text, by its n-grams."""
        number = len(self._grams)
        self._grams.append(found)
        for gram in found if len(found) >= self._fewest else ():
            self._having.setdefault(gram, []).append(number)

    def like(self, found: set[int], least: float) -> Iterator[int]:
        """Yield the number of each text whose likeness to the n-grams `found` is `least` or more."""
        shared = Counter(number for gram in found & self._having.keys() for number in self._having[gram])
        for number, common in shared.items():
            # the quick test first: the likeness is at most the share of the common n-grams in either text
            if common >= least * len(self._grams[number]) and likeness(found, self._grams[number]) >= least:
                yield number


def near_among(indices: list[int], texts: list[Texts]) -> list[tuple[int, int]]:
    """Return (later, earlier) of near examples whose texts are given, in order."""
    text_of = dict(zip(indices, texts, strict=True))
    return near_pairs(indices, lambda wanted: map(text_of.__getitem__, wanted))


def letters_alone(example: Example) -> Texts:
    """Return what the first way of comparing compared: letters without regard to width, images or calls."""
    question, answer = compared(example, shown=False)
    return _bare(question.replace(CUT, "")), _bare(answer.replace(CUT, ""))


def near_pairs(indices: list[int], read: Read, *, by_letters: bool = False) -> list[tuple[int, int]]:
    """Return (later, earlier) of near examples among `indices` (ascending), in order.

    `by_letters`: as the first way did, of what `letters_alone` returns; rows of one template were near.
    """
    times: Counter[int] = Counter()
    template = indices[:: max(1, len(indices) // TEMPLATE)]
    for texts in read(template):
        times.update(grams(all_letters(texts)))
    least = max(FEWEST_COMMON, COMMON * len(template))
    common = frozenset(gram for gram, seen in times.items() if seen >= least)
    bands = [array("Q") for _ in range(BANDS)]
    in_bands = array("I")
    for index, texts in zip(indices, read(indices), strict=True):
        own = grams(all_letters(texts)) - common
        if len(own) >= FEWEST_GRAMS:
            in_bands.append(index)
            for band, key in zip(bands, _band_keys(own), strict=True):
                band.append(key)
    return _verified(_candidates(bands, in_bands), common, read, by_letters)


def _band_keys(found: set[int]) -> Iterator[int]:
    """Yield the key of each band: equal for equal parts of the signature.

    The signature has the least mixed gram of each bin; empty bins borrow (one-permutation MinHash).
    """
    bins = [EMPTY] * BINS
    for gram in found:
        mixed = gram * FACTOR & MASK
        bin_ = mixed >> SHIFT
        if mixed < bins[bin_]:
            bins[bin_] = mixed
    if EMPTY in bins:
        bins = [
            value if value != EMPTY else next(bins[one] for one in DONORS[bin_] if bins[one] != EMPTY)
            for bin_, value in enumerate(bins)
        ]
    for start in range(0, BINS, ROWS):
        yield hash(tuple(bins[start : start + ROWS])) & MASK


def _candidates(bands: list[array[int]], in_bands: array[int]) -> list[tuple[int, int]]:
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
    return sorted((in_bands[later], in_bands[earlier]) for later, earlier in pairs)


def _verified(
    pairs: list[tuple[int, int]], common: frozenset[int], read: Read, by_letters: bool
) -> list[tuple[int, int]]:
    wanted = sorted({index for pair in pairs for index in pair})
    texts = dict(zip(wanted, read(wanted), strict=True))
    plain = str if by_letters else letters
    bare = {index: (plain(question), plain(answer)) for index, (question, answer) in texts.items()}
    numbers_of = {index: numbers("".join(bare[index])) for index in wanted}

    @functools.lru_cache(maxsize=KEPT_SETS)
    def own(index: int) -> set[int]:
        return grams("".join(bare[index])) - common

    def alike(one: str, other: str) -> bool:
        sets = grams(one) - common, grams(other) - common
        if min(map(len, sets)) < FEWEST_GRAMS:
            # a single word can change all of a short text: `sameness` decides
            return not by_letters or one == other
        return likeness(*sets) >= NEAR_EACH

    def near(later: int, earlier: int) -> bool:
        return (
            numbers_of[later] == numbers_of[earlier]  # first: it takes the least time
            and likeness(own(later), own(earlier)) >= NEAR
            and all(map(alike, bare[later], bare[earlier]))
        )

    similar = [pair for pair in pairs if near(*pair)]
    return similar if by_letters else _the_same_again(similar, texts)


def _the_same_again(pairs: list[tuple[int, int]], texts: Mapping[int, Texts]) -> list[tuple[int, int]]:
    """Return those of similar pairs that say the same.

    Another ordinary word in a long question is only another wording if the answer is the same, and no third
    row has yet another one: then it is what the rows of a template differ in.
    """
    same, reworded = set[tuple[int, int]](), list[tuple[int, int]]()
    for later, earlier in pairs:
        asked, answered = map(sameness, texts[later], texts[earlier])
        if asked is Sameness.SAME and answered is not Sameness.DIFFERENT:
            same.add((later, earlier))
        elif asked is Sameness.REWORDED and answered is Sameness.SAME:
            reworded.append((later, earlier))
    wordings = Counter(index for pair in pairs if pair not in same for index in pair)
    alone = {
        pair
        for pair in reworded
        if max(map(wordings.__getitem__, pair)) == 1 and _is_whole(texts[pair[0]][1])
    }
    return [pair for pair in pairs if pair in same or pair in alone]


def _is_whole(answer: str) -> bool:
    """Return whether an answer is more than a label, which many different questions have."""
    return len(grams(letters(answer))) >= FEWEST_GRAMS


def dropped(pairs: Iterable[tuple[int, int]]) -> set[int]:
    """Return the later ones of near pairs whose earlier one is kept."""
    gone: set[int] = set()
    for later, earlier in sorted(pairs):
        if earlier not in gone:
            gone.add(later)
    return gone
