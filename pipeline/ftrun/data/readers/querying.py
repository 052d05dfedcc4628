"""Reading SQLite files, and queries of any kind, in a process that can be killed.

Nothing else stops a database while it computes. A query may also give rows without end, so its result is
bounded too. The line of a row is its number in the result.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from ftrun.data.diagnostics.findings import FilePlace, Findings, UnusableFileError
from ftrun.data.readers.cells import Needed, Numbered
from ftrun.data.readers.columnar import numbered
from ftrun.untrusted import CapError, Capped, CappedProcess

Reader = Callable[..., Iterator[Numbered]]
SECONDS = 10.0  # of the processor, until the first rows are there
SIZE_A_SECOND = 10_000_000  # bytes of a file that allow one second more
CREDIT = 0.1  # seconds that each portion of rows adds
PATIENCE = 600.0  # seconds to wait for a server's next rows
ROWS, VALUES, BYTES = 1000, 20_000, 4_000_000  # of a portion
ROW_BYTES = 100  # what a row counts for besides its texts
LARGEST = 2_000_000_000  # bytes that a server may give; what a file may give depends on its size
SMALLEST, TIMES = 100_000_000, 10

LARGEST_VALUE = 64_000_000  # bytes
ALLOWED = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
)


class Bounds(NamedTuple):
    """Seconds of the processor, and bytes of rows, that a query may take."""

    seconds: float = SECONDS
    size: int = LARGEST


def query(
    reader: Reader, *arguments: Any, place: FilePlace, needed: Needed, bounds: Bounds
) -> Iterator[Numbered]:
    """Yield what `reader(*arguments, place, needed)` yields in the other process.

    UnusableFileError, with the problem added, if it can't be read or takes more than `bounds`.
    """
    process = CappedProcess(bounds.seconds, PATIENCE, CREDIT)
    running = Capped(_Query, reader, arguments, place.name, needed, process=process)
    size = 0
    try:
        while True:
            portion: _Fetched = running.call("more")
            place.findings.merge(portion.findings)
            yield from portion.rows
            size += portion.size
            if portion.failed:
                raise UnusableFileError
            if not portion.rows:
                return
            if size > bounds.size:
                raise CapError(f"it gives more than {bounds.size:,} bytes of rows")
    except CapError as error:
        hint = "Write a query that takes less, or save its result as a file and read that."
        place.add("query", f"the query was stopped: {error}", None, hint=hint)
        raise UnusableFileError from error
    finally:
        process.end()


class _Fetched(NamedTuple):
    """Some rows; none are left if it is empty. `failed`: the rest can't be read, the findings say why."""

    rows: list[Numbered]
    size: int
    findings: Findings
    failed: bool


class _Query:
    """A query that runs in this process."""

    def __init__(self, reader: Reader, arguments: tuple[Any, ...], name: str, needed: Needed) -> None:
        self._findings = Findings()
        self._rows = reader(*arguments, FilePlace(name, self._findings), needed)

    def more(self) -> _Fetched:
        """Return the next rows."""
        rows: list[Numbered] = []
        size = values = 0
        failed = False
        try:
            for number, row in itertools.islice(self._rows, ROWS):
                rows.append((number, row))
                values += len(row)
                size += ROW_BYTES + sum(len(one) for one in row.values() if isinstance(one, str))
                if values > VALUES or size > BYTES:
                    break
        except UnusableFileError:
            failed = True
        return _Fetched(rows, size, self._findings.drain(), failed)


def read_sqlite(path: Path, text: str | None, place: FilePlace, needed: Needed = None) -> Iterator[Numbered]:
    """Yield (row number, row) of what the query `text` gives; UnusableFileError with its problem if nothing.

    It runs in a process of its own, which is killed if it takes too much.
    """
    size = path.stat().st_size
    bounds = Bounds(SECONDS + size / SIZE_A_SECOND, SMALLEST + TIMES * size)
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
