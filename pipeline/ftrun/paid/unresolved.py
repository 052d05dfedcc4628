"""The errors where a person must decide: it is unknown whether there is a job, or there are several."""

from __future__ import annotations

from collections.abc import Sequence

from ftrun.errors import DecisionError, FtrunError
from ftrun.state import Intent
from ftrun.targets import Job
from ftrun.targets.job_refusals import advice
from ftrun.workflow.context import Context


def unclear_error(context: Context, intent: Intent | None, failed: FtrunError | None = None) -> DecisionError:
    """Return the error of an unclear call whose job does not show up, with both commands that resolve it;
    `failed`: the target could not even be asked.
    """
    reason = intent.reason if intent and intent.reason else "an earlier run ended before there was an answer"
    found = advice(context.experiment, reason)
    fix = f" If the server's answer was a refusal: {found.hint}" if found is not None else ""
    reason += f"; {failed}" if failed is not None else ""
    return DecisionError(
        f"it is unknown whether a job was created ({reason}); it may exist and cost money",
        code="unclear",
        hint="Check the provider's list of jobs. If the job is listed: "
        f"`{context.command('adopt', after=('JOB_ID',))}`. "
        f"If it is not: `{context.command('run', '--confirm-not-created')}`.{fix}",
    )


def the_one(context: Context, found: Sequence[Job]) -> Job:
    """Return the live job, or the newest dead one; DecisionError when several are alive."""
    live = [job for job in found if not job.dead]
    if len(live) > 1:
        raise duplicates_error(context, live)
    return live[0] if live else max(found, key=lambda job: job.created_at or 0)


def duplicates_error(context: Context, live: Sequence[Job]) -> DecisionError:
    """Return the error that lists jobs of one spec, with the commands that keep one and cancel the others."""
    names = ", ".join(f"{job.id} ({job.status})" for job in live)
    at_work = [job.id for job in live if not job.succeeded]
    cancel = "".join(f" To cancel {one}: `{context.command('cancel', after=(one,))}`." for one in at_work)
    return DecisionError(
        f"there are {len(live)} jobs with this configuration: {names}. Nothing was cancelled",
        code="duplicates",
        hint=f"Keep one: `{context.command('adopt', after=('JOB_ID',))}`.{cancel}",
    )


def left_error(context: Context, ended: Job, left: Job) -> DecisionError:
    """Return the error for our job that ended without a model while another of the same spec is alive."""
    return DecisionError(
        f"job {ended.id} {ended.status}, and job {left.id} ({left.status}) has the same configuration",
        code="duplicates",
        hint=f"`{context.command('run')}` adopts {left.id}.",
    )
