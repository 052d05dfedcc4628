"""`ftrun eval CONFIG`: ask, score and report, without training; `--before`: before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.command_lines import command_line
from ftrun.cli.confirmation import asker
from ftrun.cli.options import experiment_options, lock_option, paying_option, scorer_option
from ftrun.cli.output import failure_document, print_json, print_problems
from ftrun.cli.reporter import Reporter
from ftrun.cli.run import Greeting, closing_error
from ftrun.errors import FtrunError, GateError
from ftrun.experiment.places import shown_path

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.evaluation.answers import Record
    from ftrun.evaluation.results import Scores
    from ftrun.runner import RunSettings, Session


@click.command(name="eval")
@experiment_options
@paying_option
@click.option(
    "--before",
    is_flag=True,
    help="Ask every candidate that needs no training: what would fine-tuning have to beat?",
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
    from ftrun.runner.session import refuse_targets_alone

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    refuse_targets_alone(session.experiment)
    reporter = Reporter(quiet=as_json)
    settings = RunSettings(
        yes=yes,
        ask=asker(as_json),
        scorers=scorers,
        wait_for_lock=wait_for_lock,
        evaluate_only=not before,
    )
    evaluate = _before if before else _after
    found = evaluate(session, settings, Greeting(session, reporter))
    reporter.end()
    again = command_line(session, "eval") + (" --before" if before else "")
    error = closing_error(session, found.error, again)
    if junit is not None and found.scores is not None:
        _write_junit(junit, found)
    if as_json:
        print_json({**_document(session, found), **(failure_document(error) if error else {})})
    else:
        _print(session, found, error)
        if found.before and error is None:
            _print_next(found.page, command_line(session, "run", named=target is not None))
    return error.exit_code if error else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found: nothing where it ended early, `error` says by what. `before`: nothing is trained, and
    `page` is the file that says what to beat.
    """

    scores: Scores | None = None
    records: Sequence[Record] = ()
    error: BaseException | None = None
    before: bool = False
    page: Path | None = None


def _after(session: Session, settings: RunSettings, emit: Greeting) -> Found:
    """Ask, score and report what is trained."""
    from ftrun.paid.asking.evaluating import last_evaluation
    from ftrun.paid.asking.verifying import refuse_untrained
    from ftrun.runner import apply, context_of

    context = context_of(session, settings=settings)
    with session.named():
        if not session.state.jobs:  # nothing was ever trained: the engine need not start
            refuse_untrained(context)
    outcome = apply(session, settings, emit)
    if outcome.error is not None and not isinstance(outcome.error, GateError):
        return Found(error=outcome.error)
    scores, records = last_evaluation(context_of(session, settings=settings))
    return Found(scores=scores, records=records, error=outcome.error)


def _before(session: Session, settings: RunSettings, emit: Greeting) -> Found:
    """Ask and score those who need no training."""
    from ftrun.runner.before import PAGE, evaluate_before

    found = evaluate_before(session, settings, emit)
    page = None if found.scores is None else session.folder / PAGE
    return Found(scores=found.scores, records=found.records, error=found.error, before=True, page=page)


def _document(session: Session, found: Found) -> dict[str, Any]:
    head = {"experiment": session.experiment.name, "target": session.experiment.target.name}
    document = head if found.scores is None else {**found.scores.as_dict(), **head}
    return {**document, "before": True} if found.before else document


def _write_junit(path: Path, found: Found) -> None:
    from ftrun.evaluation.showing.junit import junit_xml
    from ftrun.files import write_atomic

    assert found.scores is not None
    write_atomic(path, junit_xml(found.scores, found.records).encode())


def _print_next(page: Path | None, train: str) -> None:
    """Print where to read it all, and the command that trains."""
    read = [("read it", shown_path(page))] if page is not None else []
    print("\nNext:")
    for label, text in [*read, ("train it", train)]:
        print(f"  {label:<13} {text}")


def _print(session: Session, found: Found, error: FtrunError | None) -> None:
    if found.scores is not None:
        from ftrun.evaluation.showing.terminal import print_evaluation

        decided = found.scores.verdict
        to_beat = decided.reasons if found.before and decided is not None else ()
        print_evaluation(found.scores, found.records, reported=not found.before, instead=to_beat)
    if error is not None:
        print_problems(error)
