"""The keys by which rows are divided: the rank of a row or of its group, and its stratum.

Both come from columns of the row as it was read, before the prompt turns it into an example.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from ftrun.data.diagnostics.findings import Findings
from ftrun.data.diagnostics.place import FilePlace
from ftrun.data.readers.rows import Row
from ftrun.data.readers.sources import Role
from ftrun.data.split.division import ranking
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of

NO_STRATUM = 0


class SplitKeys:
    """Gives each row its keys; adds missing columns to `findings`."""

    def __init__(self, experiment: Experiment, findings: Findings) -> None:
        split = experiment.data.split
        self._experiment, self._findings = experiment, findings
        self._rank = ranking(split.seed if split else 0)
        self._group_by = split.group_by if split else ()
        self._stratify_by = (split.stratify_by,) if split and split.stratify_by else ()
        self.stratified = bool(self._stratify_by)

    def rank_of(self, row: Row, digest: bytes, role: Role, place: FilePlace) -> int:
        """Return the rank of a row's group, or of the example itself if its row has no group.

        Generated rows are not divided and need no group.
        """
        columns = self._group_by if row.mark is None else ()
        values = self._values(row, "group_by", columns, role, place)
        return self._rank(digest if all(value in (None, "") for value in values) else _digest(values))

    def stratum_of(self, row: Row, role: Role, place: FilePlace) -> int:
        """Return a number of 64 bits for the row's value."""
        columns = self._stratify_by if row.mark is None else ()
        values = self._values(row, "stratify_by", columns, role, place)
        return int.from_bytes(_digest(values)[:8]) if values else NO_STRATUM

    def _values(self, row: Row, key: str, columns: Sequence[str], role: Role, place: FilePlace) -> list[Any]:
        for column in columns if role == "data" else ():  # files of their own are not divided
            if column not in row.values:
                self._add_missing(column, key, row, place)
        return [_plain(row.values.get(column)) for column in columns]

    def _add_missing(self, column: str, key: str, row: Row, place: FilePlace) -> None:
        import difflib  # only errors need it

        names = [str(name) for name in row.values]
        message = f"data.split.{key}: a row of {place.name} has no {column!r}; it has: {', '.join(names)}"
        near = difflib.get_close_matches(column, names, n=1)
        hint = f"Did you mean {near[0]!r}?" if near else None
        where = place_of(self._experiment, "data", "split", key)
        self._findings.add("split_column", message, hint=hint, once=True, **where)


def _plain(value: object) -> object:
    """Return a value such that 7 in a JSON file and "7" in a CSV file are equal."""
    if value is None or isinstance(value, (list, dict)):
        return value
    return str(value).strip()


def _digest(values: Sequence[Any]) -> bytes:
    text = json.dumps(values, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
