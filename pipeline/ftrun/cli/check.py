"""`ftrun check`: everything that can be said of the data before anything is uploaded or paid."""

from __future__ import annotations

import dataclasses
import shlex
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.check_lines import report_lines
from ftrun.cli.failure import print_json
from ftrun.cli.options import experiment_options
from ftrun.cli.program import program
from ftrun.errors import ConfigError
from ftrun.experiment.places import shown_path
from ftrun.files import output_path, real

if TYPE_CHECKING:  # commands load what they work with only when they run: --help must be quick
    from ftrun.data.pipeline.checking import CheckResult
    from ftrun.experiment.model import Experiment


@click.command(name="check")
@experiment_options
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a page with the numbers, the problems and examples to leaf through.",
)
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    page: Path | None,
) -> int:
    """Check the data alone: errors with file:line, tokens, splits, leaks, cost. Changes nothing."""
    experiment, notes = open_experiment(config, target, overrides)
    announce = None if as_json or not sys.stderr.isatty() else _announce
    result = _examine(experiment, announce, page)
    if as_json:
        print_json(document(result))
        return 2 if result.errors else 0
    for line in (*report_lines(experiment, result), "", *(f"note: {note}" for note in notes)):
        print(line)
    if page is not None:
        print(f"Page: {shown_path(page)}")
    for line in _next(config, target, result):
        print(line)
    return 2 if result.errors else 0


def _examine(experiment: Experiment, announce: Any, page: Path | None) -> CheckResult:
    from ftrun.data import examine

    if page is None:
        return examine(experiment, announce)
    from ftrun.cli.check_page import write_page

    with tempfile.TemporaryDirectory(prefix="ftrun-check-") as folder:
        result = examine(experiment, announce, folder=real(folder))
        write_page(experiment, result, real(folder), output_path(page))
    return result


def _next(config: Path, target: str | None, result: CheckResult) -> Iterator[str]:
    """Yield what to type next."""
    words = shlex.join([shown_path(config), *(["--target", target] if target else [])])
    if result.errors:
        yield f"Mend this and check again: {program()} check {words}"
    else:
        yield f"See examples as the model will: {program()} data {words}"
        yield f"Run it: {program()} {words}"


def open_experiment(
    config: Path, target: str | None, overrides: tuple[str, ...]
) -> tuple[Experiment, list[str]]:
    """Return the experiment and notes; if the file names none of its targets, the built-in one is used."""
    from ftrun.experiment import build_experiment, read_document

    read = read_document(config, overrides)
    try:
        return build_experiment(read, target), []
    except ConfigError as error:
        if error.code != "no_target" or len(error.problems) > 1:
            raise
    from ftrun.experiment.target import Target

    some = build_experiment(read, next(iter(read.data["targets"])))
    built_in = Target(name="local", provider="local", model="smollm2-135m-instruct")
    note = f"the file names no target; --target prices one: {', '.join(read.data['targets'])}"
    return dataclasses.replace(some, target=built_in), [note]


def document(result: CheckResult) -> dict[str, Any]:
    """Return what `--json` prints; with errors the first is `error` too, as in every failure."""
    shown = result.as_dict()
    return {**shown, "error": result.errors[0].as_dict()} if result.errors else shown


def _announce(text: str) -> None:
    print(text, file=sys.stderr)
