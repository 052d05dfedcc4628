"""Which jobs at the target are the one of a spec key: by its metadata, else by the work that they do.

Only looks, creates nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from ftrun.errors import FtrunError
from ftrun.paid.job_spec import attempt_of, request_of
from ftrun.paid.peers import noted_job, open_call
from ftrun.paid.unresolved import duplicates_error, left_error, unclear_error
from ftrun.state import Intent
from ftrun.targets import TRANSIENT, Job, Service
from ftrun.targets.matching import key_of
from ftrun.waiting import waiting
from ftrun.workflow.context import Context

LONGEST_PAUSE = 10.0  # seconds between two looks


def find(context: Context, service: Service, key: str) -> list[Job]:
    """Return the jobs at the target that are the one of this spec key, dead ones too."""
    return find_with(context, service, key, open_call(context, key))[0]


def find_with(
    context: Context, service: Service, key: str, intent: Intent | None
) -> tuple[list[Job], list[Job]]:
    """Return the jobs that are the one of this spec key, and all that do its work; `intent` is its open call.

    A job that carries the key is. Where metadata are stripped, a job that does the same work is: with an
    intent, one that did not exist before it (no clock is compared); without, as after a lost state, a live
    one, but never for a further attempt, whose forerunners do the same work. One that lists don't show yet is
    known from the run of this user that created it.
    """
    alike = _alike(context, service, key, () if intent is None else intent.seen)
    ours = alike
    if intent is None and not all(key_of(job) == key for job in alike):
        ours = [job for job in alike if not job.dead] if attempt_of(context) == 1 else []
    return ours or noted_job(context, service, key), alike


def _alike(context: Context, service: Service, key: str, seen: Sequence[str]) -> list[Job]:
    others = {record.job_id for spec_key, record in context.state.jobs.items() if spec_key != key}
    found = service.find_jobs(request_of(context, key), others=others)
    return [job for job in found if key_of(job) == key or job.id not in seen]


def await_listing(context: Context, key: str, window: float) -> list[Job]:
    """Look until the job shows up, for `window` seconds of a clock that nobody can set; DecisionError if the
    last look failed: a job that was not seen then may exist.
    """
    deadline, pause = time.monotonic() + window, 1.0
    with waiting(f"the job to show in the list of {context.where}"):
        while True:
            failed, found = None, []
            try:
                found = find(context, context.service(), key)
            except FtrunError as error:
                failed = error
            left = deadline - time.monotonic()
            if failed is not None and context.local:
                raise failed
            if failed is not None and (left <= 0 or failed.code not in TRANSIENT):
                raise unclear_error(context, context.state.intents.get(key), failed) from failed
            if found or left <= 0:
                return found
            time.sleep(min(pause, left))
            pause = min(pause * 2, LONGEST_PAUSE)


def refuse_duplicates(context: Context, key: str) -> None:
    """Look for a second live job of this spec, as two machines at once would create; DecisionError if so."""
    record = context.state.jobs[key]
    try:
        alike = _alike(context, context.service(), key, record.seen)
    except FtrunError as error:
        if error.code not in TRANSIENT:
            raise
        context.emit("warning", message=f"could not look for a second job: {error}")
        return
    found = [job for job in alike if not job.dead and job.id not in record.seen]
    record.duplicates = [job.id for job in found if job.id != record.job_id]
    if record.duplicates:
        context.save()
        own = next((job for job in alike if job.id == record.job_id), None)
        if len(found) == 1 and own is not None and own.dead:
            raise left_error(context, own, found[0])
        raise duplicates_error(context, found)
