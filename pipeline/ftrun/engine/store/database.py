"""The SQLite connection and the versioned schema, which is defined only here."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftrun.engine.places import damaged_store
from ftrun.errors import DecisionError
from ftrun.files import open_to_write, refuse_file

# The statements at N-1 upgrade to version N. Never change an entry: add one.
MIGRATIONS: tuple[tuple[str, ...], ...] = (
    (
        """CREATE TABLE files (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, filename TEXT NOT NULL,
            purpose TEXT NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
            created_at INTEGER NOT NULL, expires_at INTEGER)""",
        """CREATE TABLE jobs (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,
            finished_at INTEGER, status TEXT NOT NULL, model TEXT NOT NULL, training_file TEXT NOT NULL,
            validation_file TEXT, hyperparameters TEXT NOT NULL, seed INTEGER NOT NULL, suffix TEXT,
            metadata TEXT, error TEXT, model_name TEXT NOT NULL UNIQUE, fine_tuned_model TEXT,
            result_file TEXT, trained_tokens INTEGER, estimated_finish INTEGER,
            attempts INTEGER NOT NULL DEFAULT 0, pid INTEGER)""",
        "CREATE INDEX jobs_by_status ON jobs (status)",
        """CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
            job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE, created_at INTEGER NOT NULL,
            level TEXT NOT NULL, message TEXT NOT NULL, type TEXT NOT NULL, data TEXT)""",
        "CREATE INDEX events_by_job ON events (job_id, seq)",
        """CREATE TABLE metrics (
            job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE, step INTEGER NOT NULL,
            metrics TEXT NOT NULL, PRIMARY KEY (job_id, step)) WITHOUT ROWID""",
        """CREATE TABLE checkpoints (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
            job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE, created_at INTEGER NOT NULL,
            step INTEGER NOT NULL, name TEXT NOT NULL, metrics TEXT NOT NULL, UNIQUE (job_id, step))""",
        """CREATE TABLE models (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
            job_id TEXT NOT NULL REFERENCES jobs (id), base TEXT NOT NULL, kind TEXT NOT NULL,
            folder TEXT NOT NULL, created_at INTEGER NOT NULL)""",
        """CREATE TABLE idempotency (
            key TEXT PRIMARY KEY, request TEXT NOT NULL, answer TEXT NOT NULL,
            created_at INTEGER NOT NULL) WITHOUT ROWID""",
    ),
    ("ALTER TABLE jobs ADD COLUMN continue_from TEXT",),
    (
        """CREATE TABLE uploads (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, filename TEXT NOT NULL,
            purpose TEXT NOT NULL, bytes INTEGER NOT NULL, lifetime INTEGER, created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL, status TEXT NOT NULL, file_id TEXT)""",
        """CREATE TABLE upload_parts (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
            upload_id TEXT NOT NULL REFERENCES uploads (id) ON DELETE CASCADE, bytes INTEGER NOT NULL,
            created_at INTEGER NOT NULL)""",
        "CREATE INDEX parts_by_upload ON upload_parts (upload_id)",
    ),
    (
        "ALTER TABLE jobs ADD COLUMN method TEXT NOT NULL DEFAULT 'supervised'",
        "ALTER TABLE jobs ADD COLUMN grader TEXT",
    ),
    (
        "ALTER TABLE jobs ADD COLUMN dtype TEXT",
        # a training that began before there was a choice ends as it began
        "UPDATE jobs SET dtype = 'float32'"
        " WHERE attempts > 0 AND finished_at IS NULL AND model != 'rehearsal'",
    ),
    (
        """CREATE TABLE aliases (
            name TEXT PRIMARY KEY, model TEXT NOT NULL, created_at INTEGER NOT NULL) WITHOUT ROWID""",
        "ALTER TABLE jobs ADD COLUMN alias TEXT",
    ),
    (
        """CREATE TABLE responses (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,
            previous TEXT, response TEXT NOT NULL)""",
        # an item that came back with a later request is there twice
        """CREATE TABLE response_items (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL,
            response_id TEXT NOT NULL REFERENCES responses (id) ON DELETE CASCADE,
            given INTEGER NOT NULL, item TEXT NOT NULL)""",
        "CREATE INDEX response_items_by_id ON response_items (id)",
        "CREATE INDEX response_items_by_response ON response_items (response_id, seq)",
    ),
    (
        """CREATE TABLE batches (
            seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, created_at INTEGER NOT NULL,
            expires_at INTEGER NOT NULL, endpoint TEXT NOT NULL, input_file_id TEXT NOT NULL,
            output_lifetime INTEGER, metadata TEXT, status TEXT NOT NULL, errors TEXT, model TEXT,
            total INTEGER NOT NULL DEFAULT 0, completed INTEGER NOT NULL DEFAULT 0,
            failed INTEGER NOT NULL DEFAULT 0, input_tokens INTEGER NOT NULL DEFAULT 0,
            output_tokens INTEGER NOT NULL DEFAULT 0, output_file_id TEXT, error_file_id TEXT,
            in_progress_at INTEGER, finalizing_at INTEGER, completed_at INTEGER, failed_at INTEGER,
            expired_at INTEGER, cancelling_at INTEGER, cancelled_at INTEGER)""",
        "CREATE INDEX batches_by_status ON batches (status)",
        # the answers of a batch that has not ended, each a line of its output or error file
        """CREATE TABLE batch_answers (
            batch_id TEXT NOT NULL REFERENCES batches (id) ON DELETE CASCADE, line INTEGER NOT NULL,
            good INTEGER NOT NULL, answer TEXT NOT NULL, PRIMARY KEY (batch_id, line))""",
    ),
)
VERSION = len(MIGRATIONS)
DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


class Database:
    """A connection that all threads share; other processes have their own. Every commit is durable."""

    def __init__(self, path: Path) -> None:
        """Open the database at `path`; create it or upgrade it to the newest version if needed."""
        self.path = path
        self._lock = threading.RLock()
        for ending in ("", "-journal", "-wal", "-shm"):  # SQLite follows links
            refuse_file(path.with_name(path.name + ending))
        open_to_write(path, "ab+", mode=0o600).close()  # SQLite's own files take its mode
        self._connection = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        try:
            self.write("PRAGMA journal_mode = WAL")
            self.write("PRAGMA foreign_keys = ON")
            self._upgrade()
        except sqlite3.DatabaseError as error:
            if error.sqlite_errorcode not in DAMAGED:
                raise
            raise damaged_store(path, error) from error

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Execute the statements of the block together, all or none. Blocks may be nested."""
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            self.write("BEGIN IMMEDIATE")
            try:
                yield
                self.write("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.OperationalError):  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise

    def write(self, statement: str, *values: Any) -> int:
        """Execute one statement and return the number of rows that it changed. A full disk is an OSError."""
        with self._lock, self._room():
            return self._connection.execute(statement, values).rowcount

    def rows(self, statement: str, *values: Any) -> list[sqlite3.Row]:
        """Return all rows of a query."""
        with self._lock:
            return self._connection.execute(statement, values).fetchall()

    def row(self, statement: str, *values: Any) -> sqlite3.Row | None:
        """Return the first row of a query, or None."""
        found = self.rows(statement, *values)
        return found[0] if found else None

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._connection.close()

    @contextlib.contextmanager
    def _room(self) -> Iterator[None]:
        """Raise what SQLite says of a full disk as the OSError that files raise."""
        try:
            yield
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_FULL:
                raise
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.path)) from error

    def _upgrade(self) -> None:
        with self.transaction():
            version = int(self.rows("PRAGMA user_version")[0][0])
            if version > VERSION:
                raise DecisionError(
                    f"The engine's store {self.path} has version {version}; this ftrun knows {VERSION}.",
                    code="store_too_new",
                    file=str(self.path),
                    hint="Upgrade ftrun, or use another store: FTRUN_HOME=~/ftrun-other ftrun …",
                )
            for statements in MIGRATIONS[version:]:
                for statement in statements:
                    self.write(statement)
            self.write(f"PRAGMA user_version = {VERSION}")
