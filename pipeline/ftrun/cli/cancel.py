"""`ftrun cancel`: stop the experiment's job, or another job of its account.

Takes no lock: the next run finds the job cancelled and says so.
"""

from __future__ import annotations

from pathlib import Path

import click

from ftrun.cli.command_lines import command_line
from ftrun.cli.options import experiment_options
from ftrun.cli.output import print_json
from ftrun.errors import FtrunError


@click.command(name="cancel")
@experiment_options
@click.argument("job_id", metavar="[JOB_ID]", required=False)
@click.option("--yes", is_flag=True, help="Cancel without asking.")
def command(
    config: Path,
    job_id: str | None,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    yes: bool,
) -> int:
    """Cancel the experiment's job, or the job JOB_ID of its account, such as a duplicate.

    Asks first if training costs money: what has been trained so far is paid for and lost.
    """
    from ftrun.cli.confirmation import confirm
    from ftrun.cli.connection import service_of
    from ftrun.cli.jobs import job_document, job_id_of, own_job
    from ftrun.runner import open_session
    from ftrun.targets import is_local

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    job_id = job_id or job_id_of(session)
    with service_of(session, yes=yes) as service:
        job = own_job(session, service, job_id)
        if job.succeeded or job.status == "failed":
            raise FtrunError(f"Job {job_id} has already ended ({job.status}).", code="job_ended")
        if not job.dead:
            known = {one for job in session.state.jobs.values() for one in (job.job_id, *job.duplicates)}
            unknown = "" if job_id in known else f", tunes {job.model}, unknown to this experiment"
            question = (
                f"Cancel job {job_id} ({job.status}{unknown})? "
                "What it has trained so far is paid for, and lost."
            )
            confirm(question, yes=yes or is_local(session.experiment.target), as_json=as_json)
            job = service.cancel(job_id)
    if as_json:
        print_json(job_document(session, job))
    else:
        print(f"Job {job_id} is {job.status}. To create a new one: {command_line(session)} --force train")
    return 0
