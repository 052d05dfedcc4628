"""`ftrun wait`: until the experiment's job ends. Takes no lock, changes nothing, stops nothing."""

from __future__ import annotations

from pathlib import Path

import click

from ftrun.cli.failure import print_json
from ftrun.cli.options import Duration, experiment_options
from ftrun.cli.reporter import Reporter


@click.command(name="wait")
@experiment_options
@click.option(
    "--max-wait", type=Duration(), metavar="T", help="Leave with exit 75 after 90s, 15m, 2h of waiting."
)
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    max_wait: float | None,
) -> int:
    """Wait until the experiment's job ends: 0 it succeeded, 1 it did not, 75 --max-wait is over.

    `ftrun run` goes on from there: it asks and judges the model.
    """
    from ftrun.cli.jobs import agree_in, job_document, job_id_of
    from ftrun.cli.run import comeback
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
        print(f"Job {job.id} succeeded: {job.fine_tuned_model}\nGo on with: {comeback(session)}")
    return 0
