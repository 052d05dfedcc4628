"""The job is created: at most one for a spec, whatever dies and whenever.

The order is the protocol: look for a live job with this spec; write the intent; mark it *sending* just before
the first byte leaves; POST once; record. What can't be told apart afterwards is looked for, never sent again
to a server that doesn't honour the key.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from typing import Any

import ftrun
from ftrun.errors import DecisionError
from ftrun.stages.context import Context
from ftrun.stages.decision import Decision
from ftrun.stages.spec import spec, spec_base, spec_key
from ftrun.state import Intent, JobRecord
from ftrun.targets import Created, Job, JobRequest, NotCreated, Service, Unclear

NAME = "train"
RESENDS = 3  # to a server that honours the key
UNCLEAR = "an earlier create had no clear answer, and the target lists no such job (yet)"


def inputs(context: Context) -> dict[str, Any]:
    """Return the spec of the job, with its attempt."""
    return {**spec(context), "attempt": context.state.attempts.get(spec_base(context), 1)}


def outputs(context: Context) -> tuple[str, ...]:
    """Return no file: it writes none."""
    return ()


def decide(context: Context, remote: Service | None) -> Decision:
    """Take the job that there is, or say that one is to be created and why."""
    from ftrun.stages.decision import changes, shortened

    key = spec_key(context)
    job = context.state.jobs.get(key)
    if context.force == NAME:
        return Decision(action="run", reasons=("--force: one more attempt",))
    if job is not None:
        if job.status in ("failed", "cancelled"):
            return Decision(action="blocked", reasons=(_death(job),), code="job_failed")
        return Decision(action="skip", reasons=(f"job {job.job_id} has this configuration",))
    intent = context.state.intents.get(key)
    found = remote.find_jobs(_request(context), intent.at if intent else None) if remote else []
    if found:
        return Decision(
            action="adopt", reasons=(f"the target has job {found[0].id} with this configuration",)
        )
    if _is_unclear(context, intent):
        return Decision(action="blocked", reasons=(UNCLEAR,), code="unclear")
    record = context.state.stages.get(NAME)
    why = (
        changes(record.inputs, shortened(inputs(context))) if record else ("no job with this configuration",)
    )
    return Decision(action="run", reasons=why)


def _death(job: JobRecord) -> str:
    return f"job {job.job_id} {job.status}" + (f": {job.error}" if job.error else "")


def _is_unclear(context: Context, intent: Intent | None) -> bool:
    sending = intent is not None and intent.phase == "sending"
    return sending and not context.confirmed_not_created and not context.local


def _request(context: Context) -> JobRequest:
    key = spec_key(context)
    wanted = spec(context)
    validation = wanted["validation data"]
    return JobRequest(
        model=wanted["model"],
        training_file=_file_id(context, wanted["training data"]),
        validation_file=_file_id(context, validation) if validation else None,
        hyperparameters=wanted["hyperparameters"],
        seed=wanted["seed"],
        suffix=wanted["suffix"],
        metadata={"ftrun_spec": key, "ftrun_version": ftrun.__version__},
    )


def _file_id(context: Context, sha: str) -> str:
    upload = context.state.uploads.get(sha)
    return upload.file_id if upload else ""


def costs(context: Context, decision: Decision) -> bool:
    """Tell whether a job would be created, or may have been."""
    return decision.action in ("run", "blocked")


def run(context: Context) -> dict[str, Any]:
    """Create the job, or adopt the one that is there; record it and return its id."""
    if context.force == NAME:
        base = spec_base(context)
        context.state.attempts[base] = context.state.attempts.get(base, 1) + 1
        context.save()
    key = spec_key(context)
    known = context.state.jobs.get(key)
    if known is None:
        job, adopted = _create_or_adopt(context, key)
        known = _record(context, key, job, adopted)
    return {"job_id": known.job_id}


def _create_or_adopt(context: Context, key: str) -> tuple[Job, bool]:
    intent = context.state.intents.get(key)
    found = context.service().find_jobs(_request(context), intent.at if intent else None)
    if found:
        return _the_one(found), True
    if _is_unclear(context, intent):
        return _settle(context, intent.at if intent else 0.0, intent.reason if intent else None), True
    return _create(context, key, intent)


def _create(context: Context, key: str, intent: Intent | None) -> tuple[Job, bool]:
    repeat = intent is not None and intent.phase == "sending" and not context.confirmed_not_created
    if intent is None or not repeat:
        intent = Intent(id=str(uuid.uuid4()), phase="intent", at=time.time())
    context.state.intents[key] = intent
    context.save()
    intent.phase = "sending"
    context.save()
    outcome = _send(context, intent)
    if isinstance(outcome, Created):
        return outcome.job, False
    if isinstance(outcome, NotCreated):
        del context.state.intents[key]
        context.save()
        raise outcome.as_error()
    intent.reason = outcome.reason
    context.save()
    return _settle(context, intent.at, outcome.reason), True


def _send(context: Context, intent: Intent) -> Created | NotCreated | Unclear:
    """POST once; to a server that honours the key, an unclear answer is asked for again."""
    request = _request(context)
    marked = JobRequest(
        model=request.model,
        training_file=request.training_file,
        validation_file=request.validation_file,
        hyperparameters=request.hyperparameters,
        seed=request.seed,
        suffix=request.suffix,
        metadata={**request.metadata, "ftrun_intent": intent.id},
    )
    outcome = context.service().create_job(marked, intent.id)
    for _again in range(RESENDS):
        if not isinstance(outcome, Unclear) or not context.service().honours_keys:
            break
        outcome = context.reconnect().create_job(marked, intent.id)
    return outcome


def _settle(context: Context, since: float, reason: str | None) -> Job:
    """Look for the job of an unclear call through the settle window; DecisionError when none shows up."""
    window = context.experiment.target.settle
    context.emit("note", text=f"no clear answer ({reason}); looking for the job for {window:.0f} s")
    deadline, pause = time.monotonic() + window, 1.0
    while True:
        found = context.service().find_jobs(_request(context), since)
        if found:
            return _the_one(found)
        if time.monotonic() >= deadline:
            break
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 2, 10.0)
    raise DecisionError(
        f"nobody can tell whether a job was created ({reason}); it may exist and cost money",
        code="unclear",
        hint=way_out(context),
    )


def way_out(context: Context) -> str:
    """Return what a person can do about an unclear create."""
    return (
        "Look at the provider's list of jobs. If none is there: "
        f"`ftrun run {context.experiment.file} --target {context.experiment.target.name} "
        "--confirm-not-created`. "
        "If one is there, the same command without that option looks again and adopts it."
    )


def _the_one(found: Sequence[Job]) -> Job:
    """Return the live job, or the newest dead one; DecisionError when several are alive."""
    live = [job for job in found if not job.dead]
    if len(live) > 1:
        names = ", ".join(f"{job.id} ({job.status})" for job in live)
        raise DecisionError(
            f"there are {len(live)} jobs with this configuration: {names}. Nothing was created or cancelled",
            code="duplicates",
            hint="Cancel all but one at the provider, then run the same command again.",
        )
    return live[0] if live else max(found, key=lambda job: job.created_at or 0)


def _record(context: Context, key: str, job: Job, adopted: bool) -> JobRecord:
    record = JobRecord(
        job_id=job.id,
        status=job.status,
        attempt=context.state.attempts.get(spec_base(context), 1),
        fine_tuned_model=job.fine_tuned_model,
        adopted=adopted,
        created_at=job.created_at,
        hyperparameters=dict(job.hyperparameters),
    )
    context.state.jobs[key] = record
    context.state.intents.pop(key, None)
    context.save()
    word = "adopted" if adopted else "created"
    context.emit("note", text=f"job {job.id} {word}")
    return record
