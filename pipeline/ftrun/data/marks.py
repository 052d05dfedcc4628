"""Owns the mark of a generated row: the key that says what made it, and the digest of the row it rewords.

The mark is taken off where a row is read: templates, checks and training files never see it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

MARK = "_ftrun"


class Mark(NamedTuple):
    """What a generated row says of itself. `seed`: digest of the row that it rewords; None: of no row."""

    id: str
    seed: str | None


def marked(values: Mapping[str, Any], mark: Mark) -> dict[str, Any]:
    """Return a row with its mark."""
    return {**values, MARK: mark._asdict()}


def take_mark(values: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mark | None]:
    """Return a row without its mark, and the mark; one that can't be read belongs to no row there is."""
    if MARK not in values:
        return values, None
    rest = {name: value for name, value in values.items() if name != MARK}
    found = values[MARK]
    if not isinstance(found, Mapping):
        return rest, Mark("", "")
    seed = found.get("seed", "")
    return rest, Mark(str(found.get("id", "")), None if seed is None else str(seed))


def row_digest(values: Mapping[str, Any]) -> str:
    """Return 32 hex digits that are equal for rows of equal values, whatever the order of their columns."""
    text = json.dumps(values, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).hexdigest()
