"""The job is watched until it ends; its metrics are fetched. Nothing here creates a job."""

from __future__ import annotations

import math
from typing import Any

from ftrun.errors import DecisionError, FtrunError, PendingError
from ftrun.files import write_atomic
from ftrun.paid.history import archive, restore_fuller_curve, restore_wait, warn_damaged, with_earlier
from ftrun.paid.job_spec import spec_key
from ftrun.state import JobRecord
from ftrun.targets import Job, NotFoundError, Service
from ftrun.text import without_formulas
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision, shortened
from ftrun.workflow.stage import Stage

STOPPED = "stopped"  # by a stop rule, with a checkpoint that is used instead of the end
ENDED_WELL = ("succeeded", STOPPED)
STOP_WHEN = "train.stop_when: "  # how the error of a job begins that a stop rule cancelled
NO_METRICS = "step,train_loss,train_accuracy,valid_loss\n"
LOST = ("not_found", "forbidden", "refused", "result_file")  # a result file that asking again won't bring


class WaitStage(Stage):
    """Waits for the job and fetches its metrics."""

    name = "wait"
    trains = True

    def applies(self, context: Context) -> bool:
        """Return whether the experiment has data to train on."""
        return context.experiment.trains

    def inputs(self, context: Context) -> dict[str, Any]:
        """Return which job is waited for."""
        return {"job": spec_key(context)}

    def outputs(self, context: Context) -> tuple[str, ...]:
        """Return the metrics file where the local engine can give it again at once."""
        return ("metrics.csv",) if context.local else ()

    def decide(self, context: Context, remote: Service | None) -> Decision:
        """Skip a job that ended well and whose metrics are here."""
        job = context.state.jobs.get(spec_key(context))
        record = context.state.stages.get(self.name)
        if job is None:
            return Decision(action="wait", reasons=("for the job to be created",))
        if self.forced(context):
            return Decision(action="wait", reasons=("--force",))
        here = all((context.folder / name).exists() for name in self.outputs(context))
        same = (
            record is not None
            and record.status == "done"
            and record.inputs == shortened(self.inputs(context))
            and record.result.get("job_id") == job.job_id
        )
        if job.status in ENDED_WELL and same and here:
            why = f"stopped early: {job.error}" if job.status == STOPPED else "the job succeeded"
            return Decision(action="skip", reasons=(why,))
        return Decision(action="wait", reasons=(f"job {job.job_id} is {job.status}",))

    def detach(self, context: Context) -> None:
        """Leave a job that has not ended to itself."""
        if self.decide(context, None).action == "skip":
            return
        record = context.state.jobs[spec_key(context)]
        look, wait = context.command("status"), context.command("run")
        message = f"Job {record.job_id} keeps running."
        if record.ended:  # one that was adopted
            message = f"Job {record.job_id} has ended ({record.status}); nothing was fetched of it yet."
        raise PendingError(
            message,
            code="pending",
            hint=f"To look at it: `{look}`. To wait for it and evaluate the model: `{wait}`.",
        )

    def run(self, context: Context) -> dict[str, Any]:
        """Wait for the end, write metrics.csv and return the model's name."""
        record = context.state.jobs[spec_key(context)]
        if record.status in ENDED_WELL and not self.forced(context):
            archived = restore_wait(context)
            if archived is not None:
                return dict(archived)
        job = _ended_job(context, record)
        by_rule = record.error is not None and record.error.startswith(STOP_WHEN) and not job.succeeded
        stopped = record.error if by_rule else None
        model, checkpoints = job.fine_tuned_model, []
        if job.succeeded or stopped:
            checkpoints = [dict(point) for point in context.service().checkpoints(job.id)]
        if stopped:
            model = _best_checkpoint(checkpoints)
        _record(context, record, job, model, stopped)
        _settle(context, record, job)
        if not model:
            raise _failure(context, job, stopped)
        _fetch_metrics(context, job)
        found = {
            "job_id": job.id,
            "spec": spec_key(context),
            "fine_tuned_model": model,
            "trained_tokens": job.trained_tokens,
            "hyperparameters": dict(job.hyperparameters),
            "seed": job.seed,
            "created_at": job.created_at,
            "finished_at": job.finished_at,
            "checkpoints": checkpoints,
            **({"dtype": job.dtype} if context.local and job.dtype else {}),
            **({"stopped_early": stopped} if stopped else {}),
        }
        return with_earlier(context, found)

    def keep(self, context: Context, *, skipped: bool) -> None:
        """Archive what training found; first restore the metrics that a fresh clone lacks, or that a run for
        another job has overwritten.
        """
        if skipped:
            restore_wait(context)
        warn_damaged(context)  # before anything is asked
        archive(context, answers=False)


