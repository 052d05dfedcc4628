"""`ftrun port CONFIG --to TARGET`: train an experiment elsewhere, and prove what the new model is worth
against the old one's recorded answers. Everything that changes is shown, with its reason, before anything
runs.
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from ftrun.cli.completion import ConfigPath, complete_target
from ftrun.cli.confirmation import asker
from ftrun.cli.options import experiment_options, lock_option, max_wait_option, paying_option
from ftrun.cli.output import failure_document, print_json
from ftrun.cli.reporter import Reporter
from ftrun.cli.run import Greeting, closing_error, notify_of, print_outcome, run_document
from ftrun.errors import FtrunError
from ftrun.experiment.places import shown_path
from ftrun.language import phrase, screen_language
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.evaluation.results import Scores
    from ftrun.evaluation.verdict.non_inferiority import NonInferiority
    from ftrun.runner import RunSettings, Session
    from ftrun.runner.porting.mapping import Mapped
    from ftrun.runner.porting.port import Port, PortSettings

MARKS = {"kept": "=", "changed": "→", "dropped": "-", "asked": "?", "refused": "✗"}
WORDS = {"kept": "kept", "changed": "changed", "dropped": "dropped", "asked": "asked", "refused": "refused"}
COLOURS = {"kept": "dim", "changed": "bold", "dropped": "yellow", "asked": "yellow", "refused": "red"}
INDENT, NOTHING = " " * 13, "(none)"
LONGEST = 100  # characters of a value in the table
HASH = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{56}\b")


@click.command(name="port")
@experiment_options
@click.option(
    "--to",
    required=True,
    metavar="TARGET",
    shell_complete=complete_target,
    help="The target to train on: one of CONFIG or --config.",
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
@click.option(
    "--with-answers",
    is_flag=True,
    help="Train on the old model's recorded answers too; read its provider's terms first.",
)
@click.option(
    "--without-old", is_flag=True, help="Don't compare with the old model: it has no recorded answers."
)
@click.option("--dry-run", is_flag=True, help="Show what would happen; write and run nothing.")
@paying_option
@max_wait_option
@lock_option
def command(
    config: Path,
    runs_dir: Path | None,
    as_json: bool,
    other: Path | None,
    dry_run: bool,
    yes: bool,
    max_wait: float | None,
    wait_for_lock: bool,
    **what: Any,
) -> int:
    """Train the experiment on another target and compare: the old model's recorded answers, the new model,
    its base.

    Writes NAME-TARGET.yaml next to CONFIG, which `extends` it, and runs it. --set changes the new experiment;
    --target is the target that has the old model.
    """
    from ftrun.runner import RunSettings, open_session
    from ftrun.runner.porting.agreeing import agreed, refuse
    from ftrun.runner.porting.port import PortSettings, plan_port

    session = open_session(config, target=what["target"], runs=runs_dir)
    settings = PortSettings(config=other, **what)
    port = plan_port(session, settings)
    if not as_json:
        _print_mapping(port, sys.stdout if dry_run else sys.stderr)  # stdout is for the result
    refuse(port)
    if dry_run:
        agreed(port, None)
        _end_dry_run(port, as_json=as_json)
        return 0
    ask = asker(as_json)
    if port.asked and agreed(port, ask):
        settings = replace(settings, leave_out_rows=True)
        port = plan_port(session, settings)
    how = RunSettings(yes=yes, max_wait=max_wait, wait_for_lock=wait_for_lock, ask=ask)
    return _run(session, port, settings, how, as_json=as_json, runs_dir=runs_dir)


def _end_dry_run(port: Port, *, as_json: bool) -> None:
    """Say what would be written, and what it would cost."""
    estimate = dict(port.estimate or {})
    if as_json:
        print_json({**port.as_dict(), "estimate": estimate, "run": None})
        return
    from ftrun.cli.plan import estimate_line
    from ftrun.evaluation.showing.screen import write_escaped

    if estimate:
        print(f"\n{estimate_line(estimate)}")
    print(f"Nothing was written or run. {shown_path(port.path)} would be:\n")
    sys.stdout.flush()
    write_escaped(sys.stdout, visible(port.text, keep_newlines=True))


def _run(
    session: Session,
    port: Port,
    settings: PortSettings,
    how: RunSettings,
    *,
    as_json: bool,
    runs_dir: Path | None,
) -> int:
    """Write the new experiment and run it."""
    from ftrun.runner import apply, open_session
    from ftrun.runner.porting.agreeing import agree_to_terms
    from ftrun.runner.porting.writing import write_port

    agree_to_terms(port, how.ask)
    written = write_port(port, settings, session)
    reporter = Reporter(quiet=as_json)
    if not as_json:
        file = shown_path(port.path)
        reporter.line(f"{file} written" if written else f"{file} is unchanged")
    new = open_session(port.path, runs=runs_dir)
    outcome = apply(new, how, Greeting(new, reporter))
    reporter.end()
    error = closing_error(new, outcome.error)
    notify_of(new, outcome, error)
    scores = _scores(new)
    if as_json:
        print_json(_document(port, run_document(new, outcome, error), scores, error))
    else:
        print_outcome(new, outcome, error, elsewhere=False)
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
    """Print what becomes of each thing with its reason, then what to know of it."""
    from ftrun.evaluation.showing.screen import Screen, padded, write_escaped

    new, screen = port.experiment, Screen.of(stream)
    target, model = new.target.name, new.target.model
    lines = [visible(screen.say(f"{new.name} ({shown_path(port.path)}) on {target} ({model})"))]
    for one in port.mapping:
        mark = screen.style(
            COLOURS[one.status], f"{MARKS[one.status]} {padded(screen.word(WORDS[one.status]), 8)}"
        )
        lines.append(f"  {mark} {visible(one.key)}{visible(_values(one))}")
        for text in filter(None, (one.reason, one.hint)):
            lines += screen.wrapped(visible(screen.say(text)), INDENT, INDENT)
    for note in filter(None, (*port.notes, port.terms)):
        lines += screen.wrapped(visible(screen.say(note)), f"{screen.word('note:')} ", "  ")
    write_escaped(stream, "\n".join([*lines, ""]))
    stream.flush()


def _values(one: Mapped) -> str:
    """Return what a thing was and what it becomes."""
    before, after = _value(one.old), _value(one.new)
    if one.status == "changed":
        nothing = phrase(NOTHING, screen_language())
        return f"  {before or nothing} → {after or nothing}"
    return f"  {before or after}" if before or after else ""


def _value(value: Any) -> str:
    """Return a value in one short line; hashes in the names of files are shortened."""
    from ftrun.experiment.yaml_writing import flow

    text = "" if value is None else value if isinstance(value, str) else flow(value)
    text = HASH.sub(r"\1…", text)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _print_shown(scores: Scores | None) -> None:
    """Print, last, the sentence that porting was about."""
    from ftrun.evaluation.verdict.non_inferiority import sentence

    found = _shown(scores)
    if found is not None and scores is not None:
        print(f"\n{sentence(scores, found)}")
