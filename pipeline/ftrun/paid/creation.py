"""The protocol of the one call that costs money: at most one job for a spec, whatever dies and whenever.

Under a lock that all clones of this user share: look for a live job with this spec; write the intent; mark it
*sending* just before the first byte leaves; POST once; record; look once more for a second one. What can't be
told apart afterwards is looked for, never sent again to a server that doesn't honour the key, unless the
experiment says after how long it may be.

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
from collections.abc import Sequence

import ftrun
from ftrun.errors import DecisionError, FtrunError
from ftrun.paid.job_spec import spec, spec_base
from ftrun.paid.ownership import why_another
from ftrun.paid.peers import (
    job_lock,
    leave_note,
    may_show_late,
    noted_job,
    open_call,
    take_back_note,
    take_over_notes,
)
from ftrun.paid.spending import announce, settle
from ftrun.paid.unresolved import duplicates_error, left_error, the_one, unclear_error
from ftrun.state import Intent, JobRecord
from ftrun.state.locks import held_by_user
from ftrun.targets import TRANSIENT, Created, Job, JobRequest, NotCreated, Service, Unclear
from ftrun.targets.matching import key_of
from ftrun.waiting import waiting
from ftrun.workflow.context import Context

RESENDS = 3  # to a server that honours the key
AUTOMATIC_RESENDS = 1  # by `budget.unclear.resend_after`: a server that never shows its jobs must not get ten
LONGEST_PAUSE = 10.0  # seconds between two looks


def job_of(context: Context, key: str) -> JobRecord:
    """Return the job with this spec key: the target's own or, if there is none, a new one, recorded."""
    what = "another run is about to create this very job, from another folder of this machine"
    with held_by_user(job_lock(context, key), what=what, wait=context.wait_for_lock):
        take_over_notes(context, key=key)
        job, adopted = _look_or_create(context, key)
        record = remember(context, key, job, adopted=adopted)
        if not adopted:
            look_again(context, key)
    return record


def request_of(context: Context, key: str) -> JobRequest:
    """Return the request for the job with this spec key."""
    wanted = spec(context)
    validation = wanted["validation data"]
    return JobRequest(
        model=wanted.get("continue from") or wanted["model"],
        training_file=_file_id(context, wanted["training data"]),
        validation_file=_file_id(context, validation) if validation else None,
        hyperparameters=wanted["hyperparameters"],
        seed=wanted["seed"],
        suffix=wanted["suffix"],
        extra_body=wanted.get("extra body", {}),
        own_hyperparameters=wanted.get("service hyperparameters", {}),
        metadata={"ftrun_spec": key, "ftrun_version": ftrun.__version__},
        method=wanted["method"],
        grader=wanted.get("grader"),
        file_names={upload.file_id: upload.name for upload in context.state.uploads.values()},
    )


def _file_id(context: Context, sha: str) -> str:
    upload = context.state.uploads.get(sha)
    return upload.file_id if upload else ""


def find(context: Context, service: Service, key: str) -> list[Job]:
    """Return the jobs at the target that are the one of this spec key, dead ones too.

    A job that carries the key is. Where metadata are stripped, a job that does the same work is: with an
    intent one that was not there before it (no clock is asked); without, as after a lost state, a live one,
    but never for a further attempt, whose forerunners do the same work. One that lists don't show yet is
    known from the run of this user that made it.
    """
    return _look(context, service, key, open_call(context, key))[0]


def _look(context: Context, service: Service, key: str, intent: Intent | None) -> tuple[list[Job], list[Job]]:
    """Return the jobs that are the one of this spec key, and all that do its work."""
    alike = _alike(context, service, key, () if intent is None else intent.seen)
    ours = alike
    if intent is None and not all(_carries(job, key) for job in alike):
        ours = [job for job in alike if not job.dead] if _attempt(context) == 1 else []
    return ours or noted_job(context, service, key), alike


def _alike(context: Context, service: Service, key: str, seen: Sequence[str]) -> list[Job]:
    others = {record.job_id for spec_key, record in context.state.jobs.items() if spec_key != key}
    found = service.find_jobs(request_of(context, key), others=others)
    return [job for job in found if _carries(job, key) or job.id not in seen]


def _carries(job: Job, key: str) -> bool:
    return key_of(job) == key


def _attempt(context: Context) -> int:
    return context.state.attempts.get(spec_base(context), 1)


def is_unclear(context: Context, intent: Intent | None) -> bool:
    """Return whether a call may have made a job that nobody has seen yet."""
    sending = intent is not None and intent.phase == "sending"
    return sending and not context.confirmed_not_created and not context.local


def may_resend(context: Context, intent: Intent) -> bool:
    """Return whether the experiment lets an unclear call be sent again without asking."""
    return context.experiment.budget.resend_after is not None and intent.resends < AUTOMATIC_RESENDS


def _look_or_create(context: Context, key: str) -> tuple[Job, bool]:
    intent = open_call(context, key)
    found, alike = _look(context, context.service(), key, intent)
    if found:
        return the_one(context, found), True
    if intent is not None and is_unclear(context, intent):
        return _settle(context, key, intent)
    if may_show_late(context, key) and (found := _look_for(context, key, context.experiment.target.settle)):
        return the_one(context, found), True
    before, resends = ([], 0) if intent is None else (intent.seen, intent.resends)
    return _create(context, key, intent, seen=[*before, *(job.id for job in alike)], resends=resends)


