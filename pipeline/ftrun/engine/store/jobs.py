"""Jobs and their status changes, events, metrics and checkpoints.

Every change of status names the states that it may start from, so that one of two concurrent changes wins.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ftrun.engine.store.database import Database
from ftrun.engine.store.paging import Page, read_page
from ftrun.engine.store.records import (
    MOST_NAMES,
    RESTING,
    UNFINISHED,
    NewJob,
    Status,
    StoredCheckpoint,
    StoredEvent,
    StoredJob,
    from_row,
    new_id,
    now,
    random_name,
)


class Jobs:
    """The jobs of a store; each has a folder of its own."""

    def __init__(self, database: Database, folder: Path) -> None:
        """Use the tables of `database`; `folder` contains the folders of the jobs."""
        self._database, self._folder = database, folder

    def folder(self, job_id: str) -> Path:
        """Return the folder of a job: its log, its lock, and `work` for the backend."""
        return self._folder / job_id

    def create(self, new: NewJob) -> StoredJob:
        """Add a job whose files have not been validated yet."""
        job_id = new_id("ftjob")
        self._database.write(
            "INSERT INTO jobs (id, created_at, status, model, training_file, validation_file,"
            " hyperparameters, seed, suffix, metadata, model_name, continue_from, alias, method, grader)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            job_id,
            now(),
            "validating_files",
            new.model,
            new.training_file,
            new.validation_file,
            json.dumps(dict(new.hyperparameters)),
            new.seed,
            new.suffix,
            None if new.metadata is None else json.dumps(dict(new.metadata)),
            tuned_name(new.alias or new.continue_from or new.model, new.suffix),
            new.continue_from,
            new.alias,
            new.method,
            None if new.grader is None else json.dumps(dict(new.grader)),
        )
        self.add_event(job_id, f"Job {job_id} created; its files are being validated.")
        return self.require(job_id)

    def get(self, job_id: str) -> StoredJob | None:
        """Return a job, or None."""
        row = self._database.row("SELECT * FROM jobs WHERE id = ?", job_id)
        return None if row is None else from_row(StoredJob, row)

    def require(self, job_id: str) -> StoredJob:
        """Return a job that must exist."""
        job = self.get(job_id)
        if job is None:
            raise LookupError(f"There is no job {job_id}.")
        return job

    def page(
        self, *, metadata: Mapping[str, str], without_metadata: bool, limit: int, after: str | None
    ) -> Page[StoredJob]:
        """Return a page of the jobs that have all pairs of `metadata`, newest first."""
        clauses = ["EXISTS (SELECT 1 FROM json_each(metadata) WHERE key = ? AND value = ?)"] * len(metadata)
        if without_metadata:
            clauses.append("metadata IS NULL")
        values = [text for pair in metadata.items() for text in pair]
        where = " AND ".join(clauses) or "1"
        return read_page(
            self._database, StoredJob, "jobs", where=where, values=values, limit=limit, after=after
        )

    def with_status(self, *statuses: Status) -> list[StoredJob]:
        """Return the jobs in any of these states, oldest first."""
        marks = ", ".join("?" * len(statuses))
        query = f"SELECT * FROM jobs WHERE status IN ({marks}) ORDER BY seq"  # noqa: S608
        return [from_row(StoredJob, row) for row in self._database.rows(query, *statuses)]

    def counts(self) -> dict[str, int]:
        """Return how many jobs are in each status."""
        rows = self._database.rows("SELECT status, count(*) AS jobs FROM jobs GROUP BY status")
        return {row["status"]: row["jobs"] for row in rows}

    def ids(self) -> list[str]:
        """Return the ids of the newest jobs, as many as one compares with a mistyped id."""
        query = "SELECT id FROM jobs ORDER BY seq DESC LIMIT ?"
        return [row["id"] for row in self._database.rows(query, MOST_NAMES)]

    def count(self, *statuses: Status) -> int:
        """Return the number of jobs in any of these states."""
        marks = ", ".join("?" * len(statuses))
        row = self._database.row(f"SELECT COUNT(*) FROM jobs WHERE status IN ({marks})", *statuses)  # noqa: S608
        return 0 if row is None else int(row[0])

    def in_turn(self, slots: int) -> list[StoredJob]:
        """Return the jobs that may have a process, and the first `slots` of those that wait, oldest first."""
        query = (
            "SELECT * FROM jobs WHERE status = 'running' OR (status = 'queued' AND (attempts > 0 OR"
            " pid IS NOT NULL OR seq IN (SELECT seq FROM jobs WHERE status = 'queued' ORDER BY seq LIMIT ?)))"
            " ORDER BY seq"
        )
        return [from_row(StoredJob, row) for row in self._database.rows(query, slots)]

    def lingering(self) -> list[StoredJob]:
        """Return finished jobs whose process may still run."""
        query = "SELECT * FROM jobs WHERE pid IS NOT NULL AND finished_at IS NOT NULL"
        return [from_row(StoredJob, row) for row in self._database.rows(query)]

    def using(self, file_id: str) -> StoredJob | None:
        """Return an unfinished job that uses the file, if there is one."""
        marks = ", ".join("?" * len(UNFINISHED))
        query = f"SELECT * FROM jobs WHERE status IN ({marks}) AND ? IN (training_file, validation_file)"  # noqa: S608
        row = self._database.row(query, *UNFINISHED, file_id)
        return None if row is None else from_row(StoredJob, row)

    def move(self, job_id: str, to: Status, *, start: Sequence[Status] = UNFINISHED, **columns: Any) -> bool:
        """Change a job's status from one of `start` to `to`, with other columns; return whether it did."""
        values = {**columns, "status": to}
        if to not in UNFINISHED:
            values |= {"finished_at": now(), "estimated_finish": None}
        marks = ", ".join("?" * len(start))
        sets = ", ".join(f"{name} = ?" for name in values)
        query = f"UPDATE jobs SET {sets} WHERE id = ? AND status IN ({marks})"  # noqa: S608
        return self._database.write(query, *map(_column, values.values()), job_id, *start) == 1

    def note(self, job_id: str, **columns: Any) -> None:
        """Change columns other than the status."""
        sets = ", ".join(f"{name} = ?" for name in columns)
        query = f"UPDATE jobs SET {sets} WHERE id = ?"  # noqa: S608
        self._database.write(query, *map(_column, columns.values()), job_id)

    def fail(self, job_id: str, *, code: str, message: str, param: str | None = None) -> bool:
        """Fail a job with a reason; a job that has ended stays as it is."""
        with self._database.transaction():
            error = {"code": code, "message": message, "param": param}
            failed = self.move(job_id, "failed", error=error)
            if failed:
                self.add_event(job_id, message, level="error")
        return failed

    def cancel(self, job_id: str) -> bool:
        """Cancel a job; its process notices at its next step."""
        with self._database.transaction():
            cancelled = self.move(job_id, "cancelled")
            if cancelled:
                self.add_event(job_id, "The job was cancelled.")
        return cancelled

    def pause(self, job_id: str) -> bool:
        """Pause a job: one that is training writes a checkpoint at its next step, and its process ends."""
        with self._database.transaction():
            resting = self.move(job_id, "pausing", start=["running"])
            resting = resting or self.move(job_id, "paused", start=["validating_files", "queued"])
            if resting:
                self.add_event(job_id, "The job will be paused.")
        return resting

    def settle_pause(self, job_id: str) -> None:
        """Mark a pausing job as paused, once it no longer has a process."""
        with self._database.transaction():
            if self.move(job_id, "paused", start=["pausing"], estimated_finish=None, pid=None):
                self.add_event(job_id, "The job is paused and keeps its progress.")

    def resume(self, job_id: str) -> bool:
        """Resume a paused job from where it was, after validating its files again."""
        with self._database.transaction():
            resumed = self.move(job_id, "validating_files", start=RESTING, attempts=0)
            if resumed:
                self.add_event(job_id, "The job was resumed.")
        return resumed

    def add_event(
        self,
        job_id: str,
        message: str,
        *,
        level: Literal["info", "warn", "error"] = "info",
        data: Mapping[str, Any] | None = None,
    ) -> None:
        """Add an event; with `data` its type is `metrics`."""
        self._database.write(
            "INSERT INTO events (id, job_id, created_at, level, message, type, data)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            new_id("ftevent"),
            job_id,
            now(),
            level,
            message,
            "message" if data is None else "metrics",
            None if data is None else json.dumps(dict(data)),
        )

    def events(self, job_id: str, *, limit: int, after: str | None) -> Page[StoredEvent]:
        """Return a page of a job's events, newest first."""
        return read_page(
            self._database,
            StoredEvent,
            "events",
            where="job_id = ?",
            values=[job_id],
            limit=limit,
            after=after,
        )

    def add_step(self, job_id: str, step: int, metrics: Mapping[str, float]) -> None:
        """Record the metrics of a step; a restarted job replaces those of its first attempt."""
        self._database.write(
            "INSERT OR REPLACE INTO metrics (job_id, step, metrics) VALUES (?, ?, ?)",
            job_id,
            step,
            json.dumps(dict(metrics)),
        )

    def steps(self, job_id: str) -> list[tuple[int, dict[str, float]]]:
        """Return (step, metrics) of all steps in order."""
        rows = self._database.rows("SELECT step, metrics FROM metrics WHERE job_id = ? ORDER BY step", job_id)
        return [(row["step"], json.loads(row["metrics"])) for row in rows]

    def add_checkpoint(self, job_id: str, *, step: int, name: str, metrics: Mapping[str, float]) -> None:
        """Add a checkpoint; a restarted job may add it again."""
        self._database.write(
            "INSERT INTO checkpoints (id, job_id, created_at, step, name, metrics) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (job_id, step) DO UPDATE SET metrics = excluded.metrics",
            new_id("ftckpt"),
            job_id,
            now(),
            step,
            name,
            json.dumps(dict(metrics)),
        )

    def checkpoints(self, job_id: str, *, limit: int, after: str | None) -> Page[StoredCheckpoint]:
        """Return a page of a job's checkpoints, newest first."""
        return read_page(
            self._database,
            StoredCheckpoint,
            "checkpoints",
            where="job_id = ?",
            values=[job_id],
            limit=limit,
            after=after,
        )


def tuned_name(model: str, suffix: str | None) -> str:
    """Return a new name for a model tuned from `model`: `ft:<model>:local:<suffix>:<8 characters>`.

    A model that was tuned itself hands on the name of its base: clients know that one.
    """
    base = Path(model).name if model.startswith("/") else model
    if model.startswith("ft:"):
        base = model.split(":")[1]
    return f"ft:{base}:local:{suffix or ''}:{random_name(8)}"


def _column(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, Mapping) else value