def _ended_job(context: Context, record: JobRecord) -> Job:
    """Return our ended job; DecisionError where this account has no such job.

    Every change, and why a stop rule cancels it, is in the state at once.
    """
    from ftrun.paid.job_watch import watch_of

    watch = watch_of(context, record.job_id)
    # nobody else created the same job at the same time; one found after an unclear request may be another's
    alone = context.local or (record.adopted and record.intent is None)

    def on_status(job: Job) -> None:
        if job.status != record.status and record.status != STOPPED:
            record.status = job.status
            context.save()

    def on_look(job: Job, seconds: float) -> None:
        """Look for a job that another machine created: when a list has had the time to show it, or at the end
        of one that was waited for less long, as after --detach.
        """
        nonlocal alone
        if not alone and (job.succeeded or job.dead or seconds >= context.experiment.target.settle):
            from ftrun.paid.finding import refuse_duplicates

            refuse_duplicates(context, spec_key(context))
            alone = True

    def on_stop(reason: str) -> None:
        record.error = f"{STOP_WHEN}{reason}"
        context.save()

    watch.on_status, watch.on_look, watch.on_stop = on_status, on_look, on_stop
    try:
        return watch.until_the_end()
    except NotFoundError as error:
        raise DecisionError(
            f"the target has no job {record.job_id} for the key in use: it may belong to another account or "
            "project than the one that created the job; nothing was sent",
            code="unknown_job",
            hint="Run the same command with that account's key. If the job is really gone: "
            f"`{context.command('run', '--force', 'train')}` creates another.",
        ) from error


def _best_checkpoint(checkpoints: list[dict[str, Any]]) -> str | None:
    """Return the model of the checkpoint with the lowest validation loss; None where none has one."""
    from ftrun.watching.stop_rules import SERIES

    def loss(point: dict[str, Any]) -> float:
        return next((float(point["metrics"][name]) for name in SERIES if name in point["metrics"]), math.inf)

    best = min(checkpoints, key=loss, default=None)
    return str(best["model"]) if best and best["model"] and math.isfinite(loss(best)) else None


def _record(context: Context, record: JobRecord, job: Job, model: str | None, stopped: str | None) -> None:
    record.status = STOPPED if stopped and model else job.status
    record.fine_tuned_model, record.error = model, stopped or job.error
    # asked again, a server may know less than it did
    record.hyperparameters = dict(job.hyperparameters) or record.hyperparameters
    record.finished_at = job.finished_at or record.finished_at
    record.trained_tokens = job.trained_tokens or record.trained_tokens
    context.save()


def _settle(context: Context, record: JobRecord, job: Job) -> None:
    """Write into the ledger what the job cost: nothing if it failed; an adopted one was paid elsewhere."""
    if record.settled or record.intent is None:
        return
    from ftrun.paid.budgets import count_job  # a run with nothing to do pays nothing
    from ftrun.paid.spending import settle, train_usd
    from ftrun.state.ledger import Charge

    tokens = 0 if job.status == "failed" else job.trained_tokens
    count_job(context, tokens)
    if tokens is not None:
        usd = train_usd(context, tokens)
        settle(context, Charge("job", record.intent, "actual", usd=usd, tokens=tokens, what=job.id))
    record.settled = True
    context.save()


def _failure(context: Context, job: Job, stopped: str | None) -> FtrunError:
    if stopped:
        return FtrunError(
            f"job {job.id} was cancelled: {stopped}",
            code="job_stopped",
            hint="Lower train.hyperparameters.learning_rate_multiplier, or check the data (`ftrun check`); "
            "changed values make another job.",
        )
    from ftrun.paid.job_watch import failure_of
    from ftrun.paid.refused_jobs import row_of, with_place

    told = job.error or _last_error(context, job)
    error, row = failure_of(job, told), row_of(context, told or "")
    if row is None and job.error is not None and error.code == "job_data":
        row = row_of(context, _last_error(context, job) or "")  # its events may say more than the job
    return error if row is None else with_place(error, row, context)


def _last_error(context: Context, job: Job) -> str | None:
    """Return what the job's last error event says, where the job itself says nothing."""
    events = context.service().events(job.id)
    return next((event.message for event in reversed(events) if event.level == "error"), None)


def _fetch_metrics(context: Context, job: Job) -> None:
    """Write the job's metrics; a model that is paid for is asked questions also when they are lost. What the
    server had once is not replaced by less.
    """
    found, lost = NO_METRICS, None
    if job.result_files:
        try:
            found = context.service().result_csv(job.result_files[0])
        except FtrunError as error:
            if error.code not in LOST:
                raise
            lost = error
    archived = restore_fuller_curve(context, found)
    if not archived:
        write_atomic(context.folder / "metrics.csv", without_formulas(found))
    if lost is not None:
        again = context.command("run", "--force", "wait")
        curve = "the archived curve is used" if archived else "there is no training curve"
        context.emit("warning", message=f"{lost}; {curve}. To ask again: {again}")
    elif archived and found != NO_METRICS:
        message = f"the result file of {job.id} now has less than was archived; the archived curve is used"
        context.emit("warning", message=message)
