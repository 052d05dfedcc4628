"""Owns how names of columns are compared: without case, width, spaces and punctuation."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping


def known(plain: Mapping[str, str], names: str, *taken: str | None) -> str | None:
    """Return the column that has the first of `names` (as `plain_name` spells them) that is there.

    `plain` gives each column's plain name; those that are `taken` are left alone.
    """
    found = (column for name in names.split() for column, spelled in plain.items() if spelled == name)
    return next((column for column in found if column not in taken), None)


def plain_name(name: str) -> str:
    """Return `name` without case, width, spaces and punctuation: `Ｑ．` and `q` are one name."""
    text = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in text if character.isalpha() or character == "ー")
