"""An entry of the review file: a proposed row, what it was made from, its status, and who made it.

An entry is a line of JSON that a person can read, compare and edit.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal

from ftrun.augment.row_texts import Fields, RowTexts
from ftrun.data.types import Mark, marked
from ftrun.files import digest

Status = Literal["pending", "approved", "rejected"]
STATUSES: tuple[Status, ...] = ("pending", "approved", "rejected")
KINDS = ("paraphrase", "new", "failure")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """A row that an entry was made from: its file, line and digest."""

    file: str
    line: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewEntry:
    """One proposed row. `old` and `new` are its texts, `rest` its other values.

    `made` says who made it, with what and when; for a failure, `old` has the wrong answer, and `note` says
    why it is wrong.
    """

    id: str
    status: Status
    kind: str
    old: Fields
    new: Fields
    rest: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""
    origin: tuple[SourceRow, ...] = ()
    made: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> str:
        """Return a digest that shows whether somebody has changed the entry in the meantime."""
        return digest([self.status, dict(self.new)])[:16]

    def line(self) -> str:
        """Return the entry as a line of the review file, status first."""
        values = asdict(self)
        order = ("status", "id", "kind", "old", "new", "rest", "note", "origin", "made")
        kept = {name: values[name] for name in order if values[name] not in ("", {}, ())}
        return json.dumps(kept, ensure_ascii=False)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> ReviewEntry:
        """Return the entry of a line's values; TypeError or ValueError if it is not one."""
        if not isinstance(values, dict):
            raise ValueError("it is not a JSON object")
        if extra := set(values) - {one.name for one in fields(cls)}:
            raise ValueError(f"the key {sorted(extra)[0]!r} is unknown")
        if missing := [name for name in ("status", "id", "kind", "old", "new") if name not in values]:
            raise ValueError(f"the key {missing[0]!r} is missing")
        origin = tuple(SourceRow(**one) for one in values.get("origin", ()))
        entry = cls(**{**values, "origin": origin})
        if entry.status not in STATUSES:
            raise ValueError(f"the status {entry.status!r} is not one of: {', '.join(STATUSES)}")
        mappings = isinstance(entry.rest, dict) and isinstance(entry.made, dict)
        if entry.kind not in KINDS or not isinstance(entry.id, str) or not mappings:
            raise ValueError("`kind`, `id`, `rest` or `made` is not as ftrun writes it")
        for texts in (entry.old, entry.new):
            if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
                raise ValueError("`old` and `new` hold texts by name")
        return entry

    def row(self, row_texts: RowTexts) -> dict[str, Any]:
        """Return the row for the training file, with its mark."""
        # without its origin it is unknown whether the row that it rewords is held out: it stays out
        origin = self.origin[0].digest if self.origin else ""
        seed = origin if self.kind == "paraphrase" else None
        return marked(row_texts.row(self.rest, self.new), Mark(self.id, seed))


def entry_id(*parts: Any) -> str:
    """Return a stable id of the parts."""
    return digest(list(parts))[:8]


def counts(entries: Sequence[ReviewEntry]) -> dict[str, int]:
    """Return how many entries there are of each status."""
    return {status: sum(entry.status == status for entry in entries) for status in STATUSES}
