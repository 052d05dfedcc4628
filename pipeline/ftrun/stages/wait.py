"""The job is watched until it ends; its metrics are fetched. Nothing here creates a job."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ftrun.errors import DecisionError, FtrunError
from ftrun.files import write_atomic
from ftrun.paid.history import recalled
from ftrun.paid.job_spec import spec_key
from ftrun.state import JobRecord
from ftrun.targets import Job, NotFoundError, Service
from ftrun.text import without_formulas
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision, shortened

if TYPE_CHECKING:  # a run with nothing to do watches nothing
    from ftrun.watching.watch import Watch

NAME = "wait"
STOPPED = "stopped"  # by a guard, with a checkpoint that is used instead of the end
ENDED_WELL = ("succeeded", STOPPED)
GUARD = "train.stop_when: "  # what the reason of a job that a guard stopped begins with
NO_METRICS = "step,train_loss,train_accuracy,valid_loss\n"
LOST = ("not_found", "forbidden", "refused", "result_file")  # a result file that asking again won't bring


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
    this = record is not None and record.result.get("job_id") == job.job_id
    if job.status in ENDED_WELL and same and this and here:
        why = f"stopped early: {job.error}" if job.status == STOPPED else "the job succeeded"
        return Decision(action="skip", reasons=(why,))
    return Decision(action="wait", reasons=(f"job {job.job_id} is {job.status}",))


def costs(context: Context, decision: Decision) -> bool:
    """Tell that it costs nothing anywhere."""
    return False


def run(context: Context) -> dict[str, Any]:
    """Wait for the end, write metrics.csv and return the model's name."""
    record = context.state.jobs[spec_key(context)]
    if record.status in ENDED_WELL and context.force != NAME:
        known = recalled(context)
        if known is not None:
            return dict(known)
    job = _awaited(context, record)
    stopped = record.error if record.error and record.error.startswith(GUARD) and not job.succeeded else None
    model, checkpoints = job.fine_tuned_model, []
    if job.succeeded or stopped:
        checkpoints = [dict(point) for point in context.service().checkpoints(job.id)]
    if stopped:
        model = best_checkpoint(checkpoints)
    _remember(context, record, job, model, stopped)
    _settle(context, record, job)
    if not model:
        raise _failure(context, job, stopped)
    _fetch_metrics(context, job)
    return {
        "job_id": job.id,
        "spec": spec_key(context),
        "fine_tuned_model": model,
        "trained_tokens": job.trained_tokens,
        "hyperparameters": dict(job.hyperparameters),
        "seed": job.seed,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "checkpoints": checkpoints,
        **({"stopped_early": stopped} if stopped else {}),
    }


def restore(context: Context) -> None:
    """Put back the metrics that a fresh clone lacks, or that a run for another job has overwritten."""
    recalled(context)


def _awaited(context: Context, record: JobRecord) -> Job:
    """Return our ended job; DecisionError where this account has no such job."""
    try:
        return _watched(context, record).until_the_end()
    except NotFoundError as error:
        raise DecisionError(
            f"the target has no job {record.job_id} for the key in use: it may belong to another account or "
            "project than the one that made the job; nothing was sent",
            code="unknown_job",
            hint="With that account's key the same command goes on. If the job is really gone: "
            f"`{context.command('run', '--force', 'train')}` creates another.",
        ) from error


def _watched(context: Context, record: JobRecord) -> Watch:
    """Return the watch of our job: every change, and why a guard stops it, is in the state at once."""
    watch = watch_of(context, record.job_id)
    # nobody else made the same job at the same time; one found after an unclear call may be another's
    alone = context.local or (record.adopted and record.intent is None)

    def told(job: Job) -> None:
        if job.status != record.status and record.status != STOPPED:
            record.status = job.status
            context.save()

    def looked(job: Job, seconds: float) -> None:
        """Look for a job that another machine made: when a list has had the time to show it, or at the end
        of one that was waited for less long, as after --detach.
        """
        nonlocal alone
        if not alone and (job.succeeded or job.dead or seconds >= context.experiment.target.settle):
            from ftrun.paid.creation import look_again

            look_again(context, spec_key(context))
            alone = True

    def stopping(reason: str) -> None:
        record.error = f"{GUARD}{reason}"
        context.save()

    watch.told, watch.looked, watch.stopping = told, looked, stopping
    return watch


