"""A comparison as a page and as Markdown: the same facts, in the same order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ftrun
from ftrun.cost.amounts import money
from ftrun.files import write_atomic
from ftrun.language import ENGLISH, localized, localized_part, phrase
from ftrun.report.comparison import Comparison, EntryFacts, sentences, tone, turned_of
from ftrun.report.localizing import answers_in, data_language, question_texts
from ftrun.report.markdown import answers_blocks, code, inline, scores_blocks, table
from ftrun.report.page import answer_texts, language_of_han, rendered
from ftrun.report.score_tables import tables_of
from ftrun.report.verdict import common_system, side_by_side
from ftrun.report.words import NOTHING, duration, loss, moment, number, percent

TITLE = "Comparison"
RIGHT, WRONG = "Wrong with A, right with", "Right with A, wrong with"
MOST_IDS = 20  # questions named in a line


def write_page(comparison: Comparison, path: Path, language: str | None = None) -> None:
    """Write the page, whole or not at all; without a language in that of the questions."""
    write_atomic(path, html_comparison(comparison, language))


def write_markdown(comparison: Comparison, path: Path, language: str | None = None) -> None:
    """Write it as Markdown, whole or not at all."""
    write_atomic(path, markdown_comparison(comparison, language))


def html_comparison(comparison: Comparison, language: str | None = None) -> str:
    """Return the page. It loads nothing and has no script."""
    language = language or data_language(question_texts(comparison.answers))
    comparison = _in(comparison, language)
    asked = side_by_side(comparison.answers)
    return rendered(
        "comparison.html.j2",
        language_of_han(answer_texts(comparison.answers)),
        language=language,
        found=comparison,
        tone=tone(comparison),
        rows=_rows(comparison, language),
        sentences=sentences(comparison),
        turned=tuple(turned_of(comparison)),
        tables=tables_of(comparison.scores, language),
        asked=asked,
        common_system=common_system(asked),
        version=ftrun.__version__,
    )


def markdown_comparison(comparison: Comparison, language: str | None = None) -> str:
    """Return it as GitHub-flavoured Markdown."""
    language = language or data_language(question_texts(comparison.answers))
    return "\n\n".join(_blocks(_in(comparison, language), language)) + "\n"


def _in(comparison: Comparison, language: str) -> Comparison:
    """Return the comparison with our own notes in a language."""
    if language == ENGLISH:
        return comparison
    return replace(
        comparison,
        notes=tuple(localized(note, language) for note in comparison.notes),
        answers=answers_in(comparison.answers, language),
    )


def _rows(comparison: Comparison, language: str) -> list[tuple[str, list[str]]]:
    """Return the rows of the table of models."""
    return [
        (phrase(name, language), [localized_part(value(entry), language) for entry in comparison.entries])
        for name, value in ROWS
    ]


def _blocks(comparison: Comparison, language: str) -> Iterator[str]:
    letters = [entry.letter for entry in comparison.entries]
    yield f"# {phrase(TITLE, language)}"
    yield "\n".join(f"- **{entry.letter}** {code(entry.entry)}" for entry in comparison.entries)
    if comparison.notes:
        yield "\n".join(f"> ⚠️ {inline(note)}  " for note in comparison.notes)
    yield from (f"**{inline(localized(one, language))}**" for one in sentences(comparison))
    turned = [
        f"- {phrase(RIGHT if one.kind == 'fixed' else WRONG, language)} {one.letter}: "
        f"{', '.join(map(code, one.ids[:MOST_IDS]))}{' …' if len(one.ids) > MOST_IDS else ''}"
        for one in turned_of(comparison)
    ]
    if turned:
        yield "\n".join(turned)
    yield from scores_blocks(tables_of(comparison.scores, language), language)
    if comparison.differing:
        yield phrase("## What differs", language)
        rows = [[inline(one.name), *map(_value, one.values)] for one in comparison.differing]
        yield table(["", *letters], rows)
    yield phrase("## The models", language)
    yield table(
        ["", *letters], [[name, *map(inline, values)] for name, values in _rows(comparison, language)]
    )
    same = [one for one in comparison.same if one.values[0] is not None]
    if same:
        names = ", ".join(f"{inline(one.name)} {_value(one.values[0])}" for one in same)
        yield f"{phrase('The same:', language)} {names}"
    if comparison.answers:
        yield from answers_blocks(comparison.answers, side_by_side(comparison.answers), language)


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
