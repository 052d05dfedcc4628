"""`ftrun adopt CONFIG JOB_ID`: a job at the target becomes this experiment's job, once it is verified."""

from __future__ import annotations

from pathlib import Path

import click

from ftrun.cli.failure import print_json
from ftrun.cli.options import experiment_options
from ftrun.cli.reporter import Reporter


@click.command(name="adopt")
@experiment_options
@click.argument("job_id")
@click.option(
    "--unverified",
    is_flag=True,
    help="Take it though the target no longer has its files, or has its own name for the model: I know them.",
)
@click.option("--wait", "wait_for_lock", is_flag=True, help="Wait for another run of this experiment to end.")
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
    """Take over a job of this account that does this experiment's work, instead of paying for another.

    Model, hyperparameters and the bytes of its files are compared first. Creates and cancels nothing.
    """
    from ftrun.cli.jobs import agree_in
    from ftrun.runner import open_session
    from ftrun.runner.adopt import adopt

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    agree_in(session, here=True)  # the user names a job there
    reporter = Reporter(quiet=as_json)
    document = adopt(session, job_id, unverified=unverified, wait=wait_for_lock, emit=reporter)
    reporter.end()
    if as_json:
        print_json(document)
    else:
        print(f"job {document['job_id']} ({document['job_status']}) is now {document['experiment']}'s.")
        print(f"Go on with: ftrun run {config} --target {document['target']}")
    return 0
