"""`ftrun check`: everything that can be said of the data before anything is uploaded or paid."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.cost import cost_words
from ftrun.cli.failure import print_json
from ftrun.cli.options import experiment_options
from ftrun.errors import ConfigError, Problem
from ftrun.text import visible

if TYPE_CHECKING:  # commands load what they work with only when they run: --help must be quick
    from ftrun.data.checking import CheckResult
    from ftrun.data.counting import FileStatistics
    from ftrun.experiment.model import Experiment

BAR = 30  # columns of the longest bar
MOST_SHOWN = 50  # problems in the terminal; --json has them all


@click.command(name="check")
@experiment_options
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
) -> int:
    """Check the data alone: errors with file:line, tokens, splits, leaks, cost. Changes nothing."""
    from ftrun.data import examine

    experiment, notes = open_experiment(config, target, overrides)
    announce = None if as_json or not sys.stderr.isatty() else _announce
    result = examine(experiment, announce)
    if as_json:
        print_json(document(result))
    else:
        for line in (*report_lines(experiment, result), *(f"note: {note}" for note in notes)):
            print(line)
    return 2 if result.errors else 0


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
    from ftrun.experiment.model import Target

    some = build_experiment(read, next(iter(read.data["targets"])))
    built_in = Target(name="local", provider="local", model="smollm2-135m-instruct")
    note = f"the file names no target; --target prices one: {', '.join(read.data['targets'])}"
    return dataclasses.replace(some, target=built_in), [note]


def document(result: CheckResult) -> dict[str, Any]:
    """Return what `--json` prints; with errors the first is `error` too, as in every failure."""
    shown = result.as_dict()
    return {**shown, "error": result.errors[0].as_dict()} if result.errors else shown


def report_lines(experiment: Experiment, result: CheckResult) -> Iterator[str]:
    """Yield the lines for the terminal: summary, distribution, estimate, then what is wrong."""
    yield f"{experiment.name}: data for {experiment.target.model}"
    for role, statistics in result.files.items():
        if statistics is not None:
            yield _summary(role, statistics)
    train = result.files["train"]
    if train is not None and train.examples:
        yield from _histogram(train)
    if result.estimate is not None:
        yield ""
        yield from _estimate(result.estimate)
    for kind, problems in (
        ("ERROR", result.errors),
        ("warning", result.warnings),
        ("note", result.notes),
    ):
        if problems:
            yield ""
        yield from _problem_lines(kind, problems)
    yield ""
    yield _verdict(result)


def _summary(role: str, statistics: FileStatistics) -> str:
    tokens = statistics.tokens
    missing = [
        f"{number} without {name}"
        for name, number in (("system", statistics.missing_system), ("user", statistics.missing_user))
        if number
    ]
    missing += [f"{statistics.over_limit} over the limit"] if statistics.over_limit else []
    return (
        f"  {role:<11}{statistics.examples:>7,} examples, {tokens['sum']:>9,} tokens "
        f"(median {tokens['median']:,.0f}, longest {tokens['max']:,}; "
        f"{statistics.assistant_tokens['sum']:,} in answers)" + (f"; {', '.join(missing)}" if missing else "")
    )


def _histogram(statistics: FileStatistics) -> Iterator[str]:
    yield ""
    yield "  tokens an example (train)"
    bars = statistics.token_histogram
    highest = max(count for _, _, count in bars)
    width = len(f"{bars[-1][1]:,}")
    for low, high, count in bars:
        bar = "█" * max(1, round(BAR * count / highest)) if count else ""
        yield (
            f"  {low:>{width},} - {high:>{width},}  {bar} {count}"
            if count
            else (f"  {low:>{width},} - {high:>{width},}")
        )


def _estimate(estimate: Any) -> Iterator[str]:
    counted = f"counted in {estimate['encoding']}"
    if not estimate["exact"]:
        counted += ", which is not the model's own encoding: take it as an estimate"
    yield (
        f"  {estimate['train_tokens']:,} tokens × {estimate['n_epochs']} epochs = "
        f"{estimate['billable_tokens']:,} tokens to train ({counted})"
    )
    yield f"  cost: {cost_words(estimate)}"
    if estimate["usd"] is None and estimate["unknown"]:
        yield "  tip: give `price: {train, input, output}` (US$ per million tokens) in the target"


def _problem_lines(kind: str, problems: tuple[Problem, ...]) -> Iterator[str]:
    hints: set[str] = set()
    for problem in problems[:MOST_SHOWN]:
        place = visible(problem.place) + ": " if problem.file else ""
        yield f"{kind}: {place}{visible(problem.message, keep_newlines=True)} [{problem.code}]"
        if problem.hint and problem.hint not in hints:  # the same cure is told once
            hints.add(problem.hint)
            yield f"  tip: {visible(problem.hint, keep_newlines=True)}"
    if len(problems) > MOST_SHOWN:
        yield f"… and {len(problems) - MOST_SHOWN} more (all of them with --json)"


def _verdict(result: CheckResult) -> str:
    errors, warnings = len(result.errors), len(result.warnings)
    found = f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
    if errors:
        return f"{found}: nothing could be trained on this yet."
    return f"{found}: ready to run." if warnings else "No problem found: ready to run."


def _announce(text: str) -> None:
    print(text, file=sys.stderr)
