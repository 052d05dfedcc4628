"""The keys by which rows are divided: the rank of a row or of its group, and its stratum.

Both come from columns of the row as it was read, before the prompt makes an example of it.
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
    """Gives each row its keys; a column that is not there goes to `findings`."""

    def __init__(self, experiment: Experiment, findings: Findings) -> None:
        split = experiment.data.split
        self._experiment, self._findings = experiment, findings
        self._rank = ranking(split.seed if split else 0)
        self._group_by = split.group_by if split else ()
        self._stratify_by = (split.stratify_by,) if split and split.stratify_by else ()

    @property
    def stratified(self) -> bool:
        """Return whether rows have strata."""
        return bool(self._stratify_by)

    def rank_of(self, row: Row, digest: bytes, role: Role, place: FilePlace) -> int:
        """Return the rank of a row's group; of the example itself where its row belongs to none.

        Generated rows are not divided and need none.
        """
        if not self._group_by:
            return self._rank(digest)
        values = self._values(row, "group_by", self._group_by, role, place) if row.mark is None else []
        if all(value in (None, "") for value in values):
            return self._rank(digest)
        return self._rank(_digest(values))

    def stratum_of(self, row: Row, role: Role, place: FilePlace) -> int:
        """Return a number (64 bits) that stands for the row's value."""
        columns = self._stratify_by if row.mark is None else ()
        values = self._values(row, "stratify_by", columns, role, place)
        return int.from_bytes(_digest(values)[:8]) if values else NO_STRATUM

    def _values(self, row: Row, key: str, columns: Sequence[str], role: Role, place: FilePlace) -> list[Any]:
        missing = [column for column in columns if column not in row.values]
        if role == "data":  # files of their own are not divided: they need no such column
            for column in missing:
                self._tell(column, key, row, place)
        return [_plain(row.values.get(column)) for column in columns]

    def _tell(self, column: str, key: str, row: Row, place: FilePlace) -> None:
        import difflib  # only errors need it

        near = difflib.get_close_matches(column, [str(name) for name in row.values], n=1)
        message = f"data.split.{key}: a row of {place.name} has no {column!r}; it has: " + ", ".join(
            map(str, row.values)
        )
        hint = f"Did you mean {near[0]!r}?" if near else None
        where = place_of(self._experiment, "data", "split", key)
        self._findings.add("split_column", message, hint=hint, once=True, **where)


def _plain(value: object) -> object:
    """Return a value so that 7 of a JSON file and "7" of a CSV file are one."""
    if value is None or isinstance(value, (list, dict)):
        return value
    return str(value).strip()


def _digest(values: Sequence[Any]) -> bytes:
    text = json.dumps(values, ensure_ascii=False, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=16).digest()
