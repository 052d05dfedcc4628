"""Batches and their status changes, and the answers of those that have not ended.

Answers are rows of the database until the batch ends; then they become the lines of its files. A line of the
input is answered once: a second answer to it changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrun.engine.store.database import Database
from ftrun.engine.store.files import Content, Files
from ftrun.engine.store.paging import Page, read_page
from ftrun.engine.store.records import MOST_NAMES, BatchStatus, StoredBatch, from_row, new_id, now

WINDOW_SECONDS = 24 * 3600
UNENDED: tuple[BatchStatus, ...] = ("validating", "in_progress", "cancelling", "finalizing")
PORTION = 64  # answers that are in memory together while a file is written


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBatch:
    """What a checked request asks for."""

    endpoint: str
    input_file_id: str
    output_lifetime: int | None
    metadata: Mapping[str, str] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchAnswer:
    """The answer to a line of the input: a line of the output file, or of the error file if not `good`."""

    line: int
    good: bool
    text: str
    input_tokens: int = 0
    output_tokens: int = 0


class Batches:
    """The batches of a store."""

    def __init__(self, database: Database, files: Files) -> None:
        """Use the tables of `database`; output goes to `files`."""
        self._database, self._files = database, files

    def create(self, new: NewBatch) -> StoredBatch:
        """Add a batch whose file has not been validated yet."""
        batch_id, created = new_id("batch"), now()
        self._database.write(
            "INSERT INTO batches (id, created_at, expires_at, endpoint, input_file_id, output_lifetime,"
            " metadata, status) VALUES (?, ?, ?, ?, ?, ?, ?, 'validating')",
            batch_id,
            created,
            created + WINDOW_SECONDS,
            new.endpoint,
            new.input_file_id,
            new.output_lifetime,
            None if new.metadata is None else json.dumps(dict(new.metadata)),
        )
        return self.require(batch_id)

    def get(self, batch_id: str) -> StoredBatch | None:
        """Return a batch, or None."""
        row = self._database.row("SELECT * FROM batches WHERE id = ?", batch_id)
        return None if row is None else from_row(StoredBatch, row)

    def require(self, batch_id: str) -> StoredBatch:
        """Return a batch that must exist."""
        batch = self.get(batch_id)
        if batch is None:
            raise LookupError(f"There is no batch {batch_id}.")
        return batch

    def names(self) -> list[str]:
        """Return the ids of the newest batches."""
        rows = self._database.rows("SELECT id FROM batches ORDER BY seq DESC LIMIT ?", MOST_NAMES)
        return [row["id"] for row in rows]

    def page(self, *, limit: int, after: str | None) -> Page[StoredBatch]:
        """Return a page of batches, newest first."""
        return read_page(self._database, StoredBatch, "batches", limit=limit, after=after)

    def unended(self) -> list[StoredBatch]:
        """Return the batches that have not ended, oldest first."""
        marks = ", ".join("?" * len(UNENDED))
        query = f"SELECT * FROM batches WHERE status IN ({marks}) ORDER BY seq"  # noqa: S608
        return [from_row(StoredBatch, row) for row in self._database.rows(query, *UNENDED)]

    def using(self, file_id: str) -> StoredBatch | None:
        """Return a batch that still reads the file, if there is one."""
        return next((batch for batch in self.unended() if batch.input_file_id == file_id), None)

    def move(
        self, batch_id: str, to: BatchStatus, *, start: Sequence[BatchStatus] = UNENDED, **columns: Any
    ) -> bool:
        """Change a batch's status from one of `start` to `to`, with other columns; return whether it did."""
        values = {**columns, "status": to, f"{to}_at": now()}
        marks = ", ".join("?" * len(start))
        sets = ", ".join(f"{name} = ?" for name in values)
        query = f"UPDATE batches SET {sets} WHERE id = ? AND status IN ({marks})"  # noqa: S608
        return self._database.write(query, *values.values(), batch_id, *start) == 1

    def fail(self, batch_id: str, errors: Sequence[Mapping[str, Any]]) -> None:
        """Fail a batch whose file can't be used."""
        self.move(batch_id, "failed", errors=json.dumps(list(errors)))

    def keep(self, batch_id: str, answers: Sequence[BatchAnswer]) -> None:
        """Keep answers and count them, all or none; one to a line that has an answer, or to a batch that has
        ended, is dropped.
        """
        with self._database.transaction():
            for answer in answers if self.require(batch_id).status in UNENDED else ():
                added = self._database.write(
                    "INSERT OR IGNORE INTO batch_answers (batch_id, line, good, answer) VALUES (?, ?, ?, ?)",
                    batch_id,
                    answer.line,
                    answer.good,
                    answer.text,
                )
                if added:
                    self._database.write(
                        "UPDATE batches SET completed = completed + ?, failed = failed + ?,"
                        " input_tokens = input_tokens + ?, output_tokens = output_tokens + ? WHERE id = ?",
                        int(answer.good),
                        int(not answer.good),
                        answer.input_tokens,
                        answer.output_tokens,
                        batch_id,
                    )

    def answered(self, batch_id: str) -> set[int]:
        """Return the lines of the input that have an answer."""
        rows = self._database.rows("SELECT line FROM batch_answers WHERE batch_id = ?", batch_id)
        return {row["line"] for row in rows}

    def end(self, batch_id: str, to: BatchStatus) -> None:
        """Make files of the answers, and end the batch; after a crash on the way it can be done again."""
        batch = self.require(batch_id)
        output = self._write(batch, good=True) if batch.completed else None
        errors = self._write(batch, good=False) if batch.failed else None
        with self._database.transaction():
            for content, kind in ((output, "output"), (errors, "error")):
                if content is not None:
                    self._files.add(
                        content,
                        filename=f"{batch.id}_{kind}.jsonl",
                        purpose="batch_output",
                        lifetime=batch.output_lifetime,
                    )
            self.move(
                batch.id,
                to,
                output_file_id=output and output.id,
                error_file_id=errors and errors.id,
            )
            self._database.write("DELETE FROM batch_answers WHERE batch_id = ?", batch.id)

    def _write(self, batch: StoredBatch, *, good: bool) -> Content:
        return self._files.save(_Lines(self._answers(batch.id, good=good)))

    def _answers(self, batch_id: str, *, good: bool) -> Iterator[bytes]:
        """Yield the lines of a file in the order of the input."""
        last = 0
        while rows := self._database.rows(
            "SELECT line, answer FROM batch_answers WHERE batch_id = ? AND good = ? AND line > ?"
            " ORDER BY line LIMIT ?",
            batch_id,
            good,
            last,
            PORTION,
        ):
            yield from (row["answer"].encode() + b"\n" for row in rows)
            last = rows[-1]["line"]


class _Lines:
    """Lines as a stream of bytes."""

    def __init__(self, lines: Iterator[bytes]) -> None:
        self._lines = lines

    def read(self, size: int = -1, /) -> bytes:
        """Return the next line, b"" after the last one."""
        return next(self._lines, b"")
