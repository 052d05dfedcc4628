"""`ftrun check`: report everything about the data before anything is uploaded or paid for."""

from __future__ import annotations

import dataclasses
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.command_lines import program
from ftrun.cli.options import experiment_options, page_option
from ftrun.cli.output import print_json
from ftrun.cost.amounts import cost_words, epochs_words
from ftrun.errors import ConfigError, Problem
from ftrun.experiment.places import shown_path
from ftrun.files import output_path, real
from ftrun.text import visible

if TYPE_CHECKING:  # commands load what they work with only when they run: --help must be quick
    from ftrun.data.diagnostics.distribution import Bar
    from ftrun.data.pipeline.checking import CheckResult
    from ftrun.data.pipeline.counting import FileStatistics
    from ftrun.experiment.model import Experiment
    from ftrun.scoring.types import SampleSet

BAR = 30  # columns of the longest bar
EACH = 3  # problems of a code that are shown in full
PLACES = 8  # how many of the others are listed


@click.command(name="check")
@experiment_options
@page_option("Write a page with the numbers, the problems and examples to browse.")
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    page: Path | None,
) -> int:
    """Check the data: errors with file:line, tokens, splits, leaks, cost. Changes nothing."""
    from ftrun.targets.known_languages import language_note

    experiment, notes = open_experiment(config, target, overrides)
    if not experiment.trains and not as_json:
        print("\n".join(_evaluation_lines(experiment)))
        return 0
    announce = None if as_json or not sys.stderr.isatty() else _announce
    result = _examine(experiment, announce, page)
    about_language = language_note(experiment, result.language)
    asked = _questions(experiment, result)
    if as_json:
        print_json({**document(result, about_language), **({"questions": asked} if asked else {})})
        return 2 if result.errors else 0
    for line in (
        *report_lines(experiment, result),
        "",
        *(f"note: {note}" for note in (*_questions_words(asked), *notes, *about_language)),
    ):
        print(line)
    if page is not None:
        print(f"Page: {shown_path(page)}")
    for line in _next(config, target, result):
        print(line)
    return 2 if result.errors else 0


def _evaluation_lines(experiment: Experiment) -> Iterator[str]:
    """Yield what is printed of an experiment that has no data: its file is right, and what it evaluates."""
    questions, evaluation = len(experiment.evaluation.prompts), experiment.evaluation
    asked = f"{questions} question{'' if questions == 1 else 's'}"
    names = ", ".join(evaluation.models)
    yield f"{experiment.name} has no data to check: it only evaluates ({asked} for {names})."
    yield "No problems found: ready to run."
    yield f"Run it: {program()} {shlex.quote(shown_path(experiment.file))}"


def _examine(experiment: Experiment, announce: Any, page: Path | None) -> CheckResult:
    from ftrun.data import examine

    if page is None:
        return examine(experiment, announce)
    from ftrun.cli.check_page import write_page

    with tempfile.TemporaryDirectory(prefix="ftrun-check-") as folder:
        result = examine(experiment, announce, folder=real(folder))
        write_page(experiment, result, real(folder), output_path(page))
    return result


def _questions(experiment: Experiment, result: CheckResult) -> dict[SampleSet, int]:
    """Return how many questions of each set a candidate will be asked; nothing if none."""
    if not experiment.evaluation.asks:
        return {}
    from ftrun.evaluation.asked.samples import expected_counts

    examples = {role: one.examples if one else 0 for role, one in result.files.items()}
    return expected_counts(
        experiment,
        recalled=len(result.recall),
        train=examples["train"],
        test=examples["test"],
        language=result.language,
    )


def _questions_words(asked: Mapping[SampleSet, int]) -> Iterator[str]:
    if asked:
        from ftrun.evaluation.asked.samples import questions_note

        yield questions_note(asked)


def _next(config: Path, target: str | None, result: CheckResult) -> Iterator[str]:
    """Yield the next commands."""
    words = shlex.join([shown_path(config), *(["--target", target] if target else [])])
    found = next(iter((*result.errors, *result.warnings)), None)
    if found is not None:
        yield f"What a finding means, with an example: {program()} explain {found.code}"
    if result.errors:
        yield f"Fix this and check again: {program()} check {words}"
    else:
        yield f"See examples as the model will see them: {program()} data {words}"
        yield f"Run it: {program()} {words}"


def open_experiment(
    config: Path, target: str | None, overrides: tuple[str, ...]
) -> tuple[Experiment, list[str]]:
    """Return the experiment and notes; if the file doesn't choose a target, the built-in model's is used."""
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
    note = f"the file doesn't set `target`; for prices use --target with {', '.join(read.data['targets'])}"
    return dataclasses.replace(some, target=built_in), [note]


def document(result: CheckResult, about_language: Sequence[str] = ()) -> dict[str, Any]:
    """Return what `--json` prints; `error` is the first error, if there is one. `language` is that of the
    training data, with a note if the local model was not made for it.
    """
    language = {"code": result.language, "note": next(iter(about_language), None)}
    shown = {**result.as_dict(), "language": language if result.language else None}
    return {**shown, "error": result.errors[0].as_dict()} if result.errors else shown


