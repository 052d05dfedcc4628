"""The keys by which rows are divided: the rank of a row or of its group, and its stratum.

Both come from columns of the row as it was read, before the prompt turns it into an example.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftrun.data.diagnostics.findings import FilePlace
from ftrun.data.readers.sources import Role
from ftrun.data.split.division import ranking
from ftrun.data.types import Row, row_digest
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of
from ftrun.protocol.faults import nearest

NO_STRATUM = 0


class SplitKeys:
    """Gives each row its keys; missing columns are problems."""

    def __init__(self, experiment: Experiment) -> None:
        split = experiment.data.split
        self._experiment = experiment
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
        has_group = any(value not in (None, "") for value in values)
        return self._rank(bytes.fromhex(row_digest(values)) if has_group else digest)

    def stratum_of(self, row: Row, role: Role, place: FilePlace) -> int:
        """Return a number of 64 bits for the row's value."""
        columns = self._stratify_by if row.mark is None else ()
        values = self._values(row, "stratify_by", columns, role, place)
        return int(row_digest(values)[:16], 16) if values else NO_STRATUM

    def _values(self, row: Row, key: str, columns: Sequence[str], role: Role, place: FilePlace) -> list[Any]:
        for column in columns if role == "data" else ():  # files of their own are not divided
            if column not in row.values:
                names = [str(name) for name in row.values]
                words = (
                    f"data.split.{key}: a row of {place.name} has no {column!r}; it has: {', '.join(names)}"
                )
                near = nearest(column, names)
                hint = f"Did you mean {near!r}?" if near else None
                where = place_of(self._experiment, "data", "split", key)
                place.findings.add("split_column", words, hint=hint, once=True, **where)
        return [_plain(row.values.get(column)) for column in columns]


def _plain(value: object) -> object:
    """Return a value such that 7 in a JSON file and "7" in a CSV file are equal."""
    if value is None or isinstance(value, (list, dict)):
        return value
    return str(value).strip()
