"""The protocol of the one call that costs money: at most one job for a spec, no matter what crashes, or when.

Under a lock that all clones of this user share: look for a live job with this spec; write the intent; mark it
*sending* just before the first byte leaves; POST once; record; look once more for a second one. An unclear
request is looked for, and never sent again to a server that doesn't honour the key, unless the experiment
says after how long it may be.

Where a run can die, and what the next one finds (the words are those of docs/architecture.md):
looked      no intent: nothing was sent
intended    an intent: nothing was sent, it is replaced
announced   the ledger has an estimate for an intent that was not sent: it is voided
noted       a note beside the lock: as announced; another clone, or a lost state, takes the call for sent
sending     state and backup say so: the job is looked for through the settle window
posted      as sending: the server has the job, or has it soon, or never got it
recorded    the job is in the state; a second one is looked for while waiting. The note names it, so that a
            clone finds it before the provider's list shows it
"""

from __future__ import annotations

import time
import uuid
from contextlib import ExitStack

from ftrun.errors import DecisionError, FtrunError
from ftrun.paid.finding import await_listing, find_with, refuse_duplicates
from ftrun.paid.job_spec import attempt_of, request_of, spec
from ftrun.paid.ownership import why_another
from ftrun.paid.peers import (
    job_lock,
    leave_note,
    may_show_late,
    open_call,
    take_back_note,
    take_over_notes,
)
from ftrun.paid.refused_jobs import FILES_BUSY, refusal_error
from ftrun.paid.spending import announce, settle
from ftrun.paid.unresolved import the_one, unclear_error
from ftrun.state import Intent, JobRecord
from ftrun.state.ledger import Charge
from ftrun.state.locks import held_by_user
from ftrun.targets import Created, Job, NotCreated, Unclear
from ftrun.targets.matching import key_of
from ftrun.waiting import waiting
from ftrun.watching.processing import wait_for_files
from ftrun.workflow.context import Context

STAGE = "train"  # the stage that pays for the job
RESENDS = 3  # to a server that honours the key
AUTOMATIC_RESENDS = 1  # by `budget.unclear.resend_after`: a server that never shows its jobs must not get ten


def create_or_adopt(context: Context, key: str) -> JobRecord:
    """Return the job with this spec key: the target's own or, if there is none, a new one, recorded."""
    what = "another run is about to create this very job, from another folder of this machine"
    with held_by_user(job_lock(context, key), what=what, wait=context.settings.wait_for_lock):
        take_over_notes(context, key=key)
        job, adopted = _look_or_create(context, key)
        record = record_job(context, key, job, adopted=adopted)
        if not adopted:
            refuse_duplicates(context, key)
    return record


def _look_or_create(context: Context, key: str) -> tuple[Job, bool]:
    """Return the job and whether it was adopted."""
    intent = open_call(context, key)
    found, alike = find_with(context, context.service(), key, intent)
    if found:
        return the_one(context, found), True
    if intent is not None and is_unclear(context, intent):
        return _resolve(context, key, intent)
    if may_show_late(context, key) and (
        found := await_listing(context, key, context.experiment.target.settle)
    ):
        return the_one(context, found), True
    before, resends = ([], 0) if intent is None else (intent.seen, intent.resends)
    return _create_when_ready(context, key, intent, [*before, *(job.id for job in alike)], resends)


def _create_when_ready(
    context: Context, key: str, old: Intent | None, seen: list[str], resends: int
) -> tuple[Job, bool]:
    """Create the job; a server that refuses it only until it has processed the files, which creates nothing,
    is asked again.
    """
    started: float | None = None
    with ExitStack() as wait:
        while True:
            try:
                return _create(context, key, old, seen=seen, resends=resends)
            except FtrunError as error:
                if error.code != FILES_BUSY:
                    raise
                if started is None:
                    started = time.monotonic()
                    context.emit("note", text=f"{error}; waiting until it has")
                    wait.enter_context(waiting(f"{context.where} to process the files"))
            wait_for_files(context, started)
            old = context.state.intents.get(key)


def is_unclear(context: Context, intent: Intent | None) -> bool:
    """Return whether a call may have created a job that nobody has seen yet."""
    sending = intent is not None and intent.phase == "sending"
    return sending and not context.settings.confirm_not_created and not context.local


def may_resend(context: Context, intent: Intent) -> bool:
    """Return whether the experiment lets an unclear call be sent again without asking."""
    return context.experiment.budget.resend_after is not None and intent.resends < AUTOMATIC_RESENDS


def _create(
    context: Context, key: str, old: Intent | None, *, seen: list[str], resends: int
) -> tuple[Job, bool]:
    if not context.local and STAGE not in context.approval.stages:  # the plan had seen a job to adopt
        raise DecisionError(
            "the job that was to be adopted no longer exists; nothing was sent",
            code="not_confirmed",
            hint="Run the same command again: it plans again.",
        )
    repeat = old is not None and old.phase == "sending" and context.local
    intent = old if old is not None and repeat else _new_intent(context, key, old, seen, resends)
    leave_note(context, job_lock(context, key), intent)
    intent.phase = "sending"
    context.save(no_way_back=True)
    outcome = _send(context, key, intent)
    if isinstance(outcome, Created):
        return outcome.job, False
    if isinstance(outcome, NotCreated):
        _close(context, key, old, resends)
        settle(context, Charge("job", intent.id, "void", usd=0.0))
        raise refusal_error(context, outcome)
    intent.reason = outcome.reason
    context.save()
    return _resolve(context, key, intent)


