"""Uploaded files and result files: a row in the database, and content on the disk, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ftrun.engine.store.database import Database
from ftrun.engine.store.paging import Page, read_page
from ftrun.engine.store.records import MOST_NAMES, StoredFile, from_row, new_id, now
from ftrun.files import delete, make_folder, named_errors, open_to_write, rename, sync_folder

PIECE = 1 << 20
ORPHAN_SECONDS = 3600  # content without a row that is older than this was left by a crash
ALIVE = "(expires_at IS NULL OR expires_at > ?)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Content that is on the disk, but not a file of the API yet."""

    id: str
    bytes: int
    sha256: str


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, b"" at the end."""
        ...


class Files:
    """The files of a store."""

    def __init__(self, database: Database, folder: Path) -> None:
        """Keep the contents in `folder`, which is created."""
        self._database, self._folder = database, folder
        make_folder(folder, mode=0o700)

    def path(self, file_id: str) -> Path:
        """Return the path of a file's content."""
        return self._folder / file_id

    def save(self, source: Readable) -> Content:
        """Write the content of `source` durably to the disk; `add` makes it a file."""
        file_id, hasher, size = new_id("file"), hashlib.sha256(), 0
        partial = self._folder / f".{file_id}.partial"
        try:
            with named_errors(partial), open_to_write(partial, "wb", mode=0o600) as target:
                while piece := source.read(PIECE):
                    hasher.update(piece)
                    size += target.write(piece)
                target.flush()
                os.fsync(target.fileno())
            rename(partial, self.path(file_id))
        except BaseException:
            delete(partial)
            raise
        sync_folder(self._folder)
        return Content(id=file_id, bytes=size, sha256=hasher.hexdigest())

    def drop(self, content: Content) -> None:
        """Delete content that did not become a file."""
        delete(self.path(content.id))

    def add(
        self, content: Content, *, filename: str, purpose: str, lifetime: int | None = None
    ) -> StoredFile:
        """Make saved content a file; `lifetime` in seconds."""
        created = now()
        self._database.write(
            "INSERT INTO files (id, filename, purpose, bytes, sha256, created_at, expires_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            content.id,
            filename,
            purpose,
            content.bytes,
            content.sha256,
            created,
            created + lifetime if lifetime is not None else None,
        )
        record = self.get(content.id)
        assert record is not None
        return record

    def get(self, file_id: str) -> StoredFile | None:
        """Return a file that has not expired."""
        row = self._database.row(f"SELECT * FROM files WHERE id = ? AND {ALIVE}", file_id, now())  # noqa: S608
        return None if row is None else from_row(StoredFile, row)

    def names(self) -> dict[str, str]:
        """Return the ids and file names of the newest files, as many as one compares with a mistyped id."""
        query = f"SELECT id, filename FROM files WHERE {ALIVE} ORDER BY seq DESC LIMIT ?"  # noqa: S608
        rows = self._database.rows(query, now(), MOST_NAMES)
        return {row["id"]: row["filename"] for row in rows}

    def page(
        self, *, purpose: str | None, limit: int, after: str | None, ascending: bool = False
    ) -> Page[StoredFile]:
        """Return a page of files, newest first, or the oldest if `ascending`."""
        where, values = ALIVE, [now()]  # type: tuple[str, list[object]]
        if purpose is not None:
            where, values = f"{where} AND purpose = ?", [*values, purpose]
        return read_page(
            self._database,
            StoredFile,
            "files",
            where=where,
            values=values,
            limit=limit,
            after=after,
            ascending=ascending,
        )

    def delete(self, file_id: str) -> None:
        """Delete a file and its content."""
        self._database.write("DELETE FROM files WHERE id = ?", file_id)
        delete(self.path(file_id))

    def sweep(self) -> None:
        """Delete expired files, and content that a crash left without a row."""
        expired = self._database.rows(
            "SELECT id FROM files WHERE expires_at <= ? AND id NOT IN (SELECT input_file_id FROM batches"
            " WHERE status IN ('validating', 'in_progress', 'cancelling', 'finalizing'))",
            now(),
        )
        for row in expired:
            self.delete(row["id"])
        statement = "SELECT id FROM files UNION SELECT id FROM upload_parts"
        known = {row["id"] for row in self._database.rows(statement)}
        oldest = time.time() - ORPHAN_SECONDS
        for path in [p for p in self._folder.iterdir() if p.name not in known and p.stat().st_mtime < oldest]:
            delete(path)
