"""An evaluation as JUnit XML, which CI servers show: gates and the verdict, then the subject's questions.

A failure here is what changes the exit code, and nothing else: a gate that is missed. A question that the
subject gets wrong is a skipped case with the reason, or every model with 90 % right answers would make every
build red; `gates` says how many may be wrong. Answers are foreign text: what XML can't hold is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ftrun.errors import UserError
from ftrun.evaluation.answers import Record
from ftrun.evaluation.results import Estimate, Scores
from ftrun.installation import install_extra
from ftrun.protocol.spec import SYSTEM_ROLES
from ftrun.protocol.texts import plain_text
from ftrun.redaction import hide
from ftrun.text import visible

if TYPE_CHECKING:  # of the extra `eval`
    from junitparser import JUnitXml, TestCase, TestSuite

NOT_XML = re.compile("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, less \r


def junit_xml(scores: Scores, records: Sequence[Record]) -> str:
    """Return the document; `records`: all candidates', as scored. UserError without its package."""
    try:
        from junitparser import JUnitXml
    except ImportError as error:
        raise UserError(
            "JUnit XML needs a package that is not installed: junitparser (the extra ftrun[eval]).",
            code="extra_missing",
            hint=f"Install it: {install_extra('eval')}",
        ) from error
    subject = next(iter(scores.candidates), "")
    asked = [record for record in records if record.candidate == subject]
    document = JUnitXml(_text(scores.experiment or "ftrun"))
    for suite in (_decisions(scores), _questions(scores, subject, asked)):
        if len(suite):
            document.add_testsuite(suite)
    document.update_statistics()  # type: ignore[no-untyped-call]
    document._elem.attrib.pop("skipped", None)  # the root of the common schema has no such count
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{_tree(document)}\n'


def _tree(document: JUnitXml) -> str:
    tree: bytes = document.tostring()  # type: ignore[no-untyped-call]
    return tree.decode()


def _decisions(scores: Scores) -> TestSuite:
    """Return the suite of gates; the verdict is its last case, and skipped where it is not `ship`."""
    from junitparser import Failure, Skipped

    name = f"{scores.experiment}.verdict"
    suite = _suite(name, dict(_properties(scores)))
    for gate in scores.gates:
        missed = f"missed: left side minus right side is {_number(gate.value)}"
        result = [] if gate.passed else [Failure(_text(missed), "gate")]
        suite.add_testcase(_case(gate.gate, name, result))
    if scores.verdict is not None:
        found = scores.verdict
        reasons = _text("\n".join(found.reasons))
        held: list[Any] = []
        if found.decision != "ship":
            held = [Skipped(_text(f"{found.decision}: {reasons}"))]
        suite.add_testcase(_case("verdict", name, held, said=f"{found.decision}\n{reasons}"))
    return suite


def _properties(scores: Scores) -> Iterator[tuple[str, str]]:
    """Yield the metrics of all candidates, with their intervals."""
    for candidate, found in scores.candidates.items():
        for metric, estimate in found.metrics.items():
            yield f"{candidate}.{metric}", _estimate(estimate)


def _estimate(found: Estimate) -> str:
    interval = "" if found.low is None else f" ({_number(found.low)} to {_number(found.high)})"
    return f"{_number(found.value)}{interval}, n = {found.n}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _questions(scores: Scores, subject: str, records: Sequence[Record]) -> TestSuite:
    from junitparser import Skipped

    name = f"{scores.experiment}.{subject}"
    suite = _suite(name, {})
    for record in records:
        wrong = why_wrong(record, scores.metric)
        again = "" if not record.repeat else f" ({record.repeat + 1})"
        of_set = "" if record.set == "prompts" else f".{record.set}"
        result = [] if wrong is None else [Skipped(_text(f"wrong: {wrong}"))]
        case = _case(
            f"{record.prompt_id}{again}", name + of_set, result, seconds=record.seconds, said=_said(record)
        )
        suite.add_testcase(case)
    return suite


def why_wrong(record: Record, metric: str | None) -> str | None:
    """Return why an answer counts as wrong; None if it is right, or neither right nor wrong.

    What `expect` says counts first, then a scorer that gives 0 for the metric of the verdict.
    """
    if record.passed is not None:
        return None if record.passed else "; ".join(record.failures) or "it does not fulfil `expect`"
    from ftrun.scoring.scorers import METRICS

    for name, score in record.scores.items():
        if metric in METRICS.get(name, (name,)) and score.get("value") == 0:
            return str(score.get("explanation") or f"{name} is 0")
    return None


def _said(record: Record) -> str:
    """Return question, answer, reference and scores, for people."""
    spoken = [one for one in record.messages if one.get("role") not in SYSTEM_ROLES]
    question = plain_text(spoken[-1].get("content")) if spoken else ""
    parts = {"question": question, "answer": record.answer, "reference": record.reference}
    lines = [f"{name}: {value}" for name, value in parts.items() if value is not None]
    return "\n".join([*lines, *(f"{name}: {_score(one)}" for name, one in record.scores.items())])


def _score(found: Mapping[str, Any]) -> str:
    value, words = found.get("value"), found.get("explanation")
    number = _number(value) if isinstance(value, int | float) else "-"
    return f"{number} ({words})" if words else number


def _suite(name: str, properties: Mapping[str, str]) -> TestSuite:
    from junitparser import TestSuite

    suite = TestSuite(_text(name))
    for key, value in properties.items():  # before the cases, as the schema has them
        suite.add_property(_text(key), _text(value))
    return suite


def _case(name: str, suite: str, result: list[Any], *, seconds: float = 0.0, said: str = "") -> TestCase:
    from junitparser import TestCase

    case = TestCase(_text(name), _text(suite), seconds)
    case.result = result
    if said:
        case.system_out = _text(said)
    return case


def _text(text: str) -> str:
    """Return `text` without secrets and without what XML can't hold or a terminal would obey."""
    shown = visible(hide(text), keep_newlines=True)
    return NOT_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", shown)
