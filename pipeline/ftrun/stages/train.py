"""The job is created or adopted: at most one for a spec. `paid.creation` has the protocol; it is imported
where something must be done, so that a run with nothing to do doesn't load it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from ftrun.errors import DecisionError, FtrunError
from ftrun.experiment.places import shown_path
from ftrun.paid.job_spec import attempt_of, spec, spec_base, spec_key, starting_model
from ftrun.state import Intent, JobRecord
from ftrun.targets import Job, Service
from ftrun.targets.errors import get_or_none
from ftrun.workflow.context import Context
from ftrun.workflow.decision import Decision, changes, fingerprint, shortened
from ftrun.workflow.stage import Stage

UNCLEAR = "an earlier request to create the job was unclear, and the target does not list the job (yet)"
LOOKING = "an earlier request to create the job was unclear: looking for it"


class TrainStage(Stage):
    """Creates the job, or adopts the one that exists."""

    name = "train"
    trains = True
    force_pays = "create another job"

    def applies(self, context: Context) -> bool:
        """Return whether the experiment has data to train on."""
        return context.experiment.trains

    def inputs(self, context: Context) -> dict[str, Any]:
        """Return the spec of the job, with its attempt."""
        return {**spec(context), "attempt": attempt_of(context)}

    def decide(self, context: Context, remote: Service | None) -> Decision:
        """Take the job that exists, or say that one must be created and why."""
        key = spec_key(context)
        job = context.state.jobs.get(key)
        if job is not None:
            return self._about(context, job, remote)
        from ftrun.paid.creation import is_unclear
        from ftrun.paid.finding import find
        from ftrun.paid.peers import open_call

        found = find(context, remote, key) if remote else []
        if found and (not self.forced(context) or key in context.state.intents):
            return Decision(action="adopt", reasons=(_same_work(found[0], key),))
        intent = None if found else open_call(context, key)
        if intent is not None and is_unclear(context, intent):
            return _about_unclear(context, intent)
        if self.forced(context):
            return Decision(action="run", reasons=("--force: one more attempt",))
        if lost := _lost_import(context):
            words = f"job {lost}, from which this was imported, is not in the state"
            return Decision(action="blocked", reasons=(words,), code="import_lost")
        record = context.state.stages.get(self.name)
        if record is None:
            return Decision(action="run", reasons=("no job with this configuration",))
        return Decision(action="run", reasons=changes(record.inputs, shortened(self.inputs(context))))

    def _about(self, context: Context, job: JobRecord, remote: Service | None) -> Decision:
        """Decide on a job that is recorded."""
        if self.forced(context):
            return _about_forced(context, job, remote)
        if job.duplicates:
            return _about_duplicates(context, job, remote)
        if job.status in ("failed", "cancelled"):
            words = f"job {job.job_id} {job.status}" + (f": {job.error}" if job.error else "")
            return Decision(action="blocked", reasons=(words,), code="job_failed")
        if self._is_replaced(context, job):
            words = f"job {job.job_id} was adopted for this configuration"
            return Decision(action="adopt", reasons=(words,))
        return Decision(action="skip", reasons=(f"job {job.job_id} has this configuration",))

    def _is_replaced(self, context: Context, job: JobRecord) -> bool:
        """Return whether the stage remembers another job of this configuration than the one that counts."""
        record = context.state.stages.get(self.name)
        if record is None or record.result.get("job_id") in (None, job.job_id):
            return False
        return record.fingerprint == fingerprint(self.inputs(context))

    def costs(self, context: Context, decision: Decision) -> bool:
        """Return whether a job would be created, or may have been."""
        return decision.action in ("run", "blocked")

    def priced(self, context: Context) -> Mapping[str, Any]:
        """Count the training."""
        return {"train": True}

    def paid_before(self, context: Context) -> float:
        """Return what this configuration's job cost, as long as no run has evaluated its model."""
        from ftrun.paid.budgets import job_usd
        from ftrun.paid.history import evaluated

        return 0.0 if evaluated(context, spec_key(context)) is not None else job_usd(context)

    def preflight(self, context: Context, decision: Decision, remote: Service | None) -> list[str]:
        """Check the request and the model against what the target is known to accept."""
        if decision.action != "run":
            return []
        from ftrun.targets.preflight import check_model, check_request

        notes = check_request(context.experiment)
        if remote is not None:
            model = starting_model(context) or context.experiment.target.model
            notes += check_model(context.experiment, remote, model)
        return notes

    def blocked(self, context: Context, decision: Decision) -> FtrunError:
        """Return the error: a dead job is a failure, an unclear request or several jobs need a person."""
        from ftrun.paid.peers import open_call
        from ftrun.paid.unresolved import duplicates_error, unclear_error

        key = spec_key(context)
        if decision.code == "job_failed":
            from ftrun.paid.refused_jobs import row_of, with_place

            row = row_of(context, context.state.jobs[key].error or "")
            error = FtrunError(
                f"{'; '.join(decision.reasons)}. Nothing was sent",
                code="job_failed",
                hint=f"Fix the cause; `{context.command('run', '--force', 'train')}` creates another job.",
            )
            return error if row is None else with_place(error, row, context)
        if decision.code == "import_lost":
            return _import_error(context)
        if decision.code == "duplicates":
            return duplicates_error(context, _live(context, context.state.jobs[key], context.service()))
        if decision.code == "job_running":
            return _running_error(context, context.state.jobs[key])
        return unclear_error(context, open_call(context, key))

    def run(self, context: Context) -> dict[str, Any]:
        """Create the job, or adopt the one that exists; record it and return its id."""
        from ftrun.paid.creation import create_or_adopt

        if self.forced(context):
            _raise_attempt(context)
        key = spec_key(context)
        known = context.state.jobs.get(key)
        if known is None:
            known = create_or_adopt(context, key)
        elif known.duplicates:
            known = _keep_the_live_one(context, key, known)
        return {"job_id": known.job_id}


