"""`ftrun eval CONFIG`: ask, score and report, without training; `--before`: before anything is trained."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.confirmation import asker
from ftrun.cli.options import experiment_options, lock_option, paying_option, scorer_option
from ftrun.cli.output import failure_document, print_json, print_problems
from ftrun.cli.reporter import Reporter
from ftrun.cli.run import Greeting, closing_error
from ftrun.errors import FtrunError, GateError

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.evaluation.answers import Record
    from ftrun.runner import RunSettings, Session


@click.command(name="eval")
@experiment_options
@paying_option
@click.option(
    "--before", is_flag=True, help="Ask everybody who needs no training: what would fine-tuning have to beat?"
)
@click.option(
    "--junit", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write a JUnit file too."
)
@scorer_option
@lock_option
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    before: bool,
    junit: Path | None,
    yes: bool,
    scorers: tuple[str, ...],
    wait_for_lock: bool,
) -> int:
    """Ask and score what is missing, and say whether fine-tuning was worth it. Trains nothing."""
    from ftrun.runner import RunSettings, open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    reporter = Reporter(quiet=as_json)
    settings = RunSettings(
        yes=yes,
        ask=asker(as_json),
        scorers=scorers,
        wait_for_lock=wait_for_lock,
        evaluate_only=not before,
    )
    evaluate = _before if before else _after
    document, records, ended = evaluate(session, settings, Greeting(session, reporter))
    reporter.end()
    error = closing_error(session, ended)
    if as_json:
        print_json({**document, **(failure_document(error) if error else {})})
    else:
        _print(session, document, records, error)
    return error.exit_code if error else 0


Found = tuple[dict[str, Any], "list[Record]", "BaseException | None"]


def _after(session: Session, settings: RunSettings, emit: Greeting) -> Found:
    """Evaluate what is trained; return the document of scores.json, the answers, and what ended it early."""
    from ftrun.evaluation.cache import ANSWERS, read_records
    from ftrun.paid.verifying import refuse_untrained
    from ftrun.runner import apply, context_of

    with session.named():
        if not session.state.jobs:  # nothing was ever trained: the engine need not start
            refuse_untrained(context_of(session, settings=settings))
    outcome = apply(session, settings, emit)
    error = outcome.error
    head = {"experiment": session.experiment.name, "target": session.experiment.target.name}
    if error is not None and not isinstance(error, GateError):
        return head, [], error
    scores = session.folder / "scores.json"
    document = json.loads(scores.read_text(encoding="utf-8")) if scores.exists() else {}
    return {**head, **document}, list(read_records(session.folder / ANSWERS)), error


def _before(session: Session, settings: RunSettings, emit: Greeting) -> Found:
    from ftrun.runner.before import evaluate_before

    found = evaluate_before(session, settings, emit)
    head = {"experiment": session.experiment.name, "target": session.experiment.target.name}
    return {**head, **found.scores}, found.records, found.error


def _print(
    session: Session, document: dict[str, Any], records: list[Record], error: FtrunError | None
) -> None:
    if records:
        from ftrun.evaluation.table import print_answers

        print_answers(records)
    if error is not None:
        print_problems(error)
