"""`ftrun compare A B …`: compare trained models of experiments, or of one experiment's history."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ftrun.cli.completion import config_items
from ftrun.cli.options import FILE, json_option, page_option, runs_dir_option
from ftrun.cli.output import print_json
from ftrun.files import output_path
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.report.comparison import Comparison, EntryFacts

MOST_IDS = 20  # questions named in a line


@click.command(name="compare")
@click.argument(
    "entries",
    nargs=-1,
    required=True,
    metavar="CONFIG[@TARGET][#MODEL]...",
    shell_complete=lambda ctx, param, incomplete: config_items(incomplete),
)
@page_option("Also write a page.")
@click.option("--markdown", type=FILE, metavar="FILE", help="Also write Markdown.")
@runs_dir_option
@json_option
def command(
    entries: tuple[str, ...], page: Path | None, markdown: Path | None, runs_dir: Path | None, as_json: bool
) -> int:
    """Compare trained models: what differs, and how they answer the same questions.

    CONFIG means its current model, CONFIG#MODEL one of its history as shown by `ftrun history`. A single
    CONFIG means all models of its history. Uses the recorded answers: no model is asked and no server is
    needed.
    """
    from ftrun.runner.comparing import compare
    from ftrun.runner.trained_models import trained_models_of

    models = trained_models_of(entries, runs_dir)
    comparison = compare(models)
    if page is not None or markdown is not None:
        from ftrun.report.comparison_page import write_markdown, write_page

        language = models[0].session.experiment.report.language
        if page is not None:
            write_page(comparison, output_path(page), language)
        if markdown is not None:
            write_markdown(comparison, output_path(markdown), language)
    if as_json:
        print_json(comparison.as_dict())
    else:
        _print(comparison, [path for path in (page, markdown) if path is not None])
    return 0


def _print(comparison: Comparison, written: list[Path]) -> None:
    from ftrun.evaluation.showing.terminal import print_evaluation
    from ftrun.experiment.places import shown_path
    from ftrun.report.comparison import sentences

    for line in _head(comparison):
        print(line)
    print()
    for sentence in sentences(comparison):
        print(visible(sentence))
    if comparison.answers:
        print_evaluation(comparison.scores, comparison.answers, reported=False, decided=False)
    for line in _turned(comparison) if len(comparison.main) > 1 else ():
        print(line)
    for note in comparison.notes:
        print(f"note: {visible(note)}")
    for path in written:
        print(f"Written: {shown_path(path)}")


def _turned(comparison: Comparison) -> Iterator[str]:
    """Yield which questions each model gets right or wrong where A doesn't."""
    from ftrun.report.comparison import turned_of

    for one in turned_of(comparison):
        ids = visible(", ".join(one.ids[:MOST_IDS]) + (" …" if len(one.ids) > MOST_IDS else ""))
        if one.kind == "fixed":
            yield f"Wrong with A, right with {one.letter}: {ids}"
        else:
            yield f"Right with A, wrong with {one.letter}: {ids}"


def _head(comparison: Comparison) -> Iterator[str]:
    from ftrun.report.comparison import shortened

    for entry in comparison.entries:
        yield f"{entry.letter}  {visible(entry.entry)}"
        yield f"   {visible('  '.join(_facts(entry)))}"
        if entry.fit:
            yield f"   {entry.fit}"
    yield "Differences:" if comparison.differing else "Model, data and hyperparameters are the same."
    for setting in comparison.differing:
        yield f"  {visible(setting.name)}"
        for entry, value in zip(comparison.entries, setting.values, strict=True):
            yield f"    {entry.letter}  {'-' if value is None else visible(shortened(value))}"
    same = [one for one in comparison.same if one.values[0] is not None]
    if same:
        values = ", ".join(f"{one.name} {shortened(one.values[0] or '')}" for one in same)
        yield f"The same: {visible(values)}"


def _facts(entry: EntryFacts) -> Iterator[str]:
    from ftrun.cost.amounts import money
    from ftrun.report.words import duration, loss, moment

    yield entry.job_id
    yield entry.status
    if entry.created_at is not None:
        yield moment(entry.created_at)
    if entry.seconds is not None:
        yield duration(entry.seconds)
    if entry.usd is not None and not entry.free:
        yield money(entry.usd)
    if entry.train_loss is not None:
        yield f"loss {loss(entry.train_loss)}"
    if entry.valid_loss is not None:
        yield f"validation {loss(entry.valid_loss)}"
