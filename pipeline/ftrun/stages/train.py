"""The job is created or adopted: at most one for a spec. How it is created is `creation`'s, which is imported
where something is to be done: a run with nothing to do must not pay for it.
"""

from __future__ import annotations

from typing import Any

from ftrun.errors import DecisionError
from ftrun.paid.job_spec import spec, spec_base, spec_key
from ftrun.state import Intent, JobRecord
from ftrun.targets import Job, Service
from ftrun.targets.errors import get_or_none
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision, changes, fingerprint, shortened

NAME = "train"
UNCLEAR = "an earlier create had no clear answer, and the target lists no such job (yet)"
ENDED = ("succeeded", "stopped", "failed", "cancelled")
LOOKING = "an earlier create had no clear answer: looking for its job"


def inputs(context: Context) -> dict[str, Any]:
    """Return the spec of the job, with its attempt."""
    return {**spec(context), "attempt": context.state.attempts.get(spec_base(context), 1)}


def outputs(context: Context) -> tuple[str, ...]:
    """Return no file: it writes none."""
    return ()


def decide(context: Context, remote: Service | None) -> Decision:
    """Take the job that there is, or say that one is to be created and why."""
    key = spec_key(context)
    job = context.state.jobs.get(key)
    if job is not None:
        return _about(context, job, remote)
    from ftrun.paid.creation import find, is_unclear
    from ftrun.paid.peers import open_call

    found = find(context, remote, key) if remote else []
    if found and (context.force != NAME or key in context.state.intents):
        return Decision(action="adopt", reasons=(_there(found[0], key),))
    intent = None if found else open_call(context, key)
    if intent is not None and is_unclear(context, intent):
        return _about_unclear(context, intent)
    if context.force == NAME:
        return Decision(action="run", reasons=("--force: one more attempt",))
    record = context.state.stages.get(NAME)
    if record is None:
        return Decision(action="run", reasons=("no job with this configuration",))
    return Decision(action="run", reasons=changes(record.inputs, shortened(inputs(context))))


def _about(context: Context, job: JobRecord, remote: Service | None) -> Decision:
    """Decide on a job that is recorded."""
    if context.force == NAME:
        return _forced(context, job, remote)
    if job.duplicates:
        return _about_duplicates(context, job, remote)
    if job.status in ("failed", "cancelled"):
        return Decision(action="blocked", reasons=(_death(job),), code="job_failed")
    if _replaced(context, job):
        return Decision(action="adopt", reasons=(f"job {job.job_id} was taken over for this configuration",))
    return Decision(action="skip", reasons=(f"job {job.job_id} has this configuration",))


def _replaced(context: Context, job: JobRecord) -> bool:
    """Return whether the stage remembers another job of this configuration than the one that counts."""
    record = context.state.stages.get(NAME)
    if record is None or record.result.get("job_id") in (None, job.job_id):
        return False
    return record.fingerprint == fingerprint(inputs(context))


def _forced(context: Context, job: JobRecord, remote: Service | None) -> Decision:
    """Make one more attempt, unless that is what was asked for before: a command that is repeated after a
    break, by a loop or a CI, must not pay each time.
    """
    if job.attempt > 1 and not context.local and _goes_on(context, job, remote):
        words = f"job {job.job_id}, which --force asked for last, has not ended"
        return Decision(action="blocked", reasons=(words,), code="job_running")
    return Decision(action="run", reasons=("--force: one more attempt",))


def _goes_on(context: Context, job: JobRecord, remote: Service | None) -> bool:
    """Return whether a job works still; one that the target does not know (any more) does not."""
    if job.status in ENDED or remote is None:
        return job.status not in ENDED
    now = _if_there(context, remote, job.job_id)
    return now is not None and not (now.dead or now.succeeded)


def _about_duplicates(context: Context, job: JobRecord, remote: Service | None) -> Decision:
    if remote is None:
        words = f"there were {1 + len(job.duplicates)} jobs with this configuration when last looked"
        return Decision(action="blocked", reasons=(words,), code="duplicates")
    live = _live(context, job, remote)
    if len(live) > 1:
        names = ", ".join(one.id for one in live)
        words = f"there are {len(live)} jobs with this configuration: {names}"
        return Decision(action="blocked", reasons=(words,), code="duplicates")
    return Decision(action="adopt", reasons=("of several jobs with this configuration one is left",))


