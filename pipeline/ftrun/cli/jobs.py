"""Which job a command is about, the connection to its target, and asking before something is lost."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

import click

from ftrun.cli.interrupts import heed_signals
from ftrun.errors import DecisionError, FtrunError, UsageError

if TYPE_CHECKING:  # loaded in the commands: --help must be quick
    from ftrun.runner import Session
    from ftrun.targets import Job, Service


def job_id_of(session: Session) -> str:
    """Return the id of the experiment's job; UsageError if there is none, DecisionError if nobody knows."""
    from ftrun.cli.run import comeback
    from ftrun.runner.present import present_job

    found = present_job(session)
    if found is None and any(one.phase == "sending" for one in session.state.intents.values()):
        raise DecisionError(
            "a create had no clear answer: nobody can tell whether its job exists and costs money",
            code="unclear",
            hint=f"`{comeback(session)}` looks for it.",
        )
    if found is None:
        raise UsageError(
            f"{session.experiment.name} on {session.experiment.target.name} has no job yet",
            code="no_job",
            hint=comeback(session),
        )
    return found


@contextmanager
def service_of(session: Session, *, yes: bool = False) -> Iterator[Service]:
    """Yield the connected target; DecisionError where nobody agrees to send a key there."""
    from ftrun.targets import connect

    agree_in(session, yes=yes)
    service = connect(session.experiment, lambda text: click.echo(text, err=True))
    try:
        yield service
    finally:
        service.close()


def own_job(session: Session, service: Service, job_id: str) -> Job:
    """Return the job of that id; DecisionError where it is not the one that the experiment knows under it."""
    from ftrun.paid.ownership import require_ours

    job = service.job(job_id)
    require_ours(session.state, service, job)
    return job


def agree_in(session: Session, *, yes: bool = False, here: bool = False) -> None:
    """Have the user agree to what the target is sent; DecisionError otherwise, before anything is.

    `here`: the command is a yes for servers on this machine. From here on a server may keep the command
    waiting: it heeds Ctrl-C and SIGTERM.
    """
    from ftrun.cli.run import asker
    from ftrun.targets import agree

    heed_signals()
    with session.named():
        agree(session.experiment, yes=yes, ask=asker(as_json=False), here=here)


def job_document(session: Session, job: Job) -> dict[str, Any]:
    """Return the JSON document of the commands about a job."""
    return {
        "experiment": session.experiment.name,
        "target": session.experiment.target.name,
        "job_id": job.id,
        "job_status": job.status,
        "fine_tuned_model": job.fine_tuned_model,
    }


def confirm(question: str, *, yes: bool, as_json: bool = False) -> None:
    """Return when a person says yes (or did with --yes); DecisionError otherwise, with nothing done."""
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise DecisionError(
            f"{question} Nobody is here to answer; nothing was done.",
            code="not_confirmed",
            hint="Add --yes.",
        )
    if not click.confirm(question, default=False, err=True):
        raise DecisionError("Not confirmed; nothing was done.", code="not_confirmed")


def told_to(session: Session, what: Literal["pause", "resume"]) -> Job:
    """Tell the experiment's job to rest or to go on and return it; FtrunError where a server can't."""
    job_id = job_id_of(session)
    with service_of(session) as service:
        own_job(session, service, job_id)
        try:
            return service.pause(job_id) if what == "pause" else service.resume(job_id)
        except FtrunError as error:
            if error.code not in ("not_found", "refused"):
                raise
            words = f"This server can't {what} the job: {error}"
            raise FtrunError(words, code="not_supported") from error
