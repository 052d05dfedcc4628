"""Which job a command is about: that of the present configuration, else the last one.

Asks no server and changes nothing.
"""

from __future__ import annotations

from ftrun.errors import ConfigError
from ftrun.paid.job_spec import spec_key
from ftrun.runner.apply import context_of
from ftrun.runner.session import Session


def present_job(session: Session) -> str | None:
    """Return the job's id, None where the experiment has none on its target.

    A run that dies right after creating a job has recorded it, but not yet as its stage's result: that still
    names the job of the configuration before.
    """
    job = session.state.jobs.get(_key(session))
    if job is not None:
        return job.job_id
    record = session.state.stages.get("train")
    if record is not None and record.result.get("job_id"):
        return str(record.result["job_id"])
    alive = [one.job_id for one in session.state.jobs.values() if not one.ended]
    return alive[-1] if alive else None


def _key(session: Session) -> str:
    try:
        return spec_key(context_of(session))
    except ConfigError:  # the experiment to continue from has no model: no job can be this one's
        return ""
