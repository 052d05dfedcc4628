"""Owns taking a job that somebody names for the experiment's own: verified first, recorded then.

Nothing is created, cancelled or uploaded here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from ftrun.errors import DecisionError, FtrunError, UsageError
from ftrun.runner.apply import Outcome, Settings, do_free_stages, locked_context
from ftrun.runner.session import Session
from ftrun.stages import Context
from ftrun.stages.creation import find, remember, request_of
from ftrun.stages.spec import spec_key
from ftrun.stages.upload import ROLES, remote_name, size_of
from ftrun.state import Upload
from ftrun.targets import Job, RemoteFile
from ftrun.targets.matching import contradictions, same_model
from ftrun.targets.trouble import is_gone


def adopt(session: Session, job_id: str, *, unverified: bool, wait: bool, emit: Any) -> dict[str, Any]:
    """Verify that the job does this experiment's work, record it, and return what is known of it.

    `unverified` takes a job whose files the target has no more: their hash can't be compared then. UsageError
    when there is no such job; DecisionError when it is another's; FtrunError when it ended without a model.
    """
    settings = Settings(wait_for_lock=wait)
    with locked_context(session, settings, emit) as context:
        do_free_stages(session, context, settings, Outcome())
        key = spec_key(context)
        job = _job(context, job_id)
        _check_free(context, key, job)
        _check_configuration(context, key, job)
        files = {role: _check_file(context, job, role, unverified=unverified) for role in ROLES}
        _check_successor(context, key, job)
        for role, file in files.items():
            sha = context.sha(role)
            if file is not None and sha is not None:
                context.state.uploads[sha] = Upload(file_id=file.id, name=file.name, bytes=file.bytes)
        twins = [one.id for one in find(context, context.service(), key) if one.id != job.id]
        record = remember(context, key, job, adopted=True)
        record.seen = [*record.seen, *twins]  # a person has chosen: they are not asked about again
        context.save()
    return {
        "experiment": session.experiment.name,
        "target": session.experiment.target.name,
        "job_id": record.job_id,
        "job_status": record.status,
        "fine_tuned_model": record.fine_tuned_model,
        "spec": key,
    }


def _job(context: Context, job_id: str) -> Job:
    try:
        job = context.service().job(job_id)
    except FtrunError as error:
        if error.code != "not_found":
            raise
        raise UsageError(
            f"this account has no job {job_id} at target {context.experiment.target.name!r}",
            code="no_such_job",
            hint="The id begins with ftjob-; the key in use says which account is asked.",
        ) from error
    if job.dead:
        raise FtrunError(
            f"job {job.id} {job.status}: there is no model to take over",
            code=f"job_{job.status}",
            hint=f"`{context.command('run', '--force', 'train')}` creates another.",
        )
    return job


def _refuse(what: str, hint: str | None = None) -> DecisionError:
    return DecisionError(f"{what}; nothing was changed", code="not_this_job", hint=hint)


def _check_free(context: Context, key: str, job: Job) -> None:
    """Refuse a job that is recorded for another configuration, or says so itself."""
    others = [spec for spec, one in context.state.jobs.items() if one.job_id == job.id and spec != key]
    told = job.metadata.get("ftrun_spec", key)
    if others or told != key:
        raise _refuse(
            f"job {job.id} was made for another configuration of an experiment",
            "Go back to that configuration: it takes the job by itself.",
        )


def _check_configuration(context: Context, key: str, job: Job) -> None:
    request = request_of(context, key)
    if not same_model(request.model, job.model):
        raise _refuse(f"job {job.id} tunes {job.model}, this experiment {request.model}")
    wrong = contradictions(job, request)
    if wrong:
        told = ", ".join(
            f"{name} {job.hyperparameters[name]} instead of {request.hyperparameters[name]}" for name in wrong
        )
        raise _refuse(f"job {job.id} was asked for {told}")
    for name, asked, has in (("seed", request.seed, job.seed), ("suffix", request.suffix, job.suffix)):
        if has is not None and asked is not None and asked != has:
            raise _refuse(f"job {job.id} has the {name} {has}, this experiment {asked}")


def _check_file(context: Context, job: Job, role: str, *, unverified: bool) -> RemoteFile | None:
    """Return the job's file of that role, once its bytes are known to be those that are prepared here."""
    file_id = job.training_file if role == "train" else job.validation_file
    sha = context.sha(role)
    if (file_id is None) != (sha is None):
        has, here = ("no", "one") if file_id is None else ("a", "none")
        raise _refuse(f"job {job.id} has {has} file of {role} data, this experiment has {here}")
    if file_id is None or sha is None:
        return None
    file = context.service().file(file_id)
    if file is None:
        if unverified:
            return None
        raise _refuse(
            f"the target has the file {file_id} of job {job.id} no more: its data can't be compared",
            f"If they are these: `{context.command('adopt', '--unverified', after=(job.id,))}`.",
        )
    named = file.name == remote_name(context, role)
    same_size = file.bytes == size_of(context, role)
    if same_size and (named or _hash(context.service().file_content, file.id) == sha):
        return file
    raise _refuse(f"job {job.id} was trained on other {role} data ({file.name}, {file.bytes:,} bytes)")


def _hash(content: Callable[[str], bytes], file_id: str) -> str:
    return hashlib.sha256(content(file_id)).hexdigest()


def _check_successor(context: Context, key: str, job: Job) -> None:
    """Refuse to push out a live job, unless it is one of duplicates; say what still runs."""
    known = context.state.jobs.get(key)
    if known is None or known.job_id == job.id:
        return
    old = _if_there(context, known.job_id)
    if old is not None and not old.dead and job.id not in known.duplicates:
        raise _refuse(f"this configuration has job {old.id} already ({old.status})")
    for other in (known.job_id, *known.duplicates):
        one = _if_there(context, other)
        if one is not None and other != job.id and not one.dead and not one.succeeded:
            way = context.command("cancel", after=(other,))
            context.emit("warning", message=f"job {other} still runs. To end it: {way}")


def _if_there(context: Context, job_id: str) -> Job | None:
    try:
        return context.service().job(job_id)
    except FtrunError as error:
        if not is_gone(error):
            raise
        return None
