"""Cursor paging as the API does it: newest first, `after` is the id of the last row seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

from ftrun.engine.store.database import Database
from ftrun.engine.store.records import Stored, from_row


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Stored]):
    """Some rows, and whether there are more."""

    records: Sequence[Stored]
    has_more: bool


class UnknownCursor(Exception):
    """The id given as `after` names no row."""


def read_page(
    database: Database,
    kind: type[Stored],
    table: str,
    *,
    where: str = "1",
    values: Sequence[Any] = (),
    limit: int,
    after: str | None = None,
    ascending: bool = False,
) -> Page[Stored]:
    """Return up to `limit` rows of `table` that satisfy `where` and come after the row `after`.

    `table` and `where` are our own text, `values` may come from a request. Raises UnknownCursor.
    """
    order, beyond = ("ASC", ">") if ascending else ("DESC", "<")
    cursor = _position(database, table, after)
    position = "" if cursor is None else f" AND seq {beyond} {cursor}"
    query = f"SELECT * FROM {table} WHERE ({where}){position} ORDER BY seq {order} LIMIT ?"  # noqa: S608
    rows = database.rows(query, *values, limit + 1)
    return Page(records=[from_row(kind, row) for row in rows[:limit]], has_more=len(rows) > limit)


def _position(database: Database, table: str, after: str | None) -> int | None:
    if after is None:
        return None
    row = database.row(f"SELECT seq FROM {table} WHERE id = ?", after)  # noqa: S608  # the table is ours
    if row is None:
        raise UnknownCursor(after)
    return int(row["seq"])
