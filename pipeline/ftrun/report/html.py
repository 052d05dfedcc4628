"""The HTML pages of a report and of a check: a single file each, which loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftrun.report.answer_cases import answer_cases
from ftrun.report.curve import NARROW, WIDE, histogram, loss_curve
from ftrun.report.facts import Bin, Facts, ProblemFacts
from ftrun.report.localizing import drawing_in, in_language
from ftrun.report.page import answer_texts, browsed, island, language_of_han, rendered
from ftrun.report.score_tables import score_tables
from ftrun.report.verdict import (
    by_interest,
    changed_questions,
    changes_of,
    common_system,
    side_by_side,
    verdict_in,
)

MOST_ROWS = 60  # of the table under the loss curve
MOST_CHANGES = 4  # questions of each kind that the first screen shows
WITHOUT_SCRIPT = 20  # questions


def html_report(facts: Facts) -> str:
    """Return report.html."""
    facts = in_language(facts)
    found = changes_of(facts)
    asked = side_by_side(facts.answers, found)
    common = common_system(asked)
    han = _language_of_han(facts)
    cases = island(answer_cases(facts, asked, found, common, han)) if asked else None
    return _rendered(
        "report.html.j2",
        facts,
        han,
        verdict=verdict_in(facts),
        changed=[changed_questions(one, asked, MOST_CHANGES) for one in found],
        tables=score_tables(facts),
        questions=len(asked),
        asked=by_interest(asked, facts.scores.subject, found)[:WITHOUT_SCRIPT],
        cases_json=cases,
        common_system=common,
        curves=[(width, drawing_in(loss_curve(facts, width), facts.language)) for width in (WIDE, NARROW)],
        rows=_sample(facts),
    )


def data_page(facts: Facts, *, headline: str, tone: str) -> str:
    """Return the page of a check, with only the data; `tone` is good, bad or neutral."""
    facts = in_language(facts)
    return _rendered("data.html.j2", facts, _language_of_han(facts), headline=headline, tone=tone)


def _rendered(template: str, facts: Facts, han: str | None, **values: Any) -> str:
    browsers = ["answers.js"] if values.get("cases_json") else []
    browsers += ["browser.js"] if facts.data.examples else []
    return rendered(
        template,
        han,
        language=facts.language,
        scripts=["texts.js", *browsers] if browsers else [],
        facts=facts,
        **_data_values(facts, han),
        **values,
    )


def _language_of_han(facts: Facts) -> str | None:
    """Return the language of the report's texts in Han characters alone."""
    examples = (turn["text"] for example in facts.data.examples for turn in example["turns"])
    return language_of_han((facts.experiment.description or "", *answer_texts(facts.answers), *examples))


def _data_values(facts: Facts, han: str | None) -> dict[str, Any]:
    """Return the values for the data section."""
    data = facts.data
    varied = data.message_histogram if len(data.message_histogram) > 1 else ()
    return {
        "problem_groups": _by_code(data.problems),
        "histograms": [
            ([(width, _histogram(bins, what, width, facts)) for width in (WIDE, NARROW)], caption)
            for bins, what, caption in (
                (data.histogram, "tokens", "Length of the training examples."),
                (varied, "messages", "Number of messages per training example."),
            )
            if any(bar.count for bar in bins)
        ],
        "shown_of": sum(split.examples for split in data.splits.values()),
        "example_splits": list(dict.fromkeys(one["split"] for one in data.examples)),
        "example_roles": list(dict.fromkeys(turn["role"] for one in data.examples for turn in one["turns"])),
        "any_tagged": any(one.get("tags") for one in data.examples),
        "examples_json": island([browsed(one, han) for one in data.examples]),
    }


def _histogram(bins: Sequence[Bin], what: str, width: float, facts: Facts) -> Any:
    return drawing_in(histogram(bins, what, width), facts.language)


def _by_code(problems: Sequence[ProblemFacts]) -> list[list[ProblemFacts]]:
    """Return the problems code by code: errors before warnings before notes, the most frequent first."""
    groups: dict[tuple[str, str], list[ProblemFacts]] = {}
    for one in problems:
        groups.setdefault((one.severity, one.code), []).append(one)
    order = ("error", "warning", "note")
    return sorted(groups.values(), key=lambda found: (order.index(found[0].severity), -len(found)))


def _sample(facts: Facts) -> list[object]:
    """Return evenly spaced metric rows, including the last one and all with a full validation loss."""
    rows = facts.metrics
    every = -(-len(rows) // MOST_ROWS) or 1
    kept = [
        row
        for index, row in enumerate(rows)
        if index % every == 0 or index == len(rows) - 1 or row.full_valid_loss is not None
    ]
    return list(kept[: 4 * MOST_ROWS])
