"""How a job goes, as a page shows it: its curve in few points, its newest step, its messages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from ftrun.engine.store.database import Database
from ftrun.engine.store.records import StoredEvent, from_row


class CurvePoint(NamedTuple):
    """The mean losses per token of some neighbouring steps, of which `step` is the last; None: unknown."""

    step: int
    train_loss: float | None
    valid_loss: float | None
    full_valid_loss: float | None


def loss_curve(database: Database, job_id: str, *, points: int) -> list[CurvePoint]:
    """Return at most about `points` points of a job's losses, in the order of its steps."""
    losses = ", ".join(f"avg(json_extract(metrics, '$.{name}'))" for name in CurvePoint._fields[1:])
    last = database.row("SELECT max(step) AS step FROM metrics WHERE job_id = ?", job_id)
    size = (last["step"] or 0) // points + 1 if last is not None else 1
    query = (
        f"SELECT max(step), {losses} FROM metrics WHERE job_id = ?"  # noqa: S608  # the names are ours
        " GROUP BY (step - 1) / ? ORDER BY step"
    )
    return [CurvePoint(*row) for row in database.rows(query, job_id, size)]


def newest_step(database: Database, job_id: str) -> Mapping[str, Any]:
    """Return what the newest step of a job said: step, total_steps, its metrics; nothing before the first."""
    query = "SELECT data FROM events WHERE job_id = ? AND type = 'metrics' ORDER BY seq DESC LIMIT 1"
    row = database.row(query, job_id)
    found: Mapping[str, Any] = {} if row is None else json.loads(row["data"])
    return found


def newest_messages(database: Database, job_id: str, *, limit: int) -> list[StoredEvent]:
    """Return the newest events of a job that are not about a step, newest first."""
    query = "SELECT * FROM events WHERE job_id = ? AND type = 'message' ORDER BY seq DESC LIMIT ?"
    return [from_row(StoredEvent, row) for row in database.rows(query, job_id, limit)]
