"""`ftrun run CONFIG`, or `ftrun CONFIG`: plan, confirm the cost, apply, and print what to do next."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.command_lines import command_line
from ftrun.cli.confirmation import asker
from ftrun.cli.options import (
    experiment_options,
    lock_option,
    max_wait_option,
    paying_option,
    scorer_option,
)
from ftrun.cli.output import failure_document, print_json, print_problems
from ftrun.cli.reporter import Reporter
from ftrun.errors import DecisionError, FtrunError, GateError, InterruptError, PendingError, UserError
from ftrun.experiment.places import shown_path

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.experiment.model import Experiment
    from ftrun.runner import Outcome, Session

STAGES = ("prepare", "check", "upload", "train", "wait", "deploy", "evaluate", "undeploy", "report")


@click.command(name="run")
@experiment_options
@paying_option
@click.option(
    "--detach", is_flag=True, help="Create the job and exit with 75; run the same command to resume."
)
@click.option("--until", type=click.Choice(STAGES), help="Stop after this stage.")
@click.option("--force", type=click.Choice(STAGES), help="Run this stage again; `train` creates another job.")
@click.option("--confirm-not-created", is_flag=True, help="Confirm that the unclear request created no job.")
@scorer_option
@max_wait_option
@lock_option
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    **how: Any,
) -> int:
    """Plan, confirm the cost, apply. Running it again skips completed work."""
    from ftrun.runner import RunSettings, apply, open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    reporter = Reporter(quiet=as_json)
    outcome = apply(session, RunSettings(**how, ask=asker(as_json)), Greeting(session, reporter))
    reporter.end()
    error = closing_error(session, outcome.error)
    notify_of(session, outcome, error)
    if as_json:
        print_json(run_document(session, outcome, error))
    else:
        print_outcome(session, outcome, error)
    return error.exit_code if error else 0


def notify_of(session: Session, outcome: Outcome, error: FtrunError | None) -> None:
    """Send the experiment's notifications if the run waited and has ended, or needs a decision."""
    waited = outcome.stages.get("wait", {}).get("action") == "wait"
    if isinstance(error, (PendingError, InterruptError)) or not (waited or isinstance(error, DecisionError)):
        return
    from ftrun.cli.notification import notify, notify_decision

    tell = notify if waited else notify_decision
    for problem in tell(session.experiment, run_document(session, outcome, error)):
        print(f"warning: {problem}", file=sys.stderr)


class Greeting:
    """Passes events to the reporter; before the first, prints the target and notes about it."""

    def __init__(self, session: Session, reporter: Reporter) -> None:
        self.session, self.reporter = session, reporter

    def __call__(self, kind: str, **data: Any) -> None:
        if kind == "begin" and not self.reporter.quiet:
            from ftrun.cli.plan import target_notes

            experiment = self.session.experiment
            self.reporter.line(_heading(experiment))
            for note in [*self.session.notes, *target_notes(experiment)]:
                self.reporter.line(f"note: {note}")
        self.reporter(kind, **data)


def _heading(experiment: Experiment) -> str:
    """Return what is run, and where."""
    if not experiment.contacts_target:
        return f"{experiment.name}: an evaluation of {', '.join(experiment.evaluation.models)}"
    return f"{experiment.name} on {experiment.target.name} ({experiment.target.model})"


def closing_error(session: Session, error: BaseException | None, again: str = "") -> FtrunError | None:
    """Return what ended a run early; of an interruption, with what keeps running and how to resume: with the
    same command, or with `again`.
    """
    if error is None or isinstance(error, FtrunError):
        return error
    job = next((one.job_id for one in session.state.jobs.values() if not one.ended), None)
    fate = f"Job {job} keeps running." if job else "Nothing is lost."
    if any(one.phase == "sending" for one in session.state.intents.values()):
        fate = "A job may just have been created; the next run looks for it."
    resume = again or command_line(session)
    return InterruptError(f"Interrupted. {fate}", code="interrupted", hint=f"To resume: {resume}")