def _new_intent(context: Context, key: str, old: Intent | None, seen: list[str], resends: int) -> Intent:
    """Write into state and ledger what is about to be paid; DecisionError if the month's budget is spent."""
    if old is not None and not _is_open(
        old, resends
    ):  # it never left, or a person says that it created nothing
        settle(context, Charge("job", old.id, "void", usd=0.0))
    intent = Intent(id=str(uuid.uuid4()), phase="intent", at=time.time(), seen=seen, resends=resends)
    context.state.intents[key] = intent
    context.save()
    try:
        announce(context, "job", intent.id, context.approval.estimate.get("train_usd"))
    except DecisionError:
        _close(context, key, old, resends)
        raise
    return intent


def _is_open(old: Intent, resends: int) -> bool:
    """Return whether the outcome of the call before this one is unknown: it is sent once more."""
    return resends > old.resends


def _close(context: Context, key: str, old: Intent | None, resends: int) -> None:
    """Forget a call that certainly created no job, but not the open one that it was to make up for."""
    del context.state.intents[key]
    still_open = old is not None and _is_open(old, resends)
    if old is not None and still_open:
        context.state.intents[key] = old
    context.save(no_way_back=True)
    take_back_note(context, job_lock(context, key), old if still_open else None)


def _send(context: Context, key: str, intent: Intent) -> Created | NotCreated | Unclear:
    """POST once; to a server that honours the key, an unclear request is sent again."""
    request = request_of(context, key).with_metadata(ftrun_intent=intent.id)
    outcome = context.service().create_job(request, intent.id)
    for _again in range(RESENDS):
        if not isinstance(outcome, Unclear) or not context.service().honours_keys:
            break
        outcome = context.reconnect().create_job(request, intent.id)
    wrong = _why_not_created(context, key, intent, outcome.job) if isinstance(outcome, Created) else None
    if isinstance(outcome, Created) and wrong is not None:
        return Unclear(reason=f"the server answered with {outcome.job.id}, which {wrong}")
    return outcome


def _why_not_created(context: Context, key: str, intent: Intent, job: Job) -> str | None:
    """Return in words why the job of an answer is not the one that was just requested, None where it is."""
    if job.metadata.get("ftrun_intent") == intent.id:
        return None
    others = {record.job_id for spec_key, record in context.state.jobs.items() if spec_key != key}
    if job.id in others.union(intent.seen):  # a gateway may answer with a call of yesterday
        return "existed before"
    service = context.service()
    try:
        if key_of(job) is None and not job.training_file:  # the answer says too little to know it by
            job = service.job(job.id)
    except FtrunError:
        return None
    try:
        return why_another(context.state, service, job, key, spec(context), just_made=True)
    except FtrunError as error:
        return f"can't be compared: {error}"


def _resolve(context: Context, key: str, intent: Intent) -> tuple[Job, bool]:
    """Look for the job of an unclear call; DecisionError when none shows up and a person must decide."""
    resend = may_resend(context, intent)
    window = context.experiment.target.settle
    if resend:
        window = max(window, context.experiment.budget.resend_after or 0.0)
    intent.reason = intent.reason or "the run ended before there was an answer"
    context.emit("note", text=f"no clear answer ({intent.reason}); looking for the job for {window:.0f} s")
    context.state.intents[key] = intent  # of another clone, it may be
    found = await_listing(context, key, window)
    if found:
        return the_one(context, found), True
    context.save()
    if resend:
        context.emit("note", text="no job showed up: sent again, as budget.unclear.resend_after says")
        return _create(context, key, intent, seen=intent.seen, resends=intent.resends + 1)
    raise unclear_error(context, intent)


def record_job(context: Context, key: str, job: Job, *, adopted: bool) -> JobRecord:
    """Record the job of this spec key, durably, and close its intent."""
    intent = context.state.intents.pop(key, None)
    record = JobRecord(
        job_id=job.id,
        status=job.status,
        attempt=attempt_of(context),
        fine_tuned_model=job.fine_tuned_model,
        adopted=adopted,
        created_at=job.created_at,
        hyperparameters=dict(job.hyperparameters),
        intent=intent.id if intent else None,
        spec={name: value for name, value in spec(context).items() if value is not None},
        seen=intent.seen if intent else [],
    )
    context.state.jobs[key] = record
    context.save()
    leave_note(context, job_lock(context, key), intent, made=job.id)
    if intent is None:
        settle(context, Charge("job", job.id, "adopted", usd=0.0, what=job.id))
    context.emit("note", text=f"job {job.id} {'adopted' if adopted else 'created'}")
    return record
