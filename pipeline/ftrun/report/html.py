"""The HTML pages of a report and of a check: a single file each, which loads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from ftrun.report.curve import histogram, loss_curve
from ftrun.report.facts import Facts, ProblemFacts
from ftrun.report.localizing import drawing_in, in_language
from ftrun.report.page import answer_texts, island, language_of_han, rendered, script
from ftrun.report.verdict import common_system, ranked, side_by_side, verdict_in

MOST_ROWS = 60  # of the table under the loss curve


def html_report(facts: Facts) -> str:
    """Return report.html."""
    facts = in_language(facts)
    asked = side_by_side(facts.answers, facts.scores.flips)
    return _rendered(
        "report.html.j2",
        facts,
        verdict=verdict_in(facts),
        asked=asked,
        candidates=ranked(facts),
        common_system=common_system(asked),
        curve=drawing_in(loss_curve(facts), facts.language),
        rows=_sample(facts),
    )


def data_page(facts: Facts, *, headline: str, tone: str) -> str:
    """Return the page of a check, with only the data; `tone` is good, bad or neutral."""
    return _rendered("data.html.j2", in_language(facts), headline=headline, tone=tone)


def _rendered(template: str, facts: Facts, **values: Any) -> str:
    examples = facts.data.examples
    texts = (turn["text"] for example in examples for turn in example["turns"])
    han = language_of_han((facts.experiment.description or "", *answer_texts(facts.answers), *texts))
    return rendered(
        template,
        han,
        language=facts.language,
        scripted=bool(examples),
        facts=facts,
        **_data_values(facts, han),
        **values,
    )


def _data_values(facts: Facts, han: str | None) -> dict[str, Any]:
    """Return the values for the data section."""
    data = facts.data
    varied = data.message_histogram if len(data.message_histogram) > 1 else ()
    return {
        "problem_groups": _by_code(data.problems),
        "histograms": [
            (drawing_in(histogram(bins, what), facts.language), caption)
            for bins, what, caption in (
                (data.histogram, "tokens", "Length of the training examples."),
                (varied, "messages", "Number of messages per training example."),
            )
        ],
        "shown_of": sum(split.examples for split in data.splits.values()),
        "example_splits": list(dict.fromkeys(one["split"] for one in data.examples)),
        "example_roles": list(dict.fromkeys(turn["role"] for one in data.examples for turn in one["turns"])),
        "any_tagged": any(one.get("tags") for one in data.examples),
        "examples_json": island(data.examples, han),
        "script": Markup(script(facts.language)),  # noqa: S704 - our own file
    }


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