def _status(error: FtrunError | None) -> str:
    kinds: tuple[tuple[type[FtrunError], str], ...] = (
        (GateError, "done"),
        (PendingError, "pending"),
        (InterruptError, "interrupted"),
        (DecisionError, "blocked"),
        (UserError, "failed"),
    )
    if error is None:
        return "done"
    return next((word for kind, word in kinds if isinstance(error, kind)), "failed")


def run_document(session: Session, outcome: Outcome, error: FtrunError | None) -> dict[str, Any]:
    """Return the document of `run --json`."""
    from ftrun.runner.present import present_job

    stages = session.state.stages
    upload = stages["upload"].result if "upload" in stages else {}
    waited = stages["wait"].result if "wait" in stages else {}
    evaluated = stages["evaluate"].result if "evaluate" in stages else {}
    report = session.folder / "report.html"
    document: dict[str, Any] = {
        "experiment": session.experiment.name,
        "target": session.experiment.target.name,
        "status": _status(error),
        "job_id": present_job(session),
        "training_file": upload.get("train"),
        "validation_file": upload.get("validation"),
        "fine_tuned_model": waited.get("fine_tuned_model"),
        "stages": outcome.stages,
        "metrics": dict(evaluated.get("metrics", {})),
        "gates": list(evaluated.get("gates", ())),
        "verdict": evaluated.get("verdict"),
        "report": str(report) if report.exists() else None,
    }
    return {**document, **failure_document(error)} if error else document


def print_outcome(
    session: Session, outcome: Outcome, error: FtrunError | None, *, elsewhere: bool = True
) -> None:
    """Print what a run found, and the next commands; `elsewhere`: one of them is to run on another target."""
    if error and not isinstance(error, GateError):
        print_problems(error)
        return
    if outcome.idle:
        _print_removed(session)
        print(f"Nothing to do: {session.experiment.name} on {session.experiment.target.name} is done.")
    elif (session.folder / "answers.jsonl").exists() and "evaluate" in outcome.stages:
        _print_evaluation(session)
    _print_next(session, elsewhere=elsewhere)
    if error:
        print_problems(error)


def _print_evaluation(session: Session) -> None:
    """Print the verdict with what it rests on."""
    import json

    from ftrun.evaluation.answer_files import read_records
    from ftrun.evaluation.scores_document import read_scores
    from ftrun.evaluation.showing.phrasing import REHEARSED
    from ftrun.evaluation.showing.terminal import print_evaluation
    from ftrun.files import damage_reported

    path = session.folder / "scores.json"
    with damage_reported(path):
        document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"candidates": {}}
        scores = read_scores(document)
    records = read_records(session.folder / "answers.jsonl")
    rehearsed = session.experiment.target.rehearses
    print_evaluation(scores, records, instead=[REHEARSED] if rehearsed else [])


def _print_removed(session: Session) -> None:
    """Say so if the model that is done was deleted since."""
    from ftrun.paid.removed_models import removed_note, removed_now
    from ftrun.runner import context_of

    context = context_of(session)
    removed = removed_now(context)
    if removed is not None:
        print(f"note: {removed_note(context, *removed)}")


def _print_next(session: Session, *, elsewhere: bool) -> None:
    """Print the next commands, ready to be copied."""
    report = session.folder / "report.html"
    last = "wait" if session.experiment.trains else "evaluate"
    lines = [("run again" if last in session.state.stages else "continue", command_line(session))]
    if "wait" in session.state.stages:  # there is a tuned model
        if session.experiment.target.provider == "local" and not session.experiment.target.rehearses:
            export = [command_line(session, "export"), "--to", f"{session.experiment.name}-export"]
            lines.insert(0, ("export it", " ".join(export)))
        lines.insert(0, ("talk to it", command_line(session, "chat")))
    if report.exists():
        lines.insert(0, ("read it", shown_path(report)))
    target = session.experiment.target.name
    others = [
        other.name for other in session.experiment.targets if other.name != target and not other.rehearses
    ]
    if session.experiment.contacts_target and elsewhere:
        lines += [("elsewhere", command_line(session, target=other)) for other in others[-1:]]
    print("\nNext:")
    for label, text in lines:
        print(f"  {label:<13} {text}")