def _announce(text: str) -> None:
    print(text, file=sys.stderr)


def report_lines(experiment: Experiment, result: CheckResult) -> Iterator[str]:
    """Yield what is printed: the verdict, numbers, histograms, cost, and problems by code."""
    yield f"{experiment.name}: data for {experiment.target.model}"
    yield verdict(result)
    if any(result.files.values()) or result.estimate is not None:
        yield ""
    for role, statistics in result.files.items():
        if statistics is not None:
            yield _summary(role, statistics)
    if result.estimate is not None:
        yield from _estimate(result.estimate, result.files["train"])
    train = result.files["train"]
    if train is not None and train.examples:
        yield from _histogram("tokens per example (train)", train.token_histogram)
        if len(train.message_histogram) > 1:
            yield from _histogram("messages per example (train)", train.message_histogram)
    for kind, problems in (("ERROR", result.errors), ("warning", result.warnings), ("note", result.notes)):
        yield from _problem_lines(kind, problems)


def verdict(result: CheckResult) -> str:
    """Return how many problems there are, and whether this can run, in one line."""
    errors, warnings = len(result.errors), len(result.warnings)
    found = f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
    if errors:
        return f"{found}: fix the errors before training."
    return f"{found}: ready to run." if warnings else "No problems found: ready to run."


def _summary(role: str, statistics: FileStatistics) -> str:
    tokens = statistics.tokens
    missing = [
        f"{number:,} without {name}"
        for name, number in (("system", statistics.missing_system), ("user", statistics.missing_user))
        if number
    ]
    missing += [f"{statistics.over_limit:,} over the limit"] if statistics.over_limit else []
    return (
        f"  {role:<11}{statistics.examples:>7,} examples, {tokens['sum']:>9,} tokens "
        f"(median {tokens['median']:,.0f}, longest {tokens['max']:,}; "
        f"{statistics.assistant_tokens['sum']:,} in answers)" + (f"; {', '.join(missing)}" if missing else "")
    )


def _estimate(estimate: Any, train: FileStatistics | None) -> Iterator[str]:
    counted = f"counted in {estimate['encoding']}"
    if not estimate["exact"]:
        counted += ", which is not the model's own encoding: an estimate"
    guessed = [name for name in ("tools", "images") if not estimate[f"{name}_exact"]]
    if guessed and estimate["exact"]:
        counted += f"; {' and '.join(guessed)} are estimated"
    cut = train is not None and estimate["train_tokens"] < train.tokens["sum"]
    less = " (without what is over the limit)" if cut else ""
    yield (
        f"  {estimate['train_tokens']:,} tokens{less} × {epochs_words(estimate['n_epochs'])} = "
        f"{estimate['billable_tokens']:,} tokens to train ({counted})"
    )
    yield f"  cost: {cost_words(estimate)}"
    if estimate["usd"] is None and estimate["unknown"]:
        yield "  tip: set `price: {train, input, output}` (US$ per million tokens) on the target"


def _histogram(title: str, bars: Sequence[Bar]) -> Iterator[str]:
    yield ""
    yield f"  {title}"
    highest = max(count for _, _, count in bars)
    width = len(f"{bars[-1][1]:,}")
    for low, high, count in bars:
        bar = "█" * max(1, round(BAR * count / highest)) if count else ""
        span = f"{low:>{width},} - {high:>{width},}" if low < high else f"{low:>{width},}"
        yield f"  {span:>{2 * width + 3}}" + (f"  {bar} {count:,}" if count else "")


def _problem_lines(kind: str, problems: Sequence[Problem]) -> Iterator[str]:
    """Yield the problems by code, most frequent first: a few in full, then the places of the others."""
    by_code: dict[str, list[Problem]] = {}
    for problem in problems:
        by_code.setdefault(problem.code, []).append(problem)
    for found in sorted(by_code.values(), key=len, reverse=True):
        yield ""
        hints: set[str] = set()
        for problem in found[:EACH]:
            place = visible(problem.place) + ": " if problem.file else ""
            yield f"{kind}: {place}{visible(problem.message, keep_newlines=True)} [{problem.code}]"
            if problem.hint and problem.hint not in hints:  # show each fix once
                hints.add(problem.hint)
                yield f"  tip: {visible(problem.hint, keep_newlines=True)}"
        yield from _others(found[EACH:])


def _others(problems: Sequence[Problem]) -> Iterator[str]:
    if not problems:
        return
    counted = [problem for problem in problems if problem.file is None]  # "and 500 more of this kind"
    places = [visible(problem.place) for problem in problems if problem.file is not None]
    if places:
        more = ", …" if len(places) > PLACES else ""
        yield f"  … and {len(places)} more: {', '.join(places[:PLACES])}{more} (all with --json)"
    for problem in counted:
        yield f"  … {visible(problem.message)}"
