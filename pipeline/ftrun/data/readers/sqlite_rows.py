"""Reading an SQLite file by one query: read-only, and nothing but that file can be reached by it.

The line of a row is its number in the result.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ftrun.data.diagnostics.place import FilePlace, UnusableFileError
from ftrun.data.readers.cells import Needed
from ftrun.data.readers.columnar import numbered
from ftrun.data.readers.querying import bounds_of, query

Numbered = tuple[int, dict[str, object]]
LARGEST_VALUE = 64_000_000  # bytes
ALLOWED = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
)


def read_sqlite(path: Path, text: str | None, place: FilePlace, needed: Needed = None) -> Iterator[Numbered]:
    """Yield (row number, row) of what the query `text` gives; UnusableFileError with its problem if nothing.

    It runs in a process of its own, which is killed if it takes too much.
    """
    bounds = bounds_of(path.stat().st_size)
    return query(_read, path, text, place=place, needed=needed, bounds=bounds)


def _read(path: Path, query: str | None, place: FilePlace, needed: Needed) -> Iterator[Numbered]:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            if query is None:
                _ask_for_query(connection, place)
            connection.set_authorizer(_may)
            connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LARGEST_VALUE)
            cursor = connection.execute(query or "")
            names = [column[0] for column in cursor.description]
            yield from numbered(names, cursor, place, needed)
    except (sqlite3.Error, sqlite3.Warning) as error:
        place.add("query", f"SQLite says: {error}", None)
        raise UnusableFileError from error


def _may(action: int, *_: str | None) -> int:
    return sqlite3.SQLITE_OK if action in ALLOWED else sqlite3.SQLITE_DENY


def _ask_for_query(connection: sqlite3.Connection, place: FilePlace) -> None:
    tables = [
        str(name) for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    ]
    first = tables[0] if tables else "TABLE"
    message = f"an SQLite file needs a query; it has the tables: {', '.join(tables) or 'none'}"
    example = f'SELECT * FROM "{first}" ORDER BY rowid'  # noqa: S608 - shown, not run
    hint = f"Add `query:` to the source (for `ftrun init`: --query), such as {example}"
    place.add("query", message, None, hint=hint)
    raise UnusableFileError
