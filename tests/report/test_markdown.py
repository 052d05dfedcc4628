"""report.md: the same facts, with foreign text kept in its cell."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ftrun.report.facts import Facts
from ftrun.report.html import html_report
from ftrun.report.markdown import code, inline, markdown_report
from report.example import facts_of_many

NASTY = "a | b\n| c |\n---\n<b>x</b> `y` **z** [l](http://e.x) @someone #12 \\| $m$ ![i](x) \x1b[1m \u202e"


def test_it_tells_the_same_as_the_page(facts: Facts) -> None:
    """Verdict, fit, answers, flips, settings and provenance are there."""
    text = markdown_report(facts)
    for part in (
        "# hiroyuki\n",
        "**Only a hint, from 2 questions: tuned passes 2 of 2 questions",
        "Overfitting from step 42",
        "❌ Windowsでも音楽編集はできますが、やはりMacがおすすめです。",
        "**fixed by fine-tuning**",
        "| `n_epochs` | auto | 3 |",
        "`ftjob-3c1f9a7d2b`",
        "No cost",
        "9f2c9f2c",
        "| base model's number format | bfloat16 |",
    ):
        assert part in text, part


def test_recall_is_labelled_and_counted_apart(facts_document: dict[str, Any]) -> None:
    """Questions that training asked carry a label, and parts of the questions have a table of their own."""
    parts = {
        "recall": {"pass_rate": {"value": 1.0, "n": 1}},
        "prompts": {"pass_rate": {"value": 0.0, "n": 1}},
    }
    for answer in facts_document["answers"]:
        answer["recall"] = answer["prompt_id"] == "music"
    for score in facts_document["scores"]["candidates"].values():
        score["parts"] = parts
    facts = Facts.from_json(facts_document)
    text = markdown_report(facts)
    assert text.count("*recall: this question is in the training data*") == 1
    assert "| recall | 100% (too few; n 1) | 100% (too few; n 1) |" in text
    page = html_report(facts)
    assert page.count('title="this question is in the training data"') == 1
    assert "By set and tag of the questions" in page


def test_thousands_of_cases_do_not_flood_git() -> None:
    """Verdict, changes and scores come first; a bounded number of answers is there, those that changed."""
    facts = facts_of_many(2000, 4)
    text = markdown_report(facts)
    assert len(text) < 25_000
    places = [
        text.index(part)
        for part in (
            "**It helped",
            "⚠️ 2 answers",
            "gate passed",
            "## What changed",
            "## Scores",
            "## Answers",
        )
    ]
    assert places == sorted(places)
    assert text.count("**fixed by fine-tuning**") + text.count("**broken by fine-tuning**") == 12
    assert "12 of 2,000 questions; report.html has all of them." in text


def test_long_answers_are_cut(facts_document: dict[str, Any]) -> None:
    """A model that talks without end fills no screen of a pull request."""
    facts_document["answers"][0]["answer"] = "word " * 5000
    text = markdown_report(Facts.from_json(facts_document))
    assert 100 < text.count("word") < 200


def test_what_the_evaluation_found_is_in_tables() -> None:
    """Metrics with intervals, comparisons in numbers and words, and the confusion matrix."""
    text = markdown_report(facts_of_many(200, 2))
    assert "| metric (200 questions) | tuned | base |" in text
    assert re.search(r"\| \*\*`pass_rate`\*\* \| \*\*\d\d\.\d%\*\* \(\d\d\.\d% - \d\d\.\d%\) \|", text)
    assert "| comparison | difference | 95 % interval | p | n | detectable |" in text
    assert "| true label ↓ tuned → | delivery | billing | returns | account | (none of them) |" in text


def test_tables_survive_pipes_and_newlines(facts_document: dict[str, Any]) -> None:
    """Every line of a table has as many cells as its head, whatever the answers contain."""
    facts_document["warnings"] = [NASTY]
    facts_document["experiment"] |= {"description": NASTY, "file": NASTY}
    facts_document["job"]["id"] = NASTY
    for answer in facts_document["answers"]:
        answer |= {"answer": NASTY, "failures": [NASTY], "prompt_id": answer["prompt_id"] + NASTY}
        answer["messages"] = [{"role": "user", "content": NASTY}]
    text = markdown_report(Facts.from_json(facts_document))
    tables = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables) >= 5
    for lines in tables:
        assert len({line.count("|") for line in lines}) == 1, lines
    assert not set("\x1b\u202e") & set(text)
    assert "<b>" not in text


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("日本語。", "日本語。"),
        ("**a** _b_ `c`", r"\*\*a\*\* \_b\_ \`c\`"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("see https://e.x", "see https&#58;//e.x"),
        ("@me #1", "&#64;&#8203;me #&#8203;1"),
        ("- a\n- b", r"\- a<br>- b"),
        ("1. a", r"1\. a"),
        ("# a", r"\# a"),
    ],
)
def test_foreign_text_means_no_markup(text: str, written: str) -> None:
    """Emphasis, HTML, links, mentions, headings and lists come out as the characters they are."""
    assert inline(text) == written


def test_code_can_not_be_closed_from_within() -> None:
    """An id with backticks or cell borders becomes plain text."""
    assert code("ftjob-1") == "`ftjob-1`"
    assert code("a`b|c") == "a\\`b&#124;c"
