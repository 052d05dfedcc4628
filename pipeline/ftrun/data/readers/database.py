"""Reading a database server by one query, read-only; its address is never shown.

The rows are put on disk first: their hash stands for the content of the source, and rows that come in no
order of their own are put into one, for another order would be other training data.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

from ftrun.data.diagnostics.findings import FilePlace, UnusableFileError
from ftrun.data.readers.cells import Needed, Numbered, require
from ftrun.data.readers.columnar import numbered
from ftrun.data.readers.querying import Bounds, query
from ftrun.experiment.model import Sql
from ftrun.files import canonical_json, room_in
from ftrun.redaction import keep_secret
from ftrun.waiting import waiting

if TYPE_CHECKING:
    from sqlalchemy import Connection

ORDERED = re.compile(r"\border\s+by\b", re.IGNORECASE)
HIDDEN = "***"
READ_ONLY = {  # what makes a connection of a dialect refuse to write; PostgreSQL has an option of the driver
    "sqlite": "PRAGMA query_only = ON",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
    "mariadb": "SET SESSION TRANSACTION READ ONLY",
    "oracle": "SET TRANSACTION READ ONLY",
}
ROWS = 1000  # fetched at a time


class Snapshot:
    """The rows of one query at one moment, in a file that nobody else sees."""

    def __init__(self, rows: Iterator[Numbered], file: IO[bytes], *, ordered: bool) -> None:
        self._file = file
        self._starts = array("Q")
        self._ranks = array("Q")
        for number, row in rows:
            line = json.dumps([number, row], ensure_ascii=False).encode() + b"\n"
            self._starts.append(file.tell())
            content = hashlib.blake2b(canonical_json(row), digest_size=8).digest()
            self._ranks.append(len(self._ranks) if ordered else int.from_bytes(content))
            file.write(line)

    def rows(self) -> Iterator[Numbered]:
        """Yield (number in the result, row) in the order of the query or, without one, of the content."""
        for index in sorted(range(len(self._ranks)), key=self._ranks.__getitem__):
            self._file.seek(self._starts[index])
            number, row = json.loads(self._file.readline())
            yield number, row

    def sha256(self) -> str:
        """Return a hash of the rows in their order, without their numbers."""
        content = hashlib.sha256()
        for _, row in self.rows():
            content.update(canonical_json(row) + b"\n")
        return content.hexdigest()


def read_database(sql: Sql, place: FilePlace, needed: Needed = None) -> Iterator[Numbered]:
    """Yield (number in the result, row) of what the query gives."""
    with snapshot(sql, place, needed) as taken:
        yield from taken.rows()


@contextmanager
def snapshot(sql: Sql, place: FilePlace, needed: Needed = None) -> Iterator[Snapshot]:
    """Yield the rows of the query; UnusableFileError, with the problem added, if there are none to be had."""
    require("sqlalchemy", "A database", place)
    address, ordered = _address(sql, place), ORDERED.search(sql.query) is not None
    with room_in(tempfile.gettempdir()), tempfile.TemporaryFile(prefix="ftrun-rows-") as file:
        rows = query(_fetched, sql, address, place=place, needed=needed, bounds=Bounds())
        with waiting(f"the database that {sql.url_env} names"):
            taken = Snapshot(rows, file, ordered=ordered)
        yield taken


def _address(sql: Sql, place: FilePlace) -> str:
    """Return the database's address, which is hidden from now on."""
    import sqlalchemy
    from sqlalchemy.exc import SQLAlchemyError

    address = os.environ.get(sql.url_env, "").strip()
    if not address:
        place.add("sql", f"the environment variable {sql.url_env} is not set", None, hint=_how(sql))
        raise UnusableFileError
    keep_secret(address)
    try:
        keep_secret(str(sqlalchemy.make_url(address).password or ""))
    except (SQLAlchemyError, ValueError):  # they repeat the address
        raise _unusable(sql, place) from None
    return address


def _unusable(sql: Sql, place: FilePlace, driver: str = "") -> UnusableFileError:
    place.add("sql", f"the address in {sql.url_env} can't be used{driver}", None, hint=_how(sql))
    return UnusableFileError()


def _fetched(sql: Sql, address: str, place: FilePlace, needed: Needed) -> Iterator[Numbered]:
    import sqlalchemy
    from sqlalchemy.exc import SQLAlchemyError

    try:
        url = sqlalchemy.make_url(address)
        engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    except (SQLAlchemyError, ValueError, ImportError) as error:
        driver = f" ({error})" if isinstance(error, ImportError) else ""  # the others repeat the address
        raise _unusable(sql, place, driver) from None
    try:
        with engine.connect().execution_options(stream_results=True, max_row_buffer=ROWS) as connection:
            connection = _read_only(connection)
            result = connection.execute(sqlalchemy.text(_literal(sql.query)))
            yield from numbered(list(map(str, result.keys())), iter(result), place, needed)
            connection.rollback()
    except SQLAlchemyError as error:
        place.add("sql", f"the database says: {_redacted(error, address, url)}", None)
        raise UnusableFileError from None


def _how(sql: Sql) -> str:
    return (
        f"Put the address into {sql.url_env}, e.g. postgresql+psycopg://user:password@host/name, and install "
        "that database's driver for SQLAlchemy."
    )


def _read_only(connection: Connection) -> Connection:
    import sqlalchemy

    name = connection.dialect.name
    if name == "postgresql":
        return connection.execution_options(postgresql_readonly=True)
    if name in READ_ONLY:
        connection.execute(sqlalchemy.text(READ_ONLY[name]))
    return connection


def _literal(query: str) -> str:
    """Return the query with its colons escaped: `:name` would be a parameter."""
    return re.sub(r"(?<![:\\]):(?=\w)", r"\\:", query)


def _redacted(error: Any, address: str, url: Any) -> str:
    """Return the first line of what the driver says, without any part of the address."""
    words = str(getattr(error, "orig", None) or error).strip().splitlines()
    text = words[0][:300] if words else type(error).__name__
    parts = [address, url.password, url.username, url.host, url.database, *map(str, url.query.values())]
    for part in sorted({str(part) for part in parts if part}, key=len, reverse=True):
        text = text.replace(part, HIDDEN)
    return text