def _create(
    context: Context, key: str, old: Intent | None, *, seen: list[str], resends: int
) -> tuple[Job, bool]:
    _require_consent(context)
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
        settle(context, "job", intent.id, "void", usd=0.0)
        raise outcome.as_error()
    intent.reason = outcome.reason
    context.save()
    return _settle(context, key, intent)


def _new_intent(context: Context, key: str, old: Intent | None, seen: list[str], resends: int) -> Intent:
    """Write into state and ledger what is about to be paid; DecisionError if the month's budget is spent."""
    if old is not None and not _is_open(old, resends):  # it never left, or a person says that it made nothing
        settle(context, "job", old.id, "void", usd=0.0)
    intent = Intent(id=str(uuid.uuid4()), phase="intent", at=time.time(), seen=seen, resends=resends)
    context.state.intents[key] = intent
    context.save()
    try:
        announce(context, "job", intent.id, context.quote.get("train_usd"))
    except DecisionError:
        _close(context, key, old, resends)
        raise
    return intent


def _is_open(old: Intent, resends: int) -> bool:
    """Return whether nobody knows what became of the call before this one: it is sent once more."""
    return resends > old.resends


def _close(context: Context, key: str, old: Intent | None, resends: int) -> None:
    """Forget a call that certainly made no job, but not the open one that it was to make up for."""
    del context.state.intents[key]
    still_open = old is not None and _is_open(old, resends)
    if old is not None and still_open:
        context.state.intents[key] = old
    context.save(no_way_back=True)
    take_back_note(context, job_lock(context, key), old if still_open else None)


def _require_consent(context: Context) -> None:
    """Refuse to create what the plan had seen and would have adopted: nobody agreed to pay for it."""
    if not context.local and not context.consented:
        raise DecisionError(
            "the job that was to be adopted is not there any more; nothing was sent",
            code="not_confirmed",
            hint="Run the same command again: it plans anew.",
        )


def _send(context: Context, key: str, intent: Intent) -> Created | NotCreated | Unclear:
    """POST once; to a server that honours the key, an unclear answer is asked for again."""
    request = request_of(context, key).with_metadata(ftrun_intent=intent.id)
    outcome = context.service().create_job(request, intent.id)
    for _again in range(RESENDS):
        if not isinstance(outcome, Unclear) or not context.service().honours_keys:
            break
        outcome = context.reconnect().create_job(request, intent.id)
    wrong = _why_not_made(context, key, intent, outcome.job) if isinstance(outcome, Created) else None
    if isinstance(outcome, Created) and wrong is not None:
        return Unclear(reason=f"the server answered with {outcome.job.id}, which {wrong}")
    return outcome


def _why_not_made(context: Context, key: str, intent: Intent, job: Job) -> str | None:
    """Return in words why the job of an answer is not the one that was just asked for, None where it is."""
    if job.metadata.get("ftrun_intent") == intent.id:
        return None
    if job.id in _known_before(context, key, intent):
        return "was there before"
    service = context.service()
    try:
        if key_of(job) is None and not job.training_file:  # the answer tells too little to know it by
            job = service.job(job.id)
    except FtrunError:
        return None
    try:
        return why_another(context.state, service, job, key, spec(context), just_made=True)
    except FtrunError as error:
        return f"can't be compared: {error}"


def _known_before(context: Context, key: str, intent: Intent) -> set[str]:
    """Return jobs that can't be the one just asked for; a gateway may answer with a call of yesterday."""
    others = {record.job_id for spec_key, record in context.state.jobs.items() if spec_key != key}
    return others.union(intent.seen)


def _settle(context: Context, key: str, intent: Intent) -> tuple[Job, bool]:
    """Look for the job of an unclear call; DecisionError when none shows up and a person must decide."""
    resend = may_resend(context, intent)
    window = context.experiment.target.settle
    if resend:
        window = max(window, context.experiment.budget.resend_after or 0.0)
    intent.reason = intent.reason or "the run ended before there was an answer"
    context.emit("note", text=f"no clear answer ({intent.reason}); looking for the job for {window:.0f} s")
    context.state.intents[key] = intent  # of another clone, it may be
    found = _look_for(context, key, window)
    if found:
        return the_one(context, found), True
    context.save()
    if resend:
        context.emit("note", text="no job showed up: sent again, as budget.unclear.resend_after says")
        return _create(context, key, intent, seen=intent.seen, resends=intent.resends + 1)
    raise unclear_error(context, intent)


def _look_for(context: Context, key: str, window: float) -> list[Job]:
    """Look for `window` seconds of a clock that nobody can set; DecisionError if the last look failed: what
    was not seen then is not known to be missing.
    """
    with waiting(f"the job to show in the list of {context.where}"):
        return _looked_for(context, key, window)


def _looked_for(context: Context, key: str, window: float) -> list[Job]:
    deadline, pause = time.monotonic() + window, 1.0
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


def look_again(context: Context, key: str) -> None:
    """Look for a second live job of this spec, as two machines at once would make; DecisionError if so."""
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


def remember(context: Context, key: str, job: Job, *, adopted: bool) -> JobRecord:
    """Record the job of this spec key, durably, and close its intent."""
    intent = context.state.intents.pop(key, None)
    record = JobRecord(
        job_id=job.id,
        status=job.status,
        attempt=_attempt(context),
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
        settle(context, "job", job.id, "adopted", usd=0.0, what=job.id)
    context.emit("note", text=f"job {job.id} {'adopted' if adopted else 'created'}")
    return record
