"""Owns telling whether a question is there already, whatever its width, case, spaces and punctuation."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any


class Questions:
    """The questions that are there."""

    def __init__(self) -> None:
        self._keys: set[bytes] = set()

    def add(self, text: str) -> bool:
        """Take a question in; tell whether it is new."""
        key = _key(text)
        if key in self._keys:
            return False
        self._keys.add(key)
        return True

    def add_asked(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Take in the last question of a conversation, if it is a text."""
        asked = [one.get("content") for one in messages if one.get("role") == "user"]
        if asked and isinstance(asked[-1], str):
            self.add(asked[-1])


def plain(text: str) -> str:
    """Return the letters and digits of `text` in one width and case."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return "".join(character for character in folded if unicodedata.category(character)[0] in "LNMS")


def _key(text: str) -> bytes:
    return hashlib.blake2b((plain(text) or text).encode(errors="surrogatepass"), digest_size=8).digest()
