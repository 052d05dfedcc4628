"""Adopting a job that a person names: verified first, then recorded. Creates, cancels and uploads nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from ftrun.errors import DecisionError, FtrunError, UsageError
from ftrun.paid.creation import record_job
from ftrun.paid.finding import find
from ftrun.paid.job_spec import ROLES, request_of, spec_key
from ftrun.paid.ownership import is_ours
from ftrun.paid.sending import local_file
from ftrun.runner.apply import Outcome, check_target, locked_context, run_offline_stages
from ftrun.runner.session import Session
from ftrun.state import JobRecord, Upload
from ftrun.targets import Job, RemoteFile
from ftrun.targets.errors import NotFoundError, get_or_none
from ftrun.targets.matching import differences, is_of, key_of, other_model, same_content
from ftrun.workflow.context import Context, RunSettings


def adopt(session: Session, job_id: str, *, unverified: bool, wait: bool, emit: Any) -> dict[str, Any]:
    """Verify that the job does this experiment's work, record it, and return what is known of it.

    `unverified` adopts a job whose files the target no longer has: their hash can't be compared then.
    UsageError when there is no such job; DecisionError when it is another's; FtrunError when it ended without
    a model.
    """
    with locked_context(session, RunSettings(wait_for_lock=wait), emit) as context:
        check_target(context)
        run_offline_stages(session, context, Outcome())
        key = spec_key(context)
        job = _job(context, job_id)
        _check_free(context, key, job)
        _check_configuration(context, key, job, unverified=unverified)
        files = {role: _check_file(context, job, role, unverified=unverified) for role in ROLES}
        _check_successor(context, key, job)
        for role, file in files.items():
            sha = context.sha(role)
            if file is not None and sha is not None:
                local = local_file(context, role)
                name, size = file.name or local.name, file.bytes or local.size
                context.state.uploads[sha] = Upload(file_id=file.id, name=name, bytes=size)
        twins = [one.id for one in find(context, context.service(), key) if one.id != job.id]
        record = _recorded(context, key, job)
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


def _recorded(context: Context, key: str, job: Job) -> JobRecord:
    """Record the job. If the state has it already, what is known of it stays, such as that we paid for it."""
    known = context.state.jobs.get(key)
    if known is None or known.job_id != job.id:
        return record_job(context, key, job, adopted=True)
    known.status, known.duplicates = job.status, []
    known.fine_tuned_model = job.fine_tuned_model or known.fine_tuned_model
    return known


def _job(context: Context, job_id: str) -> Job:
    try:
        job = context.service().job(job_id)
    except NotFoundError as error:
        raise UsageError(
            f"this account has no job {job_id} at target {context.experiment.target.name!r}",
            code="no_such_job",
            hint="The id begins with ftjob-; the key in use says which account is asked.",
        ) from error
    if job.dead:
        raise FtrunError(
            f"job {job.id} {job.status}: there is no model to adopt",
            code=f"job_{job.status}",
            hint=f"`{context.command('run', '--force', 'train')}` creates another.",
        )
    return job


def _refuse(what: str, hint: str | None = None) -> DecisionError:
    return DecisionError(f"{what}; nothing was changed", code="not_this_job", hint=hint)


def _check_free(context: Context, key: str, job: Job) -> None:
    """Refuse a job that is recorded for another configuration, or whose metadata say so."""
    others = [spec for spec, one in context.state.jobs.items() if one.job_id == job.id and spec != key]
    told = key_of(job)
    if told != key and (others or told is not None):
        raise _refuse(
            f"job {job.id} was made for another configuration of an experiment",
            "Go back to that configuration: its next run adopts the job.",
        )


def _check_configuration(context: Context, key: str, job: Job, *, unverified: bool) -> None:
    """Refuse a job that was requested differently, unless its spec key says that it is this one.

    A server may have its own name for a model: there a person's word is enough.
    """
    if key_of(job) == key:
        return
    request = request_of(context, key)
    wrong, model = differences(job, request), other_model(job, request.model)
    if wrong == [model]:
        if unverified:
            return
        raise _refuse(
            f"job {job.id} {model}",
            "If that is another name of the same model: "
            f"`{context.command('adopt', '--unverified', after=(job.id,))}`.",
        )
    if wrong:
        raise _refuse(f"job {job.id} {', '.join(wrong)}")


def _check_file(context: Context, job: Job, role: str, *, unverified: bool) -> RemoteFile | None:
    """Return the job's file of that role, once its bytes are known to be those that are prepared here.

    A validation file that the server does not name is no reason to refuse a job whose training file is ours.
    """
    file_id = job.training_file if role == "train" else job.validation_file
    sha = context.sha(role)
    if file_id and sha is None:
        raise _refuse(f"job {job.id} has a {role} file, this experiment has none")
    if sha is None or (role == "validation" and not file_id):
        return None
    local = local_file(context, role)
    name, size = local.name, local.size
    if same_content(file_id or "", name):  # its name has the hash
        return None
    file = get_or_none(context.service().file, file_id) if file_id else None
    if file is None:
        if unverified:
            return None
        raise _refuse(
            f"the target does not show the {role} file of job {job.id}: its data can't be compared",
            f"If it is the same data: `{context.command('adopt', '--unverified', after=(job.id,))}`.",
        )
    if is_of(file, name, size):
        return file
    # 0: the server does not give the size
    if file.bytes in (0, size) and _hash(context.service().file_content, file.id) == sha:
        return file
    raise _refuse(f"job {job.id} was trained on other {role} data ({file.name}, {file.bytes:,} bytes)")


def _hash(content: Callable[[str], bytes], file_id: str) -> str:
    return hashlib.sha256(content(file_id)).hexdigest()


def _check_successor(context: Context, key: str, job: Job) -> None:
    """Refuse to replace a live job, unless it is one of duplicates; warn of what still runs."""
    known = context.state.jobs.get(key)
    if known is None or known.job_id == job.id:
        return
    old = _if_there(context, key, known.job_id)
    if old is not None and not old.dead and job.id not in known.duplicates:
        raise _refuse(f"this configuration already has job {old.id} ({old.status})")
    for other in (known.job_id, *known.duplicates):
        one = _if_there(context, key, other)
        if one is not None and other != job.id and not one.dead and not one.succeeded:
            way = context.command("cancel", after=(other,))
            context.emit("warning", message=f"job {other} is still running. To cancel it: {way}")


def _if_there(context: Context, key: str, job_id: str) -> Job | None:
    """Return the job that this configuration had, if the target still has it and not another one."""
    job = get_or_none(context.service().job, job_id, certain=True)
    return job if job is not None and is_ours(context.state, context.service(), job, key) else None
