"""The job is watched until it ends; its metrics are fetched. Nothing here creates or stops anything."""

from __future__ import annotations

import time
from typing import Any

from ftrun.errors import FtrunError, PendingError
from ftrun.files import write_atomic
from ftrun.stages.context import Context
from ftrun.stages.creation import look_again
from ftrun.stages.decision import Decision, shortened
from ftrun.stages.spec import spec_key
from ftrun.state import JobRecord
from ftrun.targets import TRANSIENT, Job, Service

NAME = "wait"
PATIENCE = 600.0  # seconds that a server may be out of reach, or a finished job without its model's name
FIRST_LOOK = 3  # events


def inputs(context: Context) -> dict[str, Any]:
    """Return which job is waited for."""
    return {"job": spec_key(context)}


def outputs(context: Context) -> tuple[str, ...]:
    """Return the metrics file where the local engine can give it again at once."""
    return ("metrics.csv",) if context.local else ()


def decide(context: Context, remote: Service | None) -> Decision:
    """Skip a job that ended well and whose metrics are here."""
    job = context.state.jobs.get(spec_key(context))
    record = context.state.stages.get(NAME)
    if job is None:
        return Decision(action="wait", reasons=("for the job to be created",))
    if context.force == NAME:
        return Decision(action="wait", reasons=("--force",))
    here = all((context.folder / name).exists() for name in outputs(context))
    same = record is not None and record.status == "done" and record.inputs == shortened(inputs(context))
    if job.status == "succeeded" and same and here:
        return Decision(action="skip", reasons=("the job succeeded",))
    return Decision(action="wait", reasons=(f"job {job.job_id} is {job.status}",))


def costs(context: Context, decision: Decision) -> bool:
    """Tell that it costs nothing anywhere."""
    return False


def run(context: Context) -> dict[str, Any]:
    """Wait for the end, write metrics.csv and return the model's name."""
    record = context.state.jobs[spec_key(context)]
    job = _until_the_end(context, record)
    _remember(context, record, job)
    if not job.succeeded:
        raise FtrunError(
            f"job {job.id} {job.status}: {job.error or 'the server gives no reason'}",
            code=f"job_{job.status}",
            hint="Mend the cause; `--force train` creates another job (where that costs money it asks).",
        )
    _fetch_metrics(context, job)
    return {
        "job_id": job.id,
        "spec": spec_key(context),
        "fine_tuned_model": job.fine_tuned_model,
        "trained_tokens": job.trained_tokens,
        "hyperparameters": dict(job.hyperparameters),
        "seed": job.seed,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "checkpoints": [dict(point) for point in context.service().checkpoints(job.id)],
    }


def _remember(context: Context, record: JobRecord, job: Job) -> None:
    record.status = job.status
    record.fine_tuned_model, record.error = job.fine_tuned_model, job.error
    record.hyperparameters = dict(job.hyperparameters)
    record.finished_at, record.trained_tokens = job.finished_at, job.trained_tokens
    context.save()


def _until_the_end(context: Context, record: JobRecord) -> Job:
    shortest, longest = (0.2, 1.0) if context.local else context.experiment.target.poll
    start = lost_since = time.monotonic()
    pause, ended, seen = shortest, None, set[str]()
    alone = record.adopted or context.local  # nobody else made the same job at the same time
    while True:
        try:
            job = context.service().job(record.job_id)
            _tell_events(context, job, seen)
            lost_since = time.monotonic()
        except FtrunError as error:
            if error.code not in TRANSIENT:
                raise
            _bear(context, error, lost_since)
        else:
            if job.status != record.status:
                record.status = job.status
                context.save()
            if job.dead or (job.succeeded and job.fine_tuned_model):
                return job
            alone = alone or _looked_again(context, start)
            ended = ended or (time.monotonic() if job.succeeded else None)
            if ended and time.monotonic() - ended > PATIENCE:
                raise FtrunError(f"job {job.id} succeeded, but the server names no model", code="no_model")
        _check_patience(context, record, start)
        time.sleep(pause)
        pause = min(pause * 1.5, longest)


def _looked_again(context: Context, start: float) -> bool:
    """Look for a job that another machine made at the same time, once a list has had the time to show it."""
    if time.monotonic() - start < context.experiment.target.settle:
        return False
    look_again(context, spec_key(context))
    return True


def _bear(context: Context, error: FtrunError, since: float) -> None:
    """Live through a server that is away for a while; the local engine is started again at once."""
    if time.monotonic() - since > PATIENCE:
        raise error
    context.emit("note", text=f"{error}; the job goes on, trying again")
    if context.local:
        context.reconnect()


def _check_patience(context: Context, record: JobRecord, start: float) -> None:
    if context.max_wait is not None and time.monotonic() - start >= context.max_wait:
        raise PendingError(
            f"job {record.job_id} is {record.status}: it goes on without us",
            code="pending",
            hint="The same command goes on waiting.",
        )


def _tell_events(context: Context, job: Job, seen: set[str]) -> None:
    """Tell what is new; of what was there at the first look only the end, for one who comes back."""
    events = [event for event in context.service().events(job.id) if event.id not in seen]
    shown = events if seen else events[-FIRST_LOOK:]
    seen.update(event.id for event in events)
    for event in shown:
        if event.data.get("step") is not None:
            context.emit("step", job_id=job.id, **event.data)
        else:
            context.emit("job", job_id=job.id, level=event.level, text=event.message)
    context.emit("waiting", job_id=job.id, status=job.status, estimated_finish=job.estimated_finish)


def _fetch_metrics(context: Context, job: Job) -> None:
    if job.result_files:
        write_atomic(context.folder / "metrics.csv", context.service().result_csv(job.result_files[0]))
    else:
        write_atomic(context.folder / "metrics.csv", "step,train_loss,train_accuracy,valid_loss\n")
