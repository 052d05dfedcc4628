"""A comparison as a page and as Markdown: the same facts, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import ftrun
from ftrun.cost.amounts import money
from ftrun.files import write_atomic
from ftrun.report.comparison import Comparison, EntryFacts, tone
from ftrun.report.markdown import answers_blocks, code, inline, table
from ftrun.report.page import answer_texts, language_of_han, rendered
from ftrun.report.verdict import common_system, side_by_side
from ftrun.report.words import NOTHING, duration, loss, moment, number, percent

TITLE = "Comparison"


def write_page(comparison: Comparison, path: Path) -> None:
    """Write the page, whole or not at all."""
    write_atomic(path, html_comparison(comparison))


def write_markdown(comparison: Comparison, path: Path) -> None:
    """Write it as Markdown, whole or not at all."""
    write_atomic(path, markdown_comparison(comparison))


def html_comparison(comparison: Comparison) -> str:
    """Return the page. It loads nothing and has no script."""
    asked = side_by_side(comparison.answers)
    return rendered(
        "comparison.html.j2",
        language_of_han(answer_texts(comparison.answers)),
        found=comparison,
        tone=tone(comparison),
        rows=[(name, [value(entry) for entry in comparison.entries]) for name, value in ROWS],
        asked=asked,
        common_system=common_system(asked),
        version=ftrun.__version__,
    )


def markdown_comparison(comparison: Comparison) -> str:
    """Return it as GitHub-flavoured Markdown."""
    return "\n\n".join(_blocks(comparison)) + "\n"


def _blocks(comparison: Comparison) -> Iterator[str]:
    letters = [entry.letter for entry in comparison.entries]
    yield f"# {TITLE}"
    yield "\n".join(f"- **{entry.letter}** {code(entry.entry)}" for entry in comparison.entries)
    if comparison.notes:
        yield "\n".join(f"> ⚠️ {inline(note)}  " for note in comparison.notes)
    yield from (f"**{inline(pair.sentence)}**" for pair in comparison.pairs)
    if comparison.differing:
        yield "## What differs"
        rows = [[inline(one.name), *map(_value, one.values)] for one in comparison.differing]
        yield table(["", *letters], rows)
    yield "## The models"
    yield table(
        ["", *letters], [[name, *(inline(value(one)) for one in comparison.entries)] for name, value in ROWS]
    )
    same = [one for one in comparison.same if one.values[0] is not None]
    if same:
        yield "The same: " + ", ".join(f"{inline(one.name)} {_value(one.values[0])}" for one in same)
    if comparison.answers:
        yield from answers_blocks(comparison.answers, side_by_side(comparison.answers))


def _value(value: str | None) -> str:
    return NOTHING if value is None else inline(value)


def _passed(entry: EntryFacts) -> str:
    score = entry.score
    return f"{score.passed} of {score.judged} ({percent(score.pass_rate)})" if score else NOTHING


def cost_of(entry: EntryFacts) -> str:
    """Return the cost of training from the ledger."""
    if entry.free:
        return "free (this machine)"
    return "not in this ledger" if entry.usd is None else money(entry.usd)


ROWS = (
    ("passed", _passed),
    ("loss at the end", lambda one: loss(one.train_loss)),
    ("validation loss", lambda one: loss(one.valid_loss)),
    ("fit", lambda one: one.fit or NOTHING),
    ("tokens trained", lambda one: number(one.trained_tokens)),
    ("training took", lambda one: duration(one.seconds)),
    ("cost", cost_of),
    ("created", lambda one: moment(one.created_at)),
    ("target", lambda one: f"{one.target} ({one.provider})"),
    ("job", lambda one: one.job_id),
    ("model", lambda one: one.fine_tuned_model),
)
