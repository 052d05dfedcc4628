"""Taking a job that somebody names for the experiment's own: verified first, recorded then.

Nothing is created, cancelled or uploaded here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from ftrun.errors import DecisionError, FtrunError, UsageError
from ftrun.paid.creation import find, remember, request_of
from ftrun.paid.job_spec import spec_key
from ftrun.paid.ownership import is_ours
from ftrun.runner.apply import Outcome, Settings, do_free_stages, locked_context
from ftrun.runner.session import Session
from ftrun.stages import Context
from ftrun.stages.upload import ROLES, remote_name, size_of
from ftrun.state import Upload
from ftrun.targets import Job, RemoteFile
from ftrun.targets.errors import NotFoundError, get_or_none
from ftrun.targets.matching import differences, is_of, key_of, other_model, same_content


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
        _check_configuration(context, key, job, unverified=unverified)
        files = {role: _check_file(context, job, role, unverified=unverified) for role in ROLES}
        _check_successor(context, key, job)
        for role, file in files.items():
            sha = context.sha(role)
            if file is not None and sha is not None:
                name, size = file.name or remote_name(context, role), file.bytes or size_of(context, role)
                context.state.uploads[sha] = Upload(file_id=file.id, name=name, bytes=size)
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
    except NotFoundError as error:
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
    told = key_of(job)
    if told != key and (others or told is not None):
        raise _refuse(
            f"job {job.id} was made for another configuration of an experiment",
            "Go back to that configuration: it takes the job by itself.",
        )


def _check_configuration(context: Context, key: str, job: Job, *, unverified: bool) -> None:
    """Refuse a job that was asked for otherwise, unless its spec key says that it is this one.

    A server may tell a model under a name of its own: a person's word is enough for that.
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

    A validation file that the server does not tell can't speak against a job whose training file is ours.
    """
    file_id = job.training_file if role == "train" else job.validation_file
    sha = context.sha(role)
    if file_id and sha is None:
        raise _refuse(f"job {job.id} has a file of {role} data, this experiment has none")
    if sha is None or (role == "validation" and not file_id):
        return None
    name, size = remote_name(context, role), size_of(context, role)
    if same_content(file_id or "", name):  # told by its name, which has the hash
        return None
    file = context.service().file(file_id) if file_id else None
    if file is None:
        if unverified:
            return None
        raise _refuse(
            f"the target does not show the {role} file of job {job.id}: its data can't be compared",
            f"If they are these: `{context.command('adopt', '--unverified', after=(job.id,))}`.",
        )
    if is_of(file, name, size):
        return file
    # 0: the server does not tell the size
    if file.bytes in (0, size) and _hash(context.service().file_content, file.id) == sha:
        return file
    raise _refuse(f"job {job.id} was trained on other {role} data ({file.name}, {file.bytes:,} bytes)")


def _hash(content: Callable[[str], bytes], file_id: str) -> str:
    return hashlib.sha256(content(file_id)).hexdigest()


def _check_successor(context: Context, key: str, job: Job) -> None:
    """Refuse to push out a live job, unless it is one of duplicates; say what still runs."""
    known = context.state.jobs.get(key)
    if known is None or known.job_id == job.id:
        return
    old = _if_there(context, key, known.job_id)
    if old is not None and not old.dead and job.id not in known.duplicates:
        raise _refuse(f"this configuration has job {old.id} already ({old.status})")
    for other in (known.job_id, *known.duplicates):
        one = _if_there(context, key, other)
        if one is not None and other != job.id and not one.dead and not one.succeeded:
            way = context.command("cancel", after=(other,))
            context.emit("warning", message=f"job {other} still runs. To end it: {way}")


def _if_there(context: Context, key: str, job_id: str) -> Job | None:
    """Return the job that this configuration had, if the target has it still and not another under its id."""
    job = get_or_none(context.service().job, job_id, certain=True)
    return job if job is not None and is_ours(context.state, context.service(), job, key) else None
