"""Owns report.html: one file that loads nothing and runs nothing, whatever the facts contain.

Autoescape is on; control and bidi characters are shown; the content security policy allows only the style
sheet that is in the page, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
from importlib.resources import files

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from ftrun.report import words
from ftrun.report.curve import loss_curve, token_histogram
from ftrun.report.facts import Facts
from ftrun.report.verdict import common_system, ranked, side_by_side, verdict
from ftrun.text import visible

MOST_ROWS = 60  # of the table under the loss curve


def html_report(facts: Facts) -> str:
    """Return the page."""
    folder = files("ftrun.report")
    style = (folder / "report.css").read_text(encoding="utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update({name: getattr(words, name) for name in WORDS})
    environment.filters["foreign"] = _marker(facts)
    asked = side_by_side(facts)
    return environment.from_string((folder / "report.html.j2").read_text(encoding="utf-8")).render(
        facts=facts,
        verdict=verdict(facts),
        asked=asked,
        rivals=ranked(facts),
        common_system=common_system(asked),
        curve=loss_curve(facts),
        histogram=token_histogram(facts.data.histogram),
        rows=_sample(facts),
        style=Markup(style),  # noqa: S704 - our own file
        policy=_policy(style),
    )


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


def _policy(style: str) -> str:
    """Return the content security policy: nothing but this style sheet, and images that are in the page."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
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


def _marker(facts: Facts) -> _Foreign:
    """Return the filter; Han characters alone are Japanese where anything in the facts is."""
    texts = [facts.experiment.description or ""]
    for answer in facts.answers:
        texts += [answer.answer, *(str(message.get("content", "")) for message in answer.messages)]
    return _Foreign("ja" if any(words.language(text) == "ja" for text in texts) else None)


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
