"""`ftrun adopt CONFIG JOB_ID`: verify a job that exists at the target and make it this experiment's job."""

from __future__ import annotations

from pathlib import Path

import click

from ftrun.cli.command_lines import command_line
from ftrun.cli.options import experiment_options, lock_option
from ftrun.cli.output import print_json
from ftrun.cli.reporter import Reporter


@click.command(name="adopt")
@experiment_options
@click.argument("job_id")
@click.option(
    "--unverified",
    is_flag=True,
    help="Adopt it even if the target no longer has its files or calls the model by another name.",
)
@lock_option
def command(
    config: Path,
    job_id: str,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    unverified: bool,
    wait_for_lock: bool,
) -> int:
    """Adopt a job of this account as this experiment's job, instead of paying for a new one.

    Model, hyperparameters and the contents of its files are compared first. Creates and cancels nothing.
    """
    from ftrun.cli.connection import agree_in
    from ftrun.runner import open_session
    from ftrun.runner.adopt import adopt
    from ftrun.runner.session import no_data

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    if not session.experiment.trains:
        raise no_data(session.experiment)
    agree_in(session, here=True)  # naming a job there is consent
    reporter = Reporter(quiet=as_json)
    document = adopt(session, job_id, unverified=unverified, wait=wait_for_lock, emit=reporter)
    reporter.end()
    if as_json:
        print_json(document)
    else:
        print(f"job {document['job_id']} ({document['job_status']}) now belongs to {document['experiment']}.")
        print(f"Next: {command_line(session)}")
    return 0