def _about_forced(context: Context, job: JobRecord, remote: Service | None) -> Decision:
    """Make one more attempt, unless that is what was asked for before: a command that is repeated after an
    interruption, by a loop or a CI, must not pay each time.
    """
    if job.attempt > 1 and not context.local and _is_running(context, job, remote):
        words = f"job {job.job_id}, which the last --force created, has not ended"
        return Decision(action="blocked", reasons=(words,), code="job_running")
    return Decision(action="run", reasons=("--force: one more attempt",))


def _is_running(context: Context, job: JobRecord, remote: Service | None) -> bool:
    """Return whether a job has not ended; one that the target doesn't know (any more) has."""
    if job.ended or remote is None:
        return not job.ended
    now = _if_ours(context, remote, job.job_id)
    return now is not None and not (now.dead or now.succeeded)


def _lost_import(context: Context) -> str | None:
    """Return the job that the file was imported from, if the state knows none at all: it was deleted, or the
    experiment has another name now, and training would be paid for twice. Not where the file has a second
    target, which may be the one to train on.
    """
    experiment = context.experiment
    own = experiment.places.get(("imported",))
    ours = experiment.imported is not None and own is not None and own[0] == experiment.file
    if context.local or context.state.jobs or not ours or len(experiment.targets) != 1:
        return None
    assert experiment.imported is not None
    return experiment.imported.job_id


def _import_error(context: Context) -> DecisionError:
    job_id = _lost_import(context)
    again = shlex.join(["ftrun", "import", str(job_id), "--config", shown_path(context.experiment.file)])
    return DecisionError(
        f"the state of job {job_id}, from which this was imported, is not here: its run folder was "
        "deleted or left out, or the experiment has another name now. Nothing was sent",
        code="import_lost",
        hint=f"`{again}` restores it and pays nothing. To pay for another job: "
        f"`{context.command('run', '--force', 'train')}`, or delete `imported` from the file.",
    )


def _about_duplicates(context: Context, job: JobRecord, remote: Service | None) -> Decision:
    if remote is None:
        words = f"there were {1 + len(job.duplicates)} jobs with this configuration when last checked"
        return Decision(action="blocked", reasons=(words,), code="duplicates")
    live = _live(context, job, remote)
    if len(live) > 1:
        names = ", ".join(one.id for one in live)
        words = f"there are {len(live)} jobs with this configuration: {names}"
        return Decision(action="blocked", reasons=(words,), code="duplicates")
    return Decision(action="adopt", reasons=("of several jobs with this configuration one is left",))


def _live(context: Context, job: JobRecord, remote: Service) -> list[Job]:
    """Return those of the duplicates that are alive; one that the target doesn't know (any more) is not."""
    found = [_if_ours(context, remote, job_id) for job_id in (job.job_id, *job.duplicates)]
    return [one for one in found if one is not None and not one.dead]


def _if_ours(context: Context, remote: Service, job_id: str) -> Job | None:
    """Return our job of that id; None if the target has none, or another one under that id by now."""
    from ftrun.paid.ownership import is_ours

    job = get_or_none(remote.job, job_id, certain=True)
    return job if job is not None and is_ours(context.state, remote, job, spec_key(context)) else None


def _about_unclear(context: Context, intent: Intent) -> Decision:
    from ftrun.paid.creation import may_resend

    if may_resend(context, intent):
        return Decision(action="run", reasons=(LOOKING, "if it does not show up, another request is sent"))
    if intent.reason is None:  # the run died before it could look for the job long enough
        return Decision(action="wait", reasons=(LOOKING,))
    return Decision(action="blocked", reasons=(UNCLEAR,), code="unclear")


def _same_work(job: Job, key: str) -> str:
    from ftrun.targets.matching import key_of

    if key_of(job) == key:
        return f"the target has job {job.id} with this configuration"
    given = ", ".join(f"{name} {value}" for name, value in job.hyperparameters.items())
    return f"the target has job {job.id}, which does the same work ({given or 'it gives no details'})"


def _raise_attempt(context: Context) -> None:
    """Ask for one job more, unless the last one was never created: then that is the one to create."""
    from ftrun.paid.finding import find

    base, key = spec_base(context), spec_key(context)
    if key in context.state.intents:
        return
    if key in context.state.jobs or find(context, context.service(), key):
        context.state.attempts[base] = context.state.attempts.get(base, 1) + 1
        context.save()


def _keep_the_live_one(context: Context, key: str, known: JobRecord) -> JobRecord:
    from ftrun.paid.creation import record_job
    from ftrun.paid.unresolved import duplicates_error

    live = _live(context, known, context.service())
    if len(live) > 1:
        raise duplicates_error(context, live)
    if live and live[0].id != known.job_id:
        return record_job(context, key, live[0], adopted=True)
    known.duplicates = []
    context.save()
    return known


def _running_error(context: Context, job: JobRecord) -> DecisionError:
    return DecisionError(
        f"job {job.job_id}, which the last --force train created, has not ended; another was not created",
        code="job_running",
        hint=f"`{context.command('run')}` continues with it. To have another, cancel it first: "
        f"`{context.command('cancel')}`.",
    )