def _live(context: Context, job: JobRecord, remote: Service) -> list[Job]:
    """Return those of the duplicates that are alive; one that the target does not know (any more) is not."""
    found = [_if_there(context, remote, job_id) for job_id in (job.job_id, *job.duplicates)]
    return [one for one in found if one is not None and not one.dead]


def _if_there(context: Context, remote: Service, job_id: str) -> Job | None:
    """Return our job of that id; another that the server has under it by now is not ours to end."""
    from ftrun.paid.ownership import is_ours

    job = get_or_none(remote.job, job_id, certain=True)
    return job if job is not None and is_ours(context.state, remote, job, spec_key(context)) else None


def _about_unclear(context: Context, intent: Intent) -> Decision:
    from ftrun.paid.creation import may_resend

    if may_resend(context, intent):
        return Decision(action="run", reasons=(LOOKING, "if none shows up it is sent once more"))
    if intent.reason is None:  # the run died before it could look for the job long enough
        return Decision(action="wait", reasons=(LOOKING,))
    return Decision(action="blocked", reasons=(UNCLEAR,), code="unclear")


def _there(job: Job, key: str) -> str:
    from ftrun.targets.matching import key_of

    if key_of(job) == key:
        return f"the target has job {job.id} with this configuration"
    given = ", ".join(f"{name} {value}" for name, value in job.hyperparameters.items())
    return f"the target has job {job.id}, which does the same work ({given or 'it tells no more'})"


def _death(job: JobRecord) -> str:
    return f"job {job.job_id} {job.status}" + (f": {job.error}" if job.error else "")


def costs(context: Context, decision: Decision) -> bool:
    """Return whether a job would be created, or may have been."""
    return decision.action in ("run", "blocked")


def run(context: Context) -> dict[str, Any]:
    """Create the job, or adopt the one that is there; record it and return its id."""
    from ftrun.paid.creation import job_of

    if context.force == NAME:
        _raise_attempt(context)
    key = spec_key(context)
    known = context.state.jobs.get(key)
    if known is None:
        known = job_of(context, key)
    elif known.duplicates:
        known = _keep_the_live_one(context, key, known)
    return {"job_id": known.job_id}


def _raise_attempt(context: Context) -> None:
    """Ask for one job more, unless the one asked for last was never made: then that is the one to make."""
    from ftrun.paid.creation import find

    base, key = spec_base(context), spec_key(context)
    if key in context.state.intents:
        return
    if key in context.state.jobs or find(context, context.service(), key):
        context.state.attempts[base] = context.state.attempts.get(base, 1) + 1
        context.save()


def _keep_the_live_one(context: Context, key: str, known: JobRecord) -> JobRecord:
    from ftrun.paid.creation import remember
    from ftrun.paid.unresolved import duplicates_error

    live = _live(context, known, context.service())
    if len(live) > 1:
        raise duplicates_error(context, live)
    if live and live[0].id != known.job_id:
        return remember(context, key, live[0], adopted=True)
    known.duplicates = []
    context.save()
    return known


def blocked_error(context: Context, code: str) -> Exception:
    """Return the error of a blocked decision: `duplicates`, `unclear` or `job_running`."""
    from ftrun.paid.peers import open_call
    from ftrun.paid.unresolved import duplicates_error, unclear_error

    key = spec_key(context)
    if code == "duplicates":
        return duplicates_error(context, _live(context, context.state.jobs[key], context.service()))
    if code == "job_running":
        return _running_error(context, context.state.jobs[key])
    return unclear_error(context, open_call(context, key))


def _running_error(context: Context, job: JobRecord) -> DecisionError:
    return DecisionError(
        f"job {job.job_id}, which --force train asked for last, has not ended; another was not created",
        code="job_running",
        hint=f"`{context.command('run')}` goes on with it. To have another, end it first: "
        f"`{context.command('cancel')}`.",
    )
