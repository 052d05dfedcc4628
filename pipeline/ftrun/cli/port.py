"""`ftrun port CONFIG --to TARGET`: train an experiment elsewhere, and prove what the new model is worth against the
old one's recorded answers. Everything that changes is shown, with its reason, before anything runs.
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from ftrun.cli.completion import ConfigPath
from ftrun.cli.confirmation import asker
from ftrun.cli.options import experiment_options, lock_option, max_wait_option, paying_option
from ftrun.cli.output import failure_document, print_json
from ftrun.cli.reporter import Reporter
from ftrun.cli.run import Greeting, closing_error, notify_of, print_outcome, run_document
from ftrun.errors import DecisionError, FtrunError
from ftrun.experiment.places import shown_path
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.evaluation.results import Scores
    from ftrun.evaluation.verdict.non_inferiority import NonInferiority
    from ftrun.runner import Session
    from ftrun.runner.porting.mapping import Mapped
    from ftrun.runner.porting.port import Port, PortSettings

MARKS = {"kept": "=", "changed": "→", "dropped": "-", "asked": "?", "refused": "✗"}
LONGEST = 60  # characters of a value in the table


@click.command(name="port")
@experiment_options
@click.option(
    "--to", required=True, metavar="TARGET", help="The target to train on: one of CONFIG or --config."
)
@click.option(
    "--config", "other", type=ConfigPath(), metavar="FILE", help="An experiment file that has that target."
)
@click.option("--name", metavar="NAME", help="The new experiment's name; default: NAME-TARGET.")
@click.option(
    "--margin",
    type=float,
    metavar="M",
    help="How much worse the new model may be; default: 0.05, for metrics of 0 to 100: 5.",
)
@click.option("--metric", metavar="NAME", help="The metric that the verdict rests on; default: as in `eval`.")
@click.option("--leave-out-rows", is_flag=True, help="Train without rows that the new target can't train on.")
@click.option("--without-old", is_flag=True, help="The old model is gone and nothing of it is recorded.")
@click.option("--dry-run", is_flag=True, help="Show what would happen; write and run nothing.")
@paying_option
@max_wait_option
@lock_option
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    to: str,
    other: Path | None,
    name: str | None,
    margin: float | None,
    metric: str | None,
    leave_out_rows: bool,
    without_old: bool,
    dry_run: bool,
    **how: Any,
) -> int:
    """Train the experiment on another target and compare: the old model's recorded answers, the new model, its base.

    Writes NAME-TARGET.yaml next to CONFIG, which `extends` it, and runs it. --set changes the new experiment;
    --target is the target that has the old model.
    """
    from ftrun.runner import open_session
    from ftrun.runner.porting.port import PortSettings, plan_port

    session = open_session(config, target=target, runs=runs_dir)
    settings = PortSettings(
        to=to,
        config=other,
        name=name,
        margin=margin,
        metric=metric,
        leave_out_rows=leave_out_rows,
        without_old=without_old,
        overrides=overrides,
        again=_again(
            session, to, target, other, name, margin, metric, leave_out_rows, without_old, overrides
        ),
    )
    port = plan_port(session, settings)
    if not as_json:
        _print_mapping(port, sys.stdout if dry_run else sys.stderr)  # stdout is for the result
    if dry_run:
        return _end_dry_run(port, as_json=as_json)
    return _run(session, port, settings, as_json=as_json, runs_dir=runs_dir, how=how)


def _again(
    session: Session,
    to: str,
    target: str | None,
    other: Path | None,
    name: str | None,
    margin: float | None,
    metric: str | None,
    leave_out_rows: bool,
    without_old: bool,
    overrides: tuple[str, ...],
) -> str:
    """Return the command as it can be typed again, without --name."""
    words = ["port", shown_path(session.experiment.file), "--to", to]
    words += [] if target is None else ["--target", target]
    words += [] if other is None else ["--config", shown_path(other)]
    words += [] if margin is None else ["--margin", f"{margin:g}"]
    words += [] if metric is None else ["--metric", metric]
    words += ["--leave-out-rows"] if leave_out_rows else []
    words += ["--without-old"] if without_old else []
    words += [word for one in overrides for word in ("--set", one)]
    return f"ftrun {shlex.join(words)}"


def _end_dry_run(port: Port, *, as_json: bool) -> int:
    """Say what would be refused or asked, and that nothing was done."""
    from ftrun.runner.porting.port import refuse

    refuse(port)
    if as_json:
        print_json({**port.as_dict(), "estimate": port.estimate, "run": None})
    else:
        print(
            f"\nNothing was written or run. {shown_path(port.path)} would be:\n\n{visible(port.text, keep_newlines=True)}"
        )
    return DecisionError.exit_code if port.asked else 0


def _run(
    session: Session,
    port: Port,
    settings: PortSettings,
    *,
    as_json: bool,
    runs_dir: Path | None,
    how: dict[str, Any],
) -> int:
    from ftrun.runner import RunSettings, apply, open_session
    from ftrun.runner.porting.port import agreed, plan_port, refuse, write_port

    refuse(port)
    if port.asked and agreed(port, asker(as_json)):
        settings = replace(settings, leave_out_rows=True)
        port = plan_port(session, settings)
    written = write_port(port, settings, session.experiment.file)
    if not as_json:
        words = "Wrote" if written else "Unchanged:"
        print(f"{words} {shown_path(port.path)}", file=sys.stderr)
    new = open_session(port.path, target=None, runs=runs_dir)
    reporter = Reporter(quiet=as_json)
    outcome = apply(new, RunSettings(**how, ask=asker(as_json)), Greeting(new, reporter))
    reporter.end()
    error = closing_error(new, outcome.error)
    notify_of(new, outcome, error)
    scores = _scores(new)
    if as_json:
        print_json(_document(port, run_document(new, outcome, error), scores, error))
    else:
        print_outcome(new, outcome, error)
        _print_shown(scores)
    return error.exit_code if error else 0


def _scores(session: Session) -> Scores | None:
    """Return what the last evaluation found; None without one of the present state."""
    import json

    from ftrun.evaluation.scores_document import read_scores
    from ftrun.files import damage_reported

    path = session.folder / "scores.json"
    if "evaluate" not in session.state.stages or not path.exists():
        return None
    with damage_reported(path):
        return read_scores(json.loads(path.read_text(encoding="utf-8")))


def _shown(scores: Scores | None) -> NonInferiority | None:
    """Return what was shown of the new model against the old one."""
    from ftrun.evaluation.verdict.non_inferiority import non_inferiorities
    from ftrun.runner.porting.questions import OLD

    return None if scores is None else next((one for one in non_inferiorities(scores) if one.b == OLD), None)


def _document(
    port: Port, run: dict[str, Any], scores: Scores | None, error: FtrunError | None
) -> dict[str, Any]:
    from ftrun.evaluation.verdict.non_inferiority import sentence

    found = _shown(scores)
    shown = None
    if found is not None and scores is not None:
        shown = {**found.as_dict(), "sentence": sentence(scores, found)}
    document = {**port.as_dict(), "run": run, "verdict": run.get("verdict"), "non_inferiority": shown}
    return {**document, **failure_document(error)} if error else document


def _print_mapping(port: Port, stream: TextIO) -> None:
    """Print what becomes of each thing, and what to know of it."""
    new = port.experiment
    lines = [f"{new.name}: {shown_path(port.path)}, on {new.target.name} ({new.target.model})"]
    for one in port.mapping:
        lines.append(f"  {MARKS[one.status]} {one.key}{_values(one)}: {one.reason}")
        lines += [f"      {one.hint}"] if one.hint is not None else []
    lines += [f"note: {note}" for note in port.notes]
    for line in lines:
        print(visible(line), file=stream)


def _values(one: Mapped) -> str:
    before, after = _value(one.old), _value(one.new)
    if one.status in ("kept", "asked", "refused"):
        return f" {before or after}" if before or after else ""
    return f" {before or '(none)'} → {after or '(none)'}"


def _value(value: Any) -> str:
    from ftrun.runner.porting.writing import flow

    text = "" if value is None else value if isinstance(value, str) else flow(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _print_shown(scores: Scores | None) -> None:
    """Print, last, the sentence that porting was about."""
    from ftrun.evaluation.verdict.non_inferiority import sentence

    found = _shown(scores)
    if found is not None and scores is not None:
        print(f"\n{sentence(scores, found)}")
