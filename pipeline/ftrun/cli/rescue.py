"""`ftrun rescue CONFIG…`: record what tuned models, and their bases, answer while they still do."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.command_lines import command_line
from ftrun.cli.completion import ConfigPath
from ftrun.cli.confirmation import asker
from ftrun.cli.options import json_option, lock_option, paying_option, runs_dir_option, target_option
from ftrun.cli.output import print_json, print_problems
from ftrun.cli.reporter import Reporter
from ftrun.cli.run import closing_error
from ftrun.errors import DecisionError, FtrunError, InterruptError, UsageError
from ftrun.experiment.places import shown_path
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.runner import Session
    from ftrun.runner.rescuing.finding import Found, NotRescued
    from ftrun.runner.rescuing.rescue import Rescued

WORST_FIRST = (3, 130, 1, 2, 4, 5, 75, 0)
MOST_IDS = 10  # questions named in a line
ROWS = click.IntRange(min=0)


@click.command(name="rescue")
@click.argument("configs", nargs=-1, type=ConfigPath(), metavar="[CONFIG]...")
@click.option(
    "--all",
    "every",
    is_flag=True,
    help="Every experiment with a tuned model in configs/ and imported/configs/.",
)
@target_option
@click.option("--set", "overrides", metavar="K=V", multiple=True, help="Override any key of the file.")
@click.option(
    "--prompts",
    "questions",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    metavar="FILE",
    help="Also ask the questions of this file (as in `eval.prompts`); repeat it for several.",
)
@click.option("--samples", type=click.IntRange(1, 50), metavar="N", help="Answers per question.")
@click.option("--test-rows", type=ROWS, metavar="N", help="At most N rows of the test split. [default: all]")
@click.option(
    "--validation-rows",
    type=ROWS,
    metavar="N",
    help="At most N rows of the validation split. [default: all if there is no test split]",
)
@click.option(
    "--train-rows", type=ROWS, metavar="N", default=20, show_default=True, help="Training questions."
)
@click.option("--no-base", is_flag=True, help="Ask the tuned model only.")
@paying_option
@runs_dir_option
@lock_option
@json_option
def command(
    configs: tuple[Path, ...],
    every: bool,
    target: str | None,
    overrides: tuple[str, ...],
    questions: tuple[Path, ...],
    samples: int | None,
    test_rows: int | None,
    validation_rows: int | None,
    train_rows: int,
    no_base: bool,
    yes: bool,
    runs_dir: Path | None,
    wait_for_lock: bool,
    as_json: bool,
) -> int:
    """Record what tuned models answer while they still do: a file of answers for every later evaluation.

    Asks the tuned model and its base the experiment's eval prompts, its held-out rows and a sample of its
    training questions. What was answered before is not asked again.
    """
    from ftrun.runner import RunSettings, open_session
    from ftrun.runner.rescuing.finding import find_all, find_named
    from ftrun.runner.rescuing.many import rescue_all
    from ftrun.runner.rescuing.questions import RescueOptions

    if bool(configs) == every:
        raise UsageError(
            "name experiment files, or say --all" if not every else "--all takes no experiment file",
            code="usage",
            hint="`ftrun rescue configs/NAME.yaml`, or `ftrun rescue --all`",
        )

    def opened(config: Path, of: str | None) -> Session:
        return open_session(config, target=of, overrides=overrides, runs=runs_dir, questions=questions)

    reporter = Reporter(quiet=as_json)
    found = find_named(configs, target, opened) if configs else find_all(target, opened)
    settings = RunSettings(yes=yes, ask=asker(as_json), wait_for_lock=wait_for_lock, evaluate_only=True)
    options = RescueOptions(
        test_rows=test_rows,
        validation_rows=validation_rows,
        train_rows=train_rows,
        samples=samples,
        base=not no_base,
        questions=questions,
    )
    results = rescue_all(found.sessions, settings, options, reporter)
    reporter.end()
    done = [_Done(result=one, error=closing_error(one.session, one.error, _again())) for one in results]
    errors = [*(one.error for one in found.unreadable), *(one.error for one in done if one.error is not None)]
    worst = min(errors, key=lambda one: WORST_FIRST.index(one.exit_code), default=None)
    if as_json:
        print_json(_document(done, found, errors, worst))
    else:
        _print(done, found, target)
    return worst.exit_code if worst is not None else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """A rescue, and the error to show of it."""

    result: Rescued
    error: FtrunError | None


def _again() -> str:
    """Return the command that resumes it: as it was typed."""
    import sys

    from ftrun.cli.command_lines import program

    return f"{program()} {shlex.join(sys.argv[1:])}"


# as JSON


def _document(
    done: Sequence[_Done],
    found: Found,
    errors: Sequence[FtrunError],
    worst: FtrunError | None,
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "experiments": [
            *map(_entry, done),
            *(
                {"config": str(one.config), "status": "failed", "error": one.error.problem.as_dict()}
                for one in found.unreadable
            ),
        ],
        "skipped": [{"config": str(one.config), "reason": one.reason} for one in found.skipped],
    }
    if worst is not None:
        document["error"] = worst.problem.as_dict()
        document["errors"] = [problem.as_dict() for error in errors for problem in error.problems]
    return document


def _entry(done: _Done) -> dict[str, Any]:
    result, experiment = done.result, done.result.session.experiment
    recorded, asked = result.recorded, result.asked
    entry: dict[str, Any] = {
        "experiment": experiment.name,
        "target": experiment.target.name,
        "config": str(experiment.file),
        "status": _status(done.error),
        "file": str(recorded.files.answers) if recorded else None,
        "questions": str(recorded.files.questions) if recorded else None,
        "manifest": str(recorded.files.manifest) if recorded else None,
        "sha256": recorded.sha256 if recorded else None,
        "date": recorded.date if recorded else None,
        "answers": dict(recorded.counts) if recorded else {"tuned": 0, "base": 0},
        "asked": result.count,
        "missing": recorded.missing if recorded else asked.missing if asked else None,
        "filtered": list(recorded.filtered) if recorded else [],
        "refused": list(recorded.refused) if recorded else [],
        "empty": list(recorded.empty) if recorded else [],
        "cut": list(recorded.cut) if recorded else [],
        "usd": result.usd,
        "without_base": result.without_base,
        "left_out": list(result.left_out),
    }
    return entry if done.error is None else {**entry, "error": done.error.problem.as_dict()}


def _status(error: FtrunError | None) -> str:
    if error is None:
        return "done"
    if isinstance(error, InterruptError):
        return "interrupted"
    return "blocked" if isinstance(error, DecisionError) else "failed"


# in words


def _print(done: Sequence[_Done], found: Found, target: str | None) -> None:
    recorded = [one.result for one in done if one.result.recorded is not None]
    listed = recorded if len(done) == 1 else [one for one in recorded if not _is_as_before(one)]
    for result in listed:
        for line in _lines(result, alone=len(done) == 1):
            print(visible(line))
    if len(listed) < len(recorded):
        print(f"as recorded before: the answers of {_experiments(len(recorded) - len(listed))}")
    if len(done) > 1:
        print(_together(recorded, len(done) + len(found.unreadable)))
    if found.skipped:
        print(visible(_skipped(found.skipped)))
    _print_next(recorded, target)
    errors = [one.error for one in found.unreadable]
    errors += [one.error for one in done if one.error is not None]
    said = {(str(one), one.problem.hint): one for one in errors}  # no consent to several is one error
    before: str | None = None
    for error in sorted(said.values(), key=lambda one: one.code):
        print_problems(error, said=before)
        before = error.problems[-1].hint


def _is_as_before(result: Rescued) -> bool:
    """Return whether nothing was asked, and the files are what they were."""
    recorded = result.recorded
    return not result.count and recorded is not None and not recorded.missing and recorded.changed is None


def _experiments(number: int) -> str:
    return "1 experiment" if number == 1 else f"{number:,} experiments"


def _together(recorded: Sequence[Rescued], of: int) -> str:
    """Return what was recorded of several experiments, and what it cost."""
    from ftrun.cost.amounts import money

    asked, files = sum(one.count for one in recorded), len(recorded)
    paid = sum(one.usd or 0.0 for one in recorded)
    if not paid:
        return f"answers of {files:,} of {of:,} experiments are recorded; asked for now: {asked:,}"
    usd = money(paid)
    return f"answers of {files:,} of {of:,} experiments are recorded; asked for now: {asked:,}, for {usd}"


def _lines(result: Rescued, *, alone: bool) -> Iterator[str]:
    """Yield what is recorded of one experiment, and what is special about it."""
    from ftrun.cost.amounts import money

    recorded, experiment = result.recorded, result.session.experiment
    assert recorded is not None
    name, target, file = experiment.name, experiment.target.name, shown_path(recorded.files.answers)
    tuned, base = (recorded.counts.get(one, 0) for one in ("tuned", "base"))
    size = _size(recorded.files.answers)
    yield f"{name} on {target}: {tuned:,} answers of the tuned model, {base:,} of its base: {file} ({size})"
    if alone and result.count and result.usd:
        cost = money(result.usd, experiment.budget.yen_per_usd)
        yield f"  asked for now: {result.count:,}, for {cost}"
    elif alone and result.count:
        yield f"  asked for now: {result.count:,}"
    if recorded.missing:
        yield f"  still missing: {recorded.missing:,}"
    if recorded.changed is not None:
        changed = shown_path(recorded.changed.answers)
        yield f"  {changed}, or a file with it, was changed after it was recorded: it is left as it is"
    if recorded.unwritable:
        yield f"  questions with answers that a file of questions can't hold: {recorded.unwritable:,}"
    if result.left_out:
        yield f"  refused by the server and left out: {len(result.left_out):,} ({_some(result.left_out)})"
    if recorded.filtered:
        yield f"  withheld by the content filter: {len(recorded.filtered):,} ({_some(recorded.filtered)})"
    if recorded.refused:
        yield f"  refused by the model: {len(recorded.refused):,} ({_some(recorded.refused)})"
    if recorded.empty:
        yield f"  empty answers: {len(recorded.empty):,} ({_some(recorded.empty)})"
    if recorded.cut:
        yield (
            f"  cut off at the longest length: {len(recorded.cut):,} ({_some(recorded.cut)}); `--set "
            "eval.sampling.max_tokens=1024` records longer ones"
        )


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:MOST_IDS]) + (", …" if len(ids) > MOST_IDS else "")


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1_000_000:,.1f} MB" if size >= 100_000 else f"{size / 1000:,.1f} kB"


def _skipped(skipped: Sequence[NotRescued]) -> str:
    from ftrun.runner.rescuing.finding import shown_skips

    return f"not rescued: {shown_skips(skipped)}"


def _print_next(results: Sequence[Rescued], target: str | None) -> None:
    """Print how to keep the files, and the command that trains elsewhere and compares."""
    recorded = [one.recorded for one in results if one.recorded is not None]
    if not recorded:
        return
    folders = dict.fromkeys(shown_path(one.files.answers.parent) for one in recorded)
    lines = [("keep it", f"git add {shlex.join(folders)}")]
    elsewhere = [one.session for one in results if one.session.experiment.target.provider != "local"]
    for session in elsewhere[:1]:
        lines.append(("port it", f"{command_line(session, 'port', named=target is not None)} --to local"))
    print("\nNext:")
    for label, text in lines:
        print(f"  {label:<13} {text}")
