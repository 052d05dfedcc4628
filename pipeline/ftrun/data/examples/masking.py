"""Replacing personal data and secrets in examples before anything else is done with them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ftrun.data.quality.pii import mask, masked_kinds
from ftrun.data.quality.scan import may_expose
from ftrun.protocol.texts import contents


class Masker:
    """Replaces the kinds that `data.pii` masks by their tokens, and counts them."""

    def __init__(self, pii: Mapping[str, str] | str | None) -> None:
        self._kinds = masked_kinds(pii)
        self.counts: Counter[str] = Counter()

    def masked(self, example: dict[str, Any]) -> dict[str, Any]:
        """Return the example with tokens in place of what is masked."""
        if not self._kinds:
            return example
        joined = "\n".join(contents(example))
        raw = joined.encode("utf-8", "surrogatepass")
        # full-width digits are not ASCII: only a closer look finds them
        if raw.isascii() and not may_expose(raw):
            return example
        replaced: dict[str, Any] = mask(example, self._kinds, self.counts)
        return replaced

    def drain(self) -> Counter[str]:
        """Return what was replaced so far, by kind, and start again."""
        counts, self.counts = self.counts, Counter()
        return counts
