"""Whether a question is new: neither known nor nearly so.

A question is the same in any width, case, spacing and punctuation. It is nearly the same by its character
4-grams, among the first MOST_NEAR questions; a short one, in which a word changes everything, never is.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from ftrun.data.quality.similarity import FEWEST_GRAMS, NEAR, GramIndex, grams, letters, numbers

MOST_NEAR = 20_000


class KnownQuestions:
    """The questions that the data and the eval prompts have."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()
        self._texts: list[str] = []  # only their letters, of the first MOST_NEAR

    def add(self, text: str) -> bool:
        """Add a question, and return whether it is new."""
        key = _key(text)
        if key in self._keys:
            return False
        self._keys.add(key)
        return True

    def know(self, text: str) -> None:
        """Add a known question, for `near` too."""
        if self.add(text) and len(self._texts) < MOST_NEAR:
            self._texts.append(letters(text))

    def know_asked(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Add the last question of a conversation, if it is text."""
        asked = [one.get("content") for one in messages if one.get("role") == "user"]
        if asked and isinstance(asked[-1], str):
            self.know(asked[-1])

    def near(self, texts: Sequence[str]) -> set[int]:
        """Return which of `texts` nearly repeat a known question, or an earlier one of them."""
        new = [letters(text) for text in texts]
        own = [grams(text) for text in new]
        if all(len(found) < FEWEST_GRAMS for found in own):
            return set()
        index = GramIndex(FEWEST_GRAMS)
        for found in own:
            index.add(found)

        def alike(text: str, found: set[int]) -> Iterator[int]:
            return (one for one in index.like(found, NEAR) if numbers(text) == numbers(new[one]))

        near = {one for text in self._texts for one in alike(text, grams(text))}
        for number, text in enumerate(new):
            if number not in near:
                near.update(later for later in alike(text, own[number]) if later > number)
        return near


def _key(text: str) -> bytes:
    """Return a hash of the letters and digits of `text` in one width and case."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = "".join(character for character in folded if unicodedata.category(character)[0] in "LNMS")
    return hashlib.blake2b((plain or text).encode(errors="surrogatepass"), digest_size=8).digest()
