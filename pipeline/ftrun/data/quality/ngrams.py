"""Character n-grams of texts as whole numbers, quick to make, and how alike sets of them are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from ftrun.data.quality.last_turn import last_turn
from ftrun.protocol.faults import Example
from ftrun.protocol.texts import dialogue

SIZE = 4  # characters of a gram: 8 bytes in UTF-16
EDGE = 500  # characters of each end of a text that are compared
NO_LETTER = re.compile(r"[\W_]+")
DIGITS = re.compile(r"\d+")


def compared(example: Example) -> tuple[str, str]:
    """Return what is compared: all that is said but system prompts and the last answer; and that answer."""
    turn = last_turn(example)
    if turn is None:
        return letters("\n".join(text for role, text in dialogue(example) if role != "system")), ""
    said = "\n".join(text for role, text in turn.before if role not in ("system", "developer"))
    return letters(f"{said}\n{turn.question}"), letters(turn.answer)


def letters(text: str) -> str:
    """Return the letters and digits of a text in one case; of a long text those of both its ends."""
    if len(text) > 4 * EDGE:
        text = text[: 2 * EDGE] + text[-2 * EDGE :]
    bare = NO_LETTER.sub("", text.casefold())
    return bare if len(bare) <= 2 * EDGE else bare[:EDGE] + bare[-EDGE:]


def grams(text: str) -> set[int]:
    """Return the n-grams of a text of letters, each as the number that its UTF-16 code units make."""
    units = text.encode("utf-16-le", "surrogatepass")
    view, found = memoryview(units), set[int]()
    for offset in range(0, 2 * SIZE, 2):
        end = offset + (len(units) - offset) // 8 * 8
        if end > offset:
            found.update(view[offset:end].cast("Q"))
    return found


def numbers(text: str) -> list[str]:
    """Return the numbers in a text, sorted: texts that are alike but for these are different."""
    return sorted(DIGITS.findall(text))


def likeness(one: set[int], other: set[int]) -> float:
    """Return Jaccard's index: the share of the common ones in all; 1 for two empty sets."""
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
