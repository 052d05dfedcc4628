"""Telling whether a question is there already, or nearly so.

Exactly: whatever its width, case, spaces and punctuation. Nearly: by its character 4-grams, among the first
MOST_NEAR questions; a short one, of which a word more changes all, only exactly.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ftrun.data.quality.similarity import FEWEST_GRAMS, NEAR, grams, letters, likeness, numbers

MOST_NEAR = 20_000


class Questions:
    """The questions that are there."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()
        self._texts: list[str] = []  # letters alone, of the first ones

    def add(self, text: str) -> bool:
        """Take a question in that may repeat another exactly; tell whether it is new."""
        key = _key(text)
        if key in self._keys:
            return False
        self._keys.add(key)
        return True

    def know(self, text: str) -> None:
        """Take a question in that is there, also for `near`."""
        if self.add(text) and len(self._texts) < MOST_NEAR:
            self._texts.append(letters(text))

    def know_asked(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Take in the last question of a conversation, if it is a text."""
        asked = [one.get("content") for one in messages if one.get("role") == "user"]
        if asked and isinstance(asked[-1], str):
            self.know(asked[-1])

    def near(self, texts: Sequence[str]) -> set[int]:
        """Return which of `texts` are nearly a known question, or nearly an earlier one of them."""
        new = [letters(text) for text in texts]
        own = [grams(text) for text in new]
        places: dict[int, list[int]] = {}
        for index, found in enumerate(own):
            for gram in found if len(found) >= FEWEST_GRAMS else ():
                places.setdefault(gram, []).append(index)
        near: set[int] = set()
        for text in self._texts if places else ():
            near.update(_alike(text, grams(text), new, own, places))
        for index, text in enumerate(new):
            if index not in near:
                near.update(later for later in _alike(text, own[index], new, own, places) if later > index)
        return near


def _alike(
    text: str,
    its: set[int],
    new: Sequence[str],
    own: Sequence[set[int]],
    places: Mapping[int, Sequence[int]],
) -> Iterable[int]:
    """Yield the indices of new texts that are nearly `text`, whose grams are `its`."""
    shared = Counter(index for gram in its & places.keys() for index in places[gram])
    for index, common in shared.items():
        close = common >= NEAR * len(own[index]) and likeness(its, own[index]) >= NEAR
        if close and numbers(text) == numbers(new[index]):
            yield index


def plain(text: str) -> str:
    """Return the letters and digits of `text` in one width and case."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if unicodedata.category(character)[0] in "LNMS")


def _key(text: str) -> bytes:
    return hashlib.blake2b((plain(text) or text).encode(errors="surrogatepass"), digest_size=8).digest()
