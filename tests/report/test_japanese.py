"""A Japanese report is Japanese: no sentence of ours stays English, whatever the verdict or the fit."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from ftrun.evaluation.learning_curve.fit import explain
from ftrun.evaluation.learning_curve.metric_rows import MetricRow
from ftrun.evaluation.showing.terminal import print_evaluation
from ftrun.evaluation.verdict.deciding import verdict
from ftrun.report.facts import Facts
from ftrun.report.html import html_report
from ftrun.report.markdown import markdown_report
from report.conftest import document, scores
from report.example import scores_of

ENGLISH = re.compile(r"[A-Za-z]{2,}(?:['’][a-z]+)?(?:[,;:]? [a-z]{2,}){2,}")  # three words in a row
QUESTIONS = 60
READ = ("aria-label", "title", "placeholder", "data-label")


class Text(HTMLParser):
    """Collects what a reader sees or hears, without code, styles and scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: list[str] = []
        self._inside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what is read out."""
        if tag not in ("meta", "link", "br", "input"):
            self._inside.append(tag)
        self.parts += [
            value for name, value in attrs if name in ("aria-label", "title", "placeholder") and value
        ]

    def handle_endtag(self, tag: str) -> None:
        """Leave an element."""
        self._inside.pop()

    def handle_data(self, data: str) -> None:
        """Keep a text."""
        if not {"code", "style", "script"} & set(self._inside):
            self.parts.append(data)


def answers(passes: dict[str, int]) -> list[dict[str, Any]]:
    """Return Japanese answers to so many questions, of which each candidate passes the first ones."""
    first = document()["answers"][0]
    return [
        {
            **first,
            "prompt_id": f"q{number}",
            "candidate": name,
            "answer": f"回答{number}です。",
            "reference": f"参照{number}です。",
            "messages": [{"role": "user", "content": f"質問{number}は何ですか。"}],
            "expect": {"contains": "です"},
            "passed": number < count,
            "failures": [] if number < count else ["does not contain “です”"],
            "scores": {
                "expect": {"value": 1.0, "explanation": ""},
                "chrf": {"value": 50.0, "explanation": ""},
            },
            "tags": ("料金",),
            "set": "prompts",
        }
        for number in range(QUESTIONS)
        for name, count in passes.items()
    ]


VERDICTS: dict[str, dict[str, int]] = {
    "helped": {"tuned": 55, "base": 20, "few-shot": 30},
    "no better than retrieval": {"tuned": 55, "base": 20, "retrieval": 55},
    "worse than few-shot": {"tuned": 30, "base": 25, "few-shot": 55},
    "worse than base": {"tuned": 20, "base": 50},
    "perhaps better": {"tuned": 33, "base": 30},
    "perhaps worse": {"tuned": 30, "base": 33},
    "no difference": {"tuned": 30, "base": 30},
    "alone": {"tuned": 30},
}
Curve = Callable[[float], float]
FITS: dict[str, tuple[Curve, Curve | None, int]] = {
    "learning": (lambda x: 2.5 - x, lambda x: 2.6 - x, 40),
    "a gap": (lambda x: 2.5 - x, lambda x: 2.9 - 0.9 * x, 40),
    "overfitting": (lambda x: 2.5 - 2 * x, lambda x: 2.6 - 2 * x + 2.4 * x * x, 40),
    "memorized": (lambda x: 2.5 * math.exp(-4 * x), lambda x: 1.5 + math.exp(-9 * x), 40),
    "no validation": (lambda x: 2.5 - x, None, 40),
    "stuck": (lambda x: 2.4, None, 40),
    "stuck with validation": (lambda x: 2.4, lambda x: 2.5, 40),
    "diverging": (lambda x: 2 + x, None, 40),
    "stayed": (lambda x: 2.5 - x, lambda x: 2.6, 40),
    "too short": (lambda x: 2.5 - x, None, 2),
}


def japanese(**values: Any) -> Facts:
    """Return the facts of a Japanese report."""
    data = {**document()["data"], "problems": []}
    return Facts.from_json({**document(), "language": "ja", "warnings": [], "data": data, **values})


def english_in(facts: Facts) -> list[str]:
    """Return what is English in the page and in the Markdown."""
    text = "\n".join(Text(html_report(facts)).parts)
    plain = re.sub(r"`[^`]*`", "", markdown_report(facts))
    return [*ENGLISH.findall(text), *ENGLISH.findall(plain)]


@pytest.mark.parametrize("kind", VERDICTS)
@pytest.mark.parametrize("gates", [True, False])
def test_every_verdict_is_japanese(kind: str, gates: bool) -> None:
    """Headline, reasons, what would settle it, gates and all tables are translated."""
    said = answers(VERDICTS[kind])
    found = japanese(answers=said, scores={**scores_of(said), "warnings": [], "confusion": {}})
    kept = replace(found.scores, gates=found.scores.gates if gates else ())
    facts = replace(found, scores=replace(kept, verdict=verdict(kept)))
    assert english_in(facts) == []


def test_labels_are_japanese() -> None:
    """Where a phone shows a table as a list, the labels of its values are translated too."""
    said = answers({"tuned": 50, "base": 30})
    page = html_report(japanese(answers=said, scores=scores_of(said)))
    labels = set(re.findall('data-label="([^"]*)"', page))
    assert {"差", "95 % 区間", "検出可能", "例", "トークン"} <= labels
    assert {one for one in labels if re.search("[a-z]{3}", one)} <= {"tuned", "base"}


@pytest.mark.parametrize("kind", FITS)
def test_every_fit_is_japanese(kind: str) -> None:
    """What is said about the losses is translated, numbers and all."""
    train, valid, steps = FITS[kind]
    rows = [
        MetricRow(
            step=step,
            train_loss=train(step / steps),
            full_valid_loss=valid(step / steps) if valid and step % 8 == 0 else None,
        )
        for step in range(1, steps + 1)
    ]
    facts = japanese(metrics=rows, fit=explain(rows), answers=[], scores={})
    assert english_in(facts) == []


@pytest.mark.parametrize("passed", [(3, 1, 3), (0, 0, 1), (1, 1, 2)])
def test_a_hint_is_japanese(passed: tuple[int, int, int], facts_document: dict[str, Any]) -> None:
    """A few questions, and the scores of earlier versions, get Japanese sentences too."""
    facts_document["scores"] = scores(*passed)
    facts = japanese(scores=facts_document["scores"])
    assert english_in(facts) == []


def test_the_screen_is_japanese(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed of an evaluation is translated but for names, metrics and gates."""
    import io

    monkeypatch.setenv("FTRUN_LANG", "ja")
    for passes in VERDICTS.values():
        said = answers(passes)
        found = japanese(answers=said, scores={**scores_of(said), "warnings": []}).scores
        stream = io.StringIO()
        print_evaluation(replace(found, verdict=verdict(found)), japanese(answers=said).answers, stream)
        assert ENGLISH.findall(stream.getvalue()) == []
