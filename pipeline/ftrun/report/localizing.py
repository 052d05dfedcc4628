"""A report in another language: its language, and what others wrote in English for it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from markupsafe import Markup

from ftrun.evaluation.answers import Record
from ftrun.langid.majority import main_language
from ftrun.language import ENGLISH, localized, localized_part
from ftrun.report.facts import Facts, ProblemFacts

_SVG_TEXT = re.compile(r"(?<=>)[^<>]+(?=<)")
_SVG_LABEL = re.compile(r'(?<=aria-label=")[^"]+(?=")')


def data_language(texts: Iterable[str], of_all: str | None = None) -> str:
    """Return ja if most of the texts are Japanese, else en.

    `of_all` is the language of all the data: Japanese texts in Han characters alone don't show theirs.
    """
    found = main_language(texts)
    return "ja" if "ja" in (found, of_all if found in (None, "zh") else None) else ENGLISH


def learned_texts(examples: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return what is learned from the examples to browse."""
    return [turn["text"] for example in examples for turn in example["turns"] if turn.get("trained")]


def question_texts(answers: Iterable[Record]) -> list[str]:
    """Return the last message of every question that was asked."""
    return [str(one.messages[-1].get("content", "")) for one in answers if one.messages]


def in_language(facts: Facts) -> Facts:
    """Return the facts with our own messages in the report's language."""
    if facts.language == ENGLISH:
        return facts
    return replace(
        facts,
        warnings=tuple(localized(one, facts.language) for one in facts.warnings),
        data=replace(
            facts.data, problems=tuple(_problem(one, facts.language) for one in facts.data.problems)
        ),
        answers=answers_in(facts.answers, facts.language),
    )


def answers_in(answers: Iterable[Record], language: str) -> tuple[Record, ...]:
    """Return the answers with the reasons of failed checks in a language."""
    return tuple(
        replace(one, failures=tuple(localized(why, language) for why in one.failures))
        if one.failures
        else one
        for one in answers
    )


def drawing_in(drawing: Markup | None, language: str) -> Markup | None:
    """Return a drawing with its texts in a language."""
    if drawing is None or language == ENGLISH:
        return drawing
    text = str(drawing)
    for pattern in (_SVG_TEXT, _SVG_LABEL):
        text = pattern.sub(lambda found: localized_part(found[0], language), text)
    return Markup(text)  # noqa: S704 - numbers and words of our own alone


def _problem(problem: ProblemFacts, language: str) -> ProblemFacts:
    hint = None if problem.hint is None else localized(problem.hint, language)
    return replace(problem, message=localized(problem.message, language), hint=hint)
