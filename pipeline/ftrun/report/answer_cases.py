"""All questions and answers as JSON values for the page's answer browser, which filters and shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from ftrun.evaluation.answers import Record
from ftrun.evaluation.showing.flips import Changes, flipped
from ftrun.langid.single import cjk_language
from ftrun.language import localized
from ftrun.report.facts import Facts
from ftrun.report.verdict import AnsweredQuestion
from ftrun.text import visible


def answer_cases(
    facts: Facts,
    asked: Sequence[AnsweredQuestion],
    changes: Sequence[Changes],
    common_system: str | None,
    han: str | None,
) -> dict[str, Any]:
    """Return candidates, scorers, sets, tags, what changed, and a value for each question.

    `common_system` is the system prompt that is shown once, `han` the language of texts in Han characters
    alone. Control characters are shown as escapes; secrets are left to the caller.
    """
    texts = _Texts(facts.language, han)
    candidates = list(dict.fromkeys(answer.candidate for answer in facts.answers))
    cases = [_case(one, candidates, common_system, texts) for one in asked]
    scored = [answer["scores"] for case in cases for answer in case["answers"]]
    return {
        "candidates": [visible(name) for name in candidates],
        "subject": _index(candidates, facts.scores.subject),
        "scorers": list(dict.fromkeys(name for scores in scored for name in scores)),
        "sets": list(dict.fromkeys(case["set"] for case in cases)),
        "tags": list(dict.fromkeys(tag for case in cases for tag in case["tags"])),
        "changes": _changes(facts, changes, asked),
        "cases": cases,
    }


def _index(names: Sequence[str], name: str | None) -> int:
    return names.index(name) if name in names else 0


def _changes(
    facts: Facts, first: Sequence[Changes], asked: Sequence[AnsweredQuestion]
) -> list[dict[str, Any]]:
    """Return what changed in every comparison as indexes of questions, the most telling one first."""
    places = {one.id: index for index, one in enumerate(asked)}
    known = filter(None, map(flipped, facts.scores.comparisons))
    shown = {(frozenset((one.a, one.b)), one.metric) for one in first}
    rest = [one for one in known if (frozenset((one.a, one.b)), one.metric) not in shown]
    return [
        {
            "a": visible(one.a),
            "b": visible(one.b),
            "metric": visible(one.metric),
            "graded": bool(one.values),
            "fixed": [places[name] for name in one.fixed if name in places],
            "broken": [places[name] for name in one.broken if name in places],
        }
        for one in [*first, *rest]
    ]


class _Texts:
    """Makes texts of others fit for a page, with their language where the script must know it."""

    def __init__(self, language: str, han: str | None) -> None:
        self.language, self._han = language, han
        self._known: dict[str, str] = {}

    def said(self, text: str) -> dict[str, Any]:
        """Return a text with its language, if that is Chinese, Japanese or Korean."""
        found = None if text.isascii() else cjk_language(text, self._han)
        plain = visible(text, keep_newlines=True)
        return {"text": plain, "lang": found} if found else {"text": plain}

    def explained(self, text: str) -> str:
        """Return an explanation of ours in the page's language."""
        if text not in self._known:
            self._known[text] = visible(localized(text, self.language), keep_newlines=True)
        return self._known[text]


def _case(
    one: AnsweredQuestion, candidates: Sequence[str], common_system: str | None, texts: _Texts
) -> dict[str, Any]:
    case: dict[str, Any] = {
        "id": visible(one.id),
        "set": one.set,
        "tags": [visible(tag) for tag in one.tags],
        "asked": texts.said(one.question),
        "answers": [_answer(answer, candidates.index(answer.candidate), texts) for answer in one.answers],
    }
    if one.turns:
        case["turns"] = [[visible(role), texts.said(content)] for role, content in one.turns]
    if one.reference:
        case["reference"] = texts.said(one.reference)
    if one.recall:
        case["recall"] = True
    if common_system is None and one.system:
        case["system"] = texts.said(one.system)
    return case


def _answer(answer: Record, candidate: int, texts: _Texts) -> dict[str, Any]:
    found: dict[str, Any] = {
        "by": candidate,
        **texts.said(answer.answer.strip()),
        "passed": answer.passed,
        "scores": {
            name: round(value, 4)
            for name, score in answer.scores.items()
            if isinstance(value := score.get("value"), int | float) and value == value
        },
    }
    why = [visible(reason, keep_newlines=True) for reason in answer.failures]
    why += [
        texts.explained(str(score["explanation"]))
        for name, score in answer.scores.items()
        if score.get("explanation") and not (name == "expect" and answer.failures)
    ]
    optional = {
        "why": list(dict.fromkeys(why)),
        "refusal": answer.refusal,
        "calls": [_call(call) for call in answer.tool_calls],
        "repeat": answer.repeat,
    }
    return found | {name: value for name, value in optional.items() if value}


def _call(call: Mapping[str, Any]) -> str:
    """Return a tool call as `name(arguments)`."""
    function = call.get("function", call)
    if not isinstance(function, Mapping):
        return visible(json.dumps(call, ensure_ascii=False))
    arguments = function.get("arguments", "")
    written = arguments if isinstance(arguments, str) else json.dumps(arguments, ensure_ascii=False)
    return visible(f"{function.get('name', '')}({written})")