def watch_of(context: Context, job_id: str, *, guarded: bool = True) -> Watch:
    """Return the watch of a job; `guarded`: train.stop_when may stop it."""
    from ftrun.paid.ownership import require_ours
    from ftrun.targets.matching import key_of
    from ftrun.watching.stop_rules import Guard
    from ftrun.watching.watch import Pace, Watch

    guarded = guarded and context.experiment.target.capabilities.get("guards") != "theirs"
    shortest, longest = context.poll
    verified: tuple[str | None, ...] = ()

    def verify(job: Job) -> None:
        nonlocal verified
        told = (key_of(job), job.model, job.training_file, job.validation_file)
        if told != verified:
            require_ours(context.state, context.service(), job)
        verified = told

    return Watch(
        job_id=job_id,
        service=context.service,
        reconnect=context.reconnect,
        where=context.where,
        emit=context.emit,
        pace=Pace(shortest=shortest, longest=longest),
        local=context.local,
        guard=Guard(when=context.experiment.train.stop_when) if guarded else Guard(),
        max_wait=context.max_wait,
        verify=verify,
    )


def failure_of(job: Job, told: str | None = None) -> FtrunError:
    """Return the error for a job that ended without a model; `told`: its last words elsewhere."""
    from ftrun.targets.job_failures import cause_of

    cause = cause_of(job)
    reason = job.error or told or "the server gives no reason"
    return FtrunError(f"job {job.id} {job.status}: {reason}", code=cause.code, hint=cause.hint)


def best_checkpoint(checkpoints: list[dict[str, Any]]) -> str | None:
    """Return the model of the checkpoint with the lowest validation loss; None where none has one."""
    from ftrun.watching.stop_rules import SERIES

    def loss(point: dict[str, Any]) -> float:
        return next((float(point["metrics"][name]) for name in SERIES if name in point["metrics"]), math.inf)

    best = min(checkpoints, key=loss, default=None)
    return str(best["model"]) if best and best["model"] and math.isfinite(loss(best)) else None


def _remember(context: Context, record: JobRecord, job: Job, model: str | None, stopped: str | None) -> None:
    record.status = STOPPED if stopped and model else job.status
    record.fine_tuned_model, record.error = model, stopped or job.error
    record.hyperparameters = dict(job.hyperparameters)
    record.finished_at, record.trained_tokens = job.finished_at, job.trained_tokens
    context.save()


def _settle(context: Context, record: JobRecord, job: Job) -> None:
    """Tell the ledger what the job cost: nothing if it failed; an adopted one was paid for elsewhere."""
    if record.settled or record.intent is None:
        return
    from ftrun.paid.budgets import count_job  # a run with nothing to do pays nothing
    from ftrun.paid.spending import settle, train_usd

    tokens = 0 if job.status == "failed" else job.trained_tokens
    count_job(context, tokens)
    if tokens is not None:
        usd = train_usd(context, tokens)
        settle(context, "job", record.intent, "actual", usd=usd, tokens=tokens, what=job.id)
    record.settled = True
    context.save()


def _failure(context: Context, job: Job, stopped: str | None) -> FtrunError:
    if stopped:
        return FtrunError(
            f"job {job.id} was cancelled: {stopped}",
            code="job_stopped",
            hint="Lower train.hyperparameters.learning_rate_multiplier, or look at the data (`ftrun check`); "
            "changed values are another job.",
        )
    return failure_of(job, None if job.error else _last_error(context, job))


def _last_error(context: Context, job: Job) -> str | None:
    """Return what the job's last error event says, where the job itself says nothing."""
    events = context.service().events(job.id)
    return next((event.message for event in reversed(events) if event.level == "error"), None)


def _fetch_metrics(context: Context, job: Job) -> None:
    """Write the job's metrics; a model that is paid for is asked questions also when they are lost."""
    from ftrun.evaluation.metrics import parse_metrics

    found = NO_METRICS
    if job.result_files:
        try:
            found = context.service().result_csv(job.result_files[0])
        except FtrunError as error:
            if error.code not in LOST:
                raise
            again = context.command("run", "--force", "wait")
            kept = recalled(context) is not None
            curve = "the curve that is kept is used" if kept else "there is no training curve"
            context.emit("warning", message=f"{error}; {curve}. To ask again: {again}")
    if not parse_metrics(found) and recalled(context) is not None:
        return  # what the server had once is not replaced by nothing
    write_atomic(context.folder / "metrics.csv", without_formulas(found))
