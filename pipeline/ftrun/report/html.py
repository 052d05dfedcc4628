"""Owns the HTML pages: one file each that loads nothing, whatever the facts contain.

Autoescape is on; control and bidi characters are shown; the content security policy allows only the style
sheet and, where there are examples to leaf through, the script that are in the page, by their hashes.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from ftrun.report import words
from ftrun.report.browser import island, script, source
from ftrun.report.curve import histogram, loss_curve
from ftrun.report.facts import Facts, ProblemFacts
from ftrun.report.verdict import common_system, ranked, side_by_side, verdict
from ftrun.text import visible

MOST_ROWS = 60  # of the table under the loss curve
WORDS = (
    "counted",
    "duration",
    "hyperparameters",
    "loss",
    "moment",
    "number",
    "percent",
    "price",
    "price_parts",
)


def html_report(facts: Facts) -> str:
    """Return report.html."""
    asked = side_by_side(facts)
    return _rendered(
        "report.html.j2",
        facts,
        verdict=verdict(facts),
        asked=asked,
        rivals=ranked(facts),
        common_system=common_system(asked),
        curve=loss_curve(facts),
        rows=_sample(facts),
    )


def data_page(facts: Facts, *, headline: str, tone: str) -> str:
    """Return the page of a check, which has the data alone; `tone` is good, bad or neutral."""
    return _rendered("data.html.j2", facts, headline=headline, tone=tone)


def _rendered(template: str, facts: Facts, **values: Any) -> str:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_text),
    )
    environment.globals.update({name: getattr(words, name) for name in WORDS})
    han = _han(facts)
    environment.filters["foreign"] = _Foreign(han)
    style = _text("report.css")
    return environment.get_template(template).render(
        facts=facts,
        style=Markup(style),  # noqa: S704 - our own file
        policy=_policy(style, facts),
        **_data_values(facts, han),
        **values,
    )


def _data_values(facts: Facts, han: str | None) -> dict[str, Any]:
    """Return what the section about the data needs."""
    data = facts.data
    varied = data.message_histogram if len(data.message_histogram) > 1 else ()
    return {
        "problem_groups": _by_code(data.problems),
        "histograms": [
            (histogram(data.histogram, "tokens"), "How long the training examples are."),
            (histogram(varied, "messages"), "How many messages the training examples have."),
        ],
        "shown_of": sum(split.examples for split in data.splits.values()),
        "example_splits": list(dict.fromkeys(one.split for one in data.examples)),
        "example_roles": list(dict.fromkeys(turn.role for one in data.examples for turn in one.turns)),
        "any_tagged": any(one.tags for one in data.examples),
        "examples_json": island(data.examples, han),
        "script": Markup(script()),  # noqa: S704 - our own file
    }


def _by_code(problems: Sequence[ProblemFacts]) -> list[list[ProblemFacts]]:
    """Return the problems code by code: errors before warnings before notes, the most frequent first."""
    groups: dict[tuple[str, str], list[ProblemFacts]] = {}
    for one in problems:
        groups.setdefault((one.severity, one.code), []).append(one)
    order = ("error", "warning", "note")
    return sorted(groups.values(), key=lambda found: (order.index(found[0].severity), -len(found)))


def _text(name: str) -> str:
    return (files("ftrun.report") / name).read_text(encoding="utf-8")


def _policy(style: str, facts: Facts) -> str:
    """Return the content security policy: nothing but what is in the page."""
    scripts = f"; script-src {source(script())}" if facts.data.examples else ""
    return (
        f"default-src 'none'; style-src {source(style)}{scripts}; img-src data:; base-uri 'none'; "
        "form-action 'none'"
    )


class _Foreign:
    """Turns text that others wrote into HTML: escaped, its language marked, its control characters shown."""

    def __init__(self, han: str | None) -> None:
        self._han = han

    def __call__(self, text: object) -> Markup:
        """Return a span; runs of escapes such as `\\x1b` are marked so that they are not taken for text."""
        plain = str(text)
        language = words.language(plain, self._han)
        tag = Markup(' lang="{}"').format(language) if language else Markup()
        return Markup('<span dir="auto"{}>{}</span>').format(tag, _shown(plain))


def _han(facts: Facts) -> str | None:
    """Return ja if anything in the facts is Japanese: Han characters alone are then taken for it too."""
    texts = [facts.experiment.description or ""]
    for answer in facts.answers:
        texts += [answer.answer, *(str(message.get("content", "")) for message in answer.messages)]
    texts += [turn.text for example in facts.data.examples for turn in example.turns]
    return "ja" if any(words.language(text) == "ja" for text in texts) else None


def _shown(text: str) -> Markup:
    if visible(text, keep_newlines=True) == text:
        return escape(text)
    parts = []
    for character in text:
        shown = visible(character, keep_newlines=True)
        parts.append(
            escape(character)
            if shown == character
            else Markup('<span class="control">{}</span>').format(shown)
        )
    return Markup().join(parts)


def _sample(facts: Facts) -> list[object]:
    """Return evenly chosen metric rows, the last one and every one with a full validation loss among them."""
    rows = facts.metrics
    every = -(-len(rows) // MOST_ROWS) or 1
    kept = [
        row
        for index, row in enumerate(rows)
        if index % every == 0 or index == len(rows) - 1 or row.full_valid_loss is not None
    ]
    return list(kept[: 4 * MOST_ROWS])
