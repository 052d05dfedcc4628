"""`ftrun run CONFIG`, or `ftrun CONFIG`: plan, confirm what costs money, apply; say how to go on."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.failure import failure_document, print_json
from ftrun.cli.options import Duration, experiment_options
from ftrun.cli.program import program
from ftrun.cli.reporter import Reporter
from ftrun.errors import DecisionError, FtrunError, InterruptError, PendingError, UserError
from ftrun.experiment.places import shown_path

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.runner import Outcome, Session

STAGES = ("prepare", "check", "upload", "train", "wait", "deploy", "evaluate", "undeploy", "report")


@click.command(name="run")
@experiment_options
@click.option(
    "--yes", is_flag=True, help="Go ahead with what costs money without asking (a budget still holds)."
)
@click.option("--detach", is_flag=True, help="Create the job and leave; exit 75. The same command goes on.")
@click.option("--until", type=click.Choice(STAGES), help="Stop after this stage.")
@click.option("--force", type=click.Choice(STAGES), help="Do this stage again; for `train`, another job.")
@click.option("--confirm-not-created", is_flag=True, help="An unclear create made no job: I have looked.")
@click.option(
    "--max-wait", type=Duration(), metavar="T", help="Leave with exit 75 after 90s, 15m, 2h of waiting."
)
@click.option("--wait", "wait_for_lock", is_flag=True, help="Wait for another run of this experiment to end.")
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    **how: Any,
) -> int:
    """Plan, confirm what costs money, apply. Doing it again skips what is done."""
    from ftrun.runner import RunSettings, apply, open_session

    session = open_session(config, target=target, overrides=overrides, runs=runs_dir)
    reporter = Reporter(quiet=as_json)
    outcome = apply(session, RunSettings(**how, ask=asker(as_json)), _Greeting(session, reporter))
    reporter.end()
    error = _closing_error(session, outcome)
    _notify(session, outcome, error)
    if as_json:
        print_json(_document(session, outcome, error))
    else:
        _print_outcome(session, outcome, error)
    return error.exit_code if error else 0


def asker(as_json: bool) -> Any:
    """Return how to ask a person, or None where nobody can answer."""
    if as_json or not sys.stdin.isatty():
        return None
    return lambda question: click.confirm(question, default=False, err=True)


def _notify(session: Session, outcome: Outcome, error: FtrunError | None) -> None:
    """Tell that a run which waited for its job has ended, as the experiment's `notify` wants it."""
    waited = outcome.stages.get("wait", {}).get("action") == "wait"
    if not waited or isinstance(error, (PendingError, InterruptError)):
        return
    from ftrun.cli.notice import notify

    for problem in notify(session.experiment, _document(session, outcome, error)):
        print(f"warning: {problem}", file=sys.stderr)


class _Greeting:
    """Passes events on; before the first of a run that has something to do, says what to know beforehand."""

    def __init__(self, session: Session, reporter: Reporter) -> None:
        self.session, self.reporter = session, reporter

    def __call__(self, kind: str, **data: Any) -> None:
        if kind == "begin" and not self.reporter.quiet:
            from ftrun.cli.plan import target_notes
            from ftrun.targets.local import language_note

            experiment = self.session.experiment
            self.reporter.line(f"{experiment.name} on {experiment.target.name} ({experiment.target.model})")
            for note in [*self.session.notes, *language_note(experiment), *target_notes(experiment)]:
                self.reporter.line(f"note: {note}")
        self.reporter(kind, **data)


def _closing_error(session: Session, outcome: Outcome) -> FtrunError | None:
    """Return what ended the run early; an interruption says what goes on and how to come back."""
    error = outcome.error
    if error is None or isinstance(error, FtrunError):
        return error
    job = next((one.job_id for one in session.state.jobs.values() if not one.ended), None)
    fate = f"Job {job} goes on without us." if job else "Nothing is lost."
    if any(one.phase == "sending" for one in session.state.intents.values()):
        fate = "A job may just have been created; the next run looks for it."
    return InterruptError(
        f"interrupted. {fate}", code="interrupted", hint=f"Come back with: {comeback(session)}"
    )


def comeback(session: Session, *, command: str = "", target: str | None = None) -> str:
    """Return, ready to be typed, what goes on from here: the same experiment, target and overrides."""
    words = [command] if command else []
    words += [shown_path(session.experiment.file), "--target", target or session.experiment.target.name]
    words += [word for override in session.overrides for word in ("--set", override)]
    return f"{program()} {shlex.join(words)}"


def _status(error: FtrunError | None) -> str:
    kinds: tuple[tuple[type[FtrunError], str], ...] = (
        (PendingError, "pending"),
        (InterruptError, "interrupted"),
        (DecisionError, "blocked"),
        (UserError, "failed"),
    )
    if error is None:
        return "done"
    return next((word for kind, word in kinds if isinstance(error, kind)), "failed")


def _document(session: Session, outcome: Outcome, error: FtrunError | None) -> dict[str, Any]:
    from ftrun.runner.present import present_job

    stages = session.state.stages
    upload = stages["upload"].result if "upload" in stages else {}
    waited = stages["wait"].result if "wait" in stages else {}
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
        "metrics": _metrics(session),
        "gates": [],
        "report": str(report) if report.exists() else None,
    }
    return {**document, **failure_document(error)} if error else document


def _metrics(session: Session) -> dict[str, Any]:
    record = session.state.stages.get("evaluate")
    return dict(record.result.get("metrics", {})) if record else {}


def _print_outcome(session: Session, outcome: Outcome, error: FtrunError | None) -> None:
    from ftrun.cli.failure import print_problems

    if error:
        print_problems(error)
        return
    if outcome.idle:
        print(f"Nothing to do: {session.experiment.name} on {session.experiment.target.name} is done.")
    elif (session.folder / "answers.jsonl").exists() and "evaluate" in outcome.stages:
        _print_answers(session)
    _print_next(session)


def _print_answers(session: Session) -> None:
    from ftrun.evaluation.cache import read_records
    from ftrun.evaluation.table import print_answers

    print_answers(read_records(session.folder / "answers.jsonl"))


def _print_next(session: Session) -> None:
    """Print the exact next commands."""
    report = session.folder / "report.html"
    lines = [("run again" if "wait" in session.state.stages else "go on", comeback(session))]
    if "wait" in session.state.stages:  # before, there is no tuned model
        lines.insert(0, ("talk to it", comeback(session, command="chat")))
    if report.exists():
        lines.insert(0, ("report", shown_path(report)))
    target = session.experiment.target.name
    others = [other.name for other in session.experiment.targets if other.name != target]
    lines += [("elsewhere", comeback(session, target=other)) for other in others[-1:]]
    print("\nNext:")
    for label, text in lines:
        print(f"  {label:<11} {text}")
