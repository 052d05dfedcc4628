"""What was measured of an experiment: the training metrics of its job, and the last evaluation's scores.

Reads the run's files and the archive and, for a job that they have nothing of, asks the server. Takes no lock
and writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from ftrun.evaluation.learning_curve.fit import Fit, explain, validation_curve
from ftrun.evaluation.learning_curve.metric_rows import MetricRow, parse_metrics, row_of_event
from ftrun.evaluation.results import Scores
from ftrun.paid.history import METRICS, SCORES, archive_folder
from ftrun.runner.present import present_job
from ftrun.runner.session import Session
from ftrun.targets import Event, Service

MOST_EVENTS = 2_000  # of a running job, the newest
SERIES = tuple(one.name for one in fields(MetricRow) if one.name != "step")


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """The metrics of a job by step. `source` None: nothing is known, or the server can't be asked now.

    `fit` is None for a rehearsal, whose losses are made up.
    """

    job_id: str
    job_status: str | None
    source: Literal["file", "history", "server"] | None = None
    rows: tuple[MetricRow, ...] = ()
    fit: Fit | None = None
    notes: tuple[str, ...] = ()

    @property
    def last(self) -> dict[str, float]:
        """Return the last step, and the last value of everything that was measured."""
        found: dict[str, float] = {}
        for row in self.rows:
            found |= {name: value for name, value in asdict(row).items() if value is not None}
        return found

    @property
    def best(self) -> dict[str, float] | None:
        """Return the step with the lowest validation loss, and that loss, smoothed where it is of batches."""
        found = validation_curve(self.rows)
        if found is None or len(found.steps) < 2:
            return None
        return {"step": found.steps[found.lowest], "valid_loss": found.values[found.lowest]}


def training_of(session: Session, ask: Callable[[str], tuple[Service, str] | None]) -> Training | None:
    """Return the metrics of the experiment's job; None if it has none.

    `ask` gets the job's id and returns a connection and the job's status, None if the server can't be asked.
    """
    job_id = present_job(session)
    if job_id is None:
        return None
    key, known = next(
        ((key, job) for key, job in session.state.jobs.items() if job.job_id == job_id), ("", None)
    )
    status = known.status if known else None
    waited = session.state.stages.get("wait")
    ours = waited is not None and waited.status == "done" and waited.result.get("job_id") == job_id
    kept: tuple[tuple[Literal["file", "history"], Path], ...] = (
        *((("file", session.folder / METRICS),) if ours else ()),
        *((("history", archive_folder(session.folder, key) / METRICS),) if key else ()),
    )
    for source, path in kept:
        if rows := _rows_in(path):
            return _training(session, job_id, status, source, rows)
    found = ask(job_id)
    if found is None:
        note = "the server can't be asked now, and no metrics of this job are stored here"
        return Training(job_id=job_id, job_status=status, notes=(note,))
    service, status = found
    rows, notes = _asked(service, job_id)
    return _training(session, job_id, status, "server", rows, notes)


def _training(
    session: Session,
    job_id: str,
    status: str | None,
    source: Literal["file", "history", "server"],
    rows: tuple[MetricRow, ...],
    notes: tuple[str, ...] = (),
) -> Training:
    made_up = session.experiment.target.rehearses
    if made_up:
        notes = (*notes, "a rehearsal: these losses are made up")
    fit = explain(rows) if rows and not made_up else None
    return Training(job_id=job_id, job_status=status, source=source, rows=rows, fit=fit, notes=notes)


def _rows_in(path: Path) -> tuple[MetricRow, ...]:
    try:
        return parse_metrics(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ()


def _asked(service: Service, job_id: str) -> tuple[tuple[MetricRow, ...], tuple[str, ...]]:
    """Return what the server has of a job: its result file if it has ended, else what its events say."""
    job = service.job(job_id)
    if (
        job.succeeded
        and job.result_files
        and (rows := parse_metrics(service.result_csv(job.result_files[0])))
    ):
        return rows, ()
    events = service.events(job_id, newest=MOST_EVENTS)
    cut = len(events) >= MOST_EVENTS
    notes = (f"only the newest {MOST_EVENTS:,} events were read: earlier steps are left out",) if cut else ()
    return _rows_of(events), notes


def _rows_of(events: Iterable[Event]) -> tuple[MetricRow, ...]:
    found = {row.step: row for event in events if (row := row_of_event(event.data)) is not None}
    return tuple(found[step] for step in sorted(found))


def scores_of(session: Session) -> Scores | None:
    """Return the scores of the last evaluation; None without any that can be read."""
    if not (session.folder / SCORES).exists():
        return None
    from ftrun.paid.asking.evaluating import last_evaluation
    from ftrun.runner.apply import context_of

    try:
        return last_evaluation(context_of(session))[0]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
