"""Find, verify, pause and show the job of an experiment, for the commands about jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from ftrun.cli.command_lines import command_line
from ftrun.cli.connection import service_of
from ftrun.errors import DecisionError, FtrunError, UsageError

if TYPE_CHECKING:  # loaded in the commands: --help must be quick
    from ftrun.runner import Session
    from ftrun.targets import Job, Service


def job_id_of(session: Session) -> str:
    """Return the id of the experiment's job; UsageError if it has none, DecisionError if that is unclear."""
    from ftrun.runner.present import present_job

    found = present_job(session)
    if found is None and any(one.phase == "sending" for one in session.state.intents.values()):
        raise DecisionError(
            "the request that creates the job got no clear answer: a job may exist and cost money",
            code="unclear",
            hint=f"`{command_line(session)}` looks for it.",
        )
    if found is None and not session.experiment.trains:
        from ftrun.runner.session import no_data

        raise no_data(session.experiment)
    if found is None:
        raise UsageError(
            f"{session.experiment.name} on {session.experiment.target.name} has no job yet",
            code="no_job",
            hint=command_line(session),
        )
    return found


def own_job(session: Session, service: Service, job_id: str) -> Job:
    """Return the job with this id; DecisionError if it is not the one that the experiment knows by it."""
    from ftrun.paid.ownership import require_ours

    job = service.job(job_id)
    require_ours(session.state, service, job)
    return job


def pause_or_resume(session: Session, action: Literal["pause", "resume"]) -> Job:
    """Pause or resume the experiment's job and return it; FtrunError if the server can't."""
    job_id = job_id_of(session)
    with service_of(session) as service:
        own_job(session, service, job_id)
        try:
            return service.pause(job_id) if action == "pause" else service.resume(job_id)
        except FtrunError as error:
            if error.code not in ("not_found", "refused"):
                raise
            raise FtrunError(f"This server can't {action} the job: {error}", code="not_supported") from error


def job_document(session: Session, job: Job) -> dict[str, Any]:
    """Return what the commands about a job print with `--json`."""
    return {
        "experiment": session.experiment.name,
        "target": session.experiment.target.name,
        "job_id": job.id,
        "job_status": job.status,
        "fine_tuned_model": job.fine_tuned_model,
    }
