"""`ftrun wait`: wait until the experiment's job ends. Takes no lock, changes nothing, stops nothing."""

from __future__ import annotations

from pathlib import Path

import click

from ftrun.cli.options import experiment_options, max_wait_option
from ftrun.cli.output import print_json
from ftrun.cli.reporter import Reporter


@click.command(name="wait")
@experiment_options
@max_wait_option
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    max_wait: float | None,
) -> int:
    """Wait until the experiment's job ends. Exits with 0 if it succeeded, 1 if not, 75 after --max-wait.

    `ftrun run` continues from there and evaluates the model.
    """
    from ftrun.cli.command_lines import command_line
    from ftrun.cli.connection import agree_in
    from ftrun.cli.jobs import job_document, job_id_of
    from ftrun.paid.job_watch import failure_of, watch_of
    from ftrun.runner import RunSettings, context_of, open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    job_id, reporter = job_id_of(session), Reporter(quiet=as_json)
    agree_in(session)
    context = context_of(session, reporter, RunSettings(max_wait=max_wait))
    with session.named():
        try:
            job = watch_of(context, job_id, may_stop=False).until_the_end()
        finally:
            reporter.end()
            context.close()
        if not job.succeeded:
            raise failure_of(job)
    if as_json:
        print_json(job_document(session, job))
    else:
        print(f"Job {job.id} succeeded: {job.fine_tuned_model}\nNext: {command_line(session)}")
    return 0
