"""`ftrun rescue CONFIG…`: record what tuned models, and their bases, answer while they still do."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftrun.cli.completion import ConfigPath
from ftrun.cli.confirmation import asker
from ftrun.cli.options import json_option, lock_option, paying_option, runs_dir_option, target_option
from ftrun.cli.output import print_json
from ftrun.cli.reporter import Reporter
from ftrun.cli.rescue_output import EndedRescue, print_rescues, rescue_document
from ftrun.cli.run import closing_error
from ftrun.errors import UsageError

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.runner import Session

WORST_FIRST = (3, 130, 1, 2, 4, 5, 75, 0)
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
            "name experiment files, or pass --all" if not every else "--all takes no experiment file",
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
    done = [EndedRescue(result=one, error=closing_error(one.session, one.error, _again())) for one in results]
    errors = [*(one.error for one in found.unreadable), *(one.error for one in done if one.error is not None)]
    worst = min(errors, key=lambda one: WORST_FIRST.index(one.exit_code), default=None)
    if as_json:
        print_json(rescue_document(done, found, errors, worst))
    else:
        print_rescues(done, found, target)
    return worst.exit_code if worst is not None else 0


def _again() -> str:
    """Return the command that resumes it: as it was typed."""
    import sys

    from ftrun.cli.command_lines import program

    return f"{program()} {shlex.join(sys.argv[1:])}"
