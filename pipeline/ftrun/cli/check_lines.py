"""What `ftrun check` says in the terminal: summary, histograms, cost, then what is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ftrun.cost.amounts import cost_words, epochs_words
from ftrun.errors import Problem
from ftrun.text import visible

if TYPE_CHECKING:  # --help must be quick
    from ftrun.data.diagnostics.distribution import Bar
    from ftrun.data.pipeline.checking import CheckResult
    from ftrun.data.pipeline.counting import FileStatistics
    from ftrun.experiment.model import Experiment

BAR = 30  # columns of the longest bar
EACH = 3  # problems of a code that are told in full
PLACES = 8  # of the others


def report_lines(experiment: Experiment, result: CheckResult) -> Iterator[str]:
    """Yield the lines: what it is and whether it can run, numbers, histograms, cost, problems by code."""
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
        yield from _histogram("tokens an example (train)", train.token_histogram)
        if len(train.message_histogram) > 1:
            yield from _histogram("messages an example (train)", train.message_histogram)
    for kind, problems in (("ERROR", result.errors), ("warning", result.warnings), ("note", result.notes)):
        yield from _problem_lines(kind, problems)


def verdict(result: CheckResult) -> str:
    """Return in one line how many problems there are, and whether this can run."""
    errors, warnings = len(result.errors), len(result.warnings)
    found = f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
    if errors:
        return f"{found}: nothing could be trained on this yet."
    return f"{found}: ready to run." if warnings else "No problem found: ready to run."


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
        counted += ", which is not the model's own encoding: take it as an estimate"
    guessed = [name for name in ("tools", "images") if not estimate[f"{name}_exact"]]
    if guessed and estimate["exact"]:
        counted += f"; {' and '.join(guessed)} by estimate"
    cut = train is not None and estimate["train_tokens"] < train.tokens["sum"]
    less = " (without what is over the limit)" if cut else ""
    yield (
        f"  {estimate['train_tokens']:,} tokens{less} × {epochs_words(estimate['n_epochs'])} = "
        f"{estimate['billable_tokens']:,} tokens to train ({counted})"
    )
    yield f"  cost: {cost_words(estimate)}"
    if estimate["usd"] is None and estimate["unknown"]:
        yield "  tip: give `price: {train, input, output}` (US$ per million tokens) in the target"


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
    """Yield the problems code by code, the most frequent first: a few in full, places of the others."""
    by_code: dict[str, list[Problem]] = {}
    for problem in problems:
        by_code.setdefault(problem.code, []).append(problem)
    for found in sorted(by_code.values(), key=len, reverse=True):
        yield ""
        hints: set[str] = set()
        for problem in found[:EACH]:
            place = visible(problem.place) + ": " if problem.file else ""
            yield f"{kind}: {place}{visible(problem.message, keep_newlines=True)} [{problem.code}]"
            if problem.hint and problem.hint not in hints:  # the same cure is told once
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
