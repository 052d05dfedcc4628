"""`ftrun metrics`: show the training metrics of the experiment's job, and the scores of its evaluation."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.interrupts import heed_signals
from ftrun.cli.jobs import job_id_of, own_job
from ftrun.cli.options import experiment_options
from ftrun.cli.output import print_json
from ftrun.errors import FtrunError
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.evaluation.results import Scores
    from ftrun.runner import Session
    from ftrun.runner.measured import Training
    from ftrun.targets import Service

WIDEST = 76  # columns of the curve


@click.command(name="metrics")
@experiment_options
def command(
    config: Path, target: str | None, overrides: tuple[str, ...], runs_dir: Path | None, as_json: bool
) -> int:
    """Show the losses of the experiment's job, also while it runs, and the scores of its evaluation.

    Takes no lock and changes nothing. docs/command-line.md describes the keys of --json.
    """
    from ftrun.runner import open_session
    from ftrun.runner.measured import scores_of, training_of

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    with ExitStack() as connections:
        training = training_of(session, lambda job_id: _connected(session, job_id, connections))
    scores = scores_of(session)
    if training is None and scores is None:
        job_id_of(session)  # raises what there is to say of an experiment without a job
    if as_json:
        print_json(_document(session, training, scores))
    else:
        for line in _lines(session, training):
            print(line)
        if scores is not None:
            from ftrun.evaluation.showing.phrasing import REHEARSED
            from ftrun.evaluation.showing.terminal import print_evaluation

            rehearsed = session.experiment.target.rehearses
            print_evaluation(scores, (), instead=[REHEARSED] if rehearsed else [])
    return 0


def _connected(session: Session, job_id: str, connections: ExitStack) -> tuple[Service, str] | None:
    """Return a connection and the job's status; None if the server can't be asked as things are."""
    from ftrun.targets import reachable
    from ftrun.targets.service import READING

    heed_signals()
    service = reachable(session.experiment)
    if service is None:
        return None
    connections.callback(service.close)
    service.end_within(READING)
    try:
        return service, own_job(session, service, job_id).status
    except FtrunError as error:
        if error.code in ("unreachable", "not_found"):
            return None
        raise


def _document(session: Session, training: Training | None, scores: Scores | None) -> dict[str, Any]:
    found = None if scores is None else scores.as_dict()
    return {
        "experiment": session.experiment.name,
        "target": session.experiment.target.name,
        "job_id": training.job_id if training else None,
        "job_status": training.job_status if training else None,
        "source": training.source if training else None,
        "rows": [asdict(row) for row in training.rows] if training else [],
        "last": training.last if training else {},
        "best": training.best if training else None,
        "fit": asdict(training.fit) if training and training.fit else None,
        "evaluation": found and {name: found.get(name) for name in ("metric", "candidates", "verdict")},
        "notes": list(training.notes) if training else [],
    }


def _lines(session: Session, training: Training | None) -> Iterator[str]:
    yield f"metrics of {session.experiment.name} on {session.experiment.target.name}"
    if training is not None:
        yield f"job {visible(training.job_id)} is {visible(training.job_status or 'unknown')}"
        yield from _training_lines(training)
        yield from (f"note: {note}" for note in training.notes)


def _training_lines(training: Training) -> Iterator[str]:
    from ftrun.report.text_curve import TextSeries, text_curve
    from ftrun.report.words import loss

    if not training.rows:
        yield "No metrics yet." if training.source == "server" else "No metrics."
        return
    full = [(row.step, row.full_valid_loss) for row in training.rows if row.full_valid_loss is not None]
    batch = [(row.step, row.valid_loss) for row in training.rows if row.valid_loss is not None]
    valid = full if len(full) > 1 or not batch else batch
    train = [(row.step, row.train_loss) for row in training.rows if row.train_loss is not None]
    curve = text_curve(
        [TextSeries(mark="•", points=train), TextSeries(mark="○", points=valid)],
        width=min(WIDEST, shutil.get_terminal_size().columns),
    )
    if curve:
        yield "loss by training step (• training, ○ validation)" if valid else "training loss by step"
        yield from curve
    for name, points in (("training loss", train), ("validation loss", valid)):
        if len(points) == 1:
            yield f"{name}: {loss(points[0][1])} at step {points[0][0]}"
        elif points:
            (first, start), (last, end) = points[0], points[-1]
            yield f"{name}: {loss(start)} at step {first}, {loss(end)} at step {last}"
    if training.best is not None:
        yield f"lowest validation loss: {loss(training.best['valid_loss'])} at step {training.best['step']}"
    if training.fit is not None:
        yield training.fit.sentence
