"""Watching our own job: each look makes sure that the job under its id is still ours."""

from __future__ import annotations

from ftrun.errors import FtrunError
from ftrun.paid.ownership import require_ours
from ftrun.targets import Job
from ftrun.targets.job_failures import cause_of
from ftrun.targets.matching import key_of
from ftrun.watching.stop_rules import StopRules
from ftrun.watching.watch import Pace, Watch
from ftrun.workflow.context import Context


def watch_of(context: Context, job_id: str, *, may_stop: bool = True) -> Watch:
    """Return the watch of a job; `may_stop`: train.stop_when may cancel it."""
    experiment = context.experiment
    ruled = may_stop and experiment.target.capabilities.get("guards") != "theirs"
    shortest, longest = context.poll
    verified: tuple[str | None, ...] = ()

    def verify(job: Job) -> None:
        nonlocal verified
        facts = (key_of(job), job.model, job.training_file, job.validation_file)
        if facts != verified:
            require_ours(context.state, context.service(), job)
        verified = facts

    return Watch(
        job_id=job_id,
        service=context.service,
        reconnect=context.reconnect,
        where=context.where,
        emit=context.emit,
        pace=Pace(shortest=shortest, longest=longest),
        local=context.local,
        stop_rules=StopRules(when=experiment.train.stop_when) if ruled else StopRules(),
        max_wait=context.settings.max_wait,
        resume=context.command("resume"),
        verify=verify,
    )


def failure_of(job: Job, last_error: str | None = None) -> FtrunError:
    """Return the error for a job that ended without a model; `last_error` is what its events say."""
    cause = cause_of(job)
    reason = job.error or last_error or "the server gives no reason"
    return FtrunError(f"job {job.id} {job.status}: {reason}", code=cause.code, hint=cause.hint)
