"""Uploads in parts: each part is saved on the disk, and all are joined to a file at the end."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import IO

from ftrun.engine.store.database import Database
from ftrun.engine.store.files import Content, Files
from ftrun.engine.store.records import StoredFile, StoredPart, StoredUpload, from_row, new_id, now
from ftrun.files import delete

PENDING_SECONDS = 3600  # how long an upload may take


class Uploads:
    """The uploads of a store."""

    def __init__(self, database: Database, files: Files) -> None:
        self._database, self._files = database, files

    def create(self, *, filename: str, purpose: str, size: int, lifetime: int | None) -> StoredUpload:
        """Begin an upload of `size` bytes; `lifetime` is that of its file, in seconds."""
        upload_id, created = new_id("upload"), now()
        self._database.write(
            "INSERT INTO uploads (id, filename, purpose, bytes, lifetime, created_at, expires_at, status)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, 'pending')",
            upload_id,
            filename,
            purpose,
            size,
            lifetime,
            created,
            created + PENDING_SECONDS,
        )
        record = self.get(upload_id)
        assert record is not None
        return record

    def get(self, upload_id: str) -> StoredUpload | None:
        """Return an upload, if it exists."""
        row = self._database.row("SELECT * FROM uploads WHERE id = ?", upload_id)
        return None if row is None else from_row(StoredUpload, row)

    def add_part(self, upload_id: str, content: Content) -> StoredPart:
        """Make saved content a part of an upload."""
        self._database.write(
            "INSERT INTO upload_parts (id, upload_id, bytes, created_at) VALUES (?, ?, ?, ?)",
            content.id,
            upload_id,
            content.bytes,
            now(),
        )
        row = self._database.row("SELECT * FROM upload_parts WHERE id = ?", content.id)
        assert row is not None
        return from_row(StoredPart, row)

    def parts(self, upload_id: str) -> dict[str, StoredPart]:
        """Return the parts of an upload by id."""
        rows = self._database.rows("SELECT * FROM upload_parts WHERE upload_id = ?", upload_id)
        return {row["id"]: from_row(StoredPart, row) for row in rows}

    def join(self, part_ids: Sequence[str]) -> tuple[Content, str]:
        """Join the parts in this order; return the content and its MD5 in hex."""
        reader = _Joined(self._files, part_ids)
        return self._files.save(reader), reader.md5.hexdigest()

    def complete(self, upload: StoredUpload, content: Content) -> StoredFile:
        """Make the joined content the upload's file, and delete its parts."""
        with self._database.transaction():
            file = self._files.add(
                content, filename=upload.filename, purpose=upload.purpose, lifetime=upload.lifetime
            )
            self._end(upload.id, "completed", file.id)
        return file

    def cancel(self, upload_id: str) -> None:
        """Cancel an upload and delete its parts."""
        self._end(upload_id, "cancelled", None)

    def sweep(self) -> None:
        """Expire pending uploads that are past their hour, and delete their parts."""
        rows = self._database.rows(
            "SELECT id FROM uploads WHERE status = 'pending' AND expires_at <= ?", now()
        )
        for row in rows:
            self._end(row["id"], "expired", None)

    def _end(self, upload_id: str, status: str, file_id: str | None) -> None:
        parts = self.parts(upload_id)
        self._database.write(
            "UPDATE uploads SET status = ?, file_id = ? WHERE id = ?", status, file_id, upload_id
        )
        self._database.write("DELETE FROM upload_parts WHERE upload_id = ?", upload_id)
        for part_id in parts:
            delete(self._files.path(part_id))


class _Joined:
    """The parts as one stream of bytes, hashed while it is read."""

    def __init__(self, files: Files, part_ids: Sequence[str]) -> None:
        self._files, self._left = files, list(part_ids)
        self._open: IO[bytes] | None = None
        self.md5 = hashlib.md5(usedforsecurity=False)

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, b"" after the last part."""
        while self._open is not None or self._left:
            if self._open is None:
                self._open = self._files.path(self._left.pop(0)).open("rb")
            piece = self._open.read(size)
            if piece:
                self.md5.update(piece)
                return piece
            self._open.close()
            self._open = None
        return b""
