"""JUnit XML of an evaluation: what CI servers show, well formed whatever a model says."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from junitparser import JUnitXml

from ftrun.evaluation.answers import Record
from ftrun.evaluation.results import CandidateResult, Estimate, GateResult, Scores, Verdict
from ftrun.evaluation.showing.junit import junit_xml
from ftrun.redaction import keep_secret

NASTY = '\x00\x1b[31m ]]> </system-out> "&" \ud800 \ufffe\uffff \u202e 猫 \r\n\x85'
# what the schema that Jenkins publishes (junit-10.xsd) allows, in this order
ATTRIBUTES = {
    "testsuites": {"name", "time", "tests", "failures", "disabled", "errors"},
    "testsuite": {"name", "tests", "failures", "errors", "time", "disabled", "skipped", "timestamp", "id"},
    "testcase": {"name", "assertions", "time", "classname", "status"},
    "failure": {"type", "message"},
    "skipped": {"message"},
    "property": {"name", "value"},
    "properties": set[str](),
    "system-out": set[str](),
}
CHILDREN = {
    "testsuites": ["testsuite"],
    "testsuite": ["properties", "testcase", "system-out"],
    "testcase": ["skipped", "error", "failure", "system-out", "system-err"],
    "properties": ["property"],
}


def record(prompt_id: str, candidate: str = "tuned", **values: Any) -> Record:
    """Return an answer to one question."""
    usual: dict[str, Any] = {
        "model": "ft:m",
        "messages": ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}),
        "answer": "Because.",
        "expect": None,
        "passed": None,
        "usage": {},
        "seconds": 0.5,
        "cache_key": "k",
    }
    return Record(prompt_id=prompt_id, candidate=candidate, **{**usual, **values})


def scores(**values: Any) -> Scores:
    """Return scores of tuned and base with a gate that holds and one that is missed."""
    usual: dict[str, Any] = {
        "experiment": "toy",
        "metric": "pass_rate",
        "candidates": {
            "tuned": CandidateResult(
                model="ft:m", metrics={"pass_rate": Estimate(value=0.5, n=2, low=0.1, high=0.9)}
            ),
            "base": CandidateResult(model="m", metrics={"pass_rate": Estimate(value=0.0, n=2)}),
        },
        "gates": (
            GateResult(gate="tuned.pass_rate >= 0.8", passed=False, value=-0.3),
            GateResult(gate="tuned.pass_rate > base.pass_rate", passed=True, value=0.5),
        ),
        "verdict": Verdict(decision="do_not_ship", reasons=("A gate was missed.",)),
    }
    return Scores(**{**usual, **values})


def case_of(text: str, name: str) -> ElementTree.Element:
    """Return the test case with this name."""
    (found,) = (one for one in ElementTree.fromstring(text).iter("testcase") if one.get("name") == name)
    return found


def test_a_missed_gate_fails_and_nothing_else() -> None:
    """What fails in CI is what changes the exit code; a wrong answer is a skipped case with its reason."""
    text = junit_xml(
        scores(),
        [
            record("right", passed=True),
            record("wrong", passed=False, failures=("it does not contain 'lamp'",)),
            record("open"),
            record("wrong", "base", passed=False),
        ],
    )
    document = ElementTree.fromstring(text)
    assert (document.get("tests"), document.get("failures")) == ("6", "1")
    missed = case_of(text, "tuned.pass_rate >= 0.8").find("failure")
    assert missed is not None and "-0.3" in str(missed.get("message"))
    assert case_of(text, "tuned.pass_rate > base.pass_rate").find("failure") is None
    skipped = case_of(text, "wrong").find("skipped")
    assert skipped is not None and skipped.get("message") == "wrong: it does not contain 'lamp'"
    assert case_of(text, "right").find("skipped") is None and case_of(text, "open").find("skipped") is None
    verdict = case_of(text, "verdict").find("skipped")
    assert verdict is not None and str(verdict.get("message")).startswith("do_not_ship: A gate")


def test_a_case_says_what_was_asked_answered_and_scored() -> None:
    """Question, answer, reference and every score with its explanation are there for people."""
    said = case_of(
        junit_xml(
            scores(metric="exact_match"),
            [
                record(
                    "one",
                    reference="So.",
                    scores={"exact_match": {"value": 0.0, "explanation": "not equal to the reference"}},
                )
            ],
        ),
        "one",
    )
    assert said.findtext("system-out") == (
        "question: Why?\nanswer: Because.\nreference: So.\nexact_match: 0 (not equal to the reference)"
    )
    skipped = said.find("skipped")
    assert skipped is not None and skipped.get("message") == "wrong: not equal to the reference"


def test_metrics_are_properties_with_their_intervals() -> None:
    """CI servers that keep properties can plot them."""
    document = ElementTree.fromstring(junit_xml(scores(), []))
    found = {one.get("name"): one.get("value") for one in document.iter("property")}
    assert found == {"tuned.pass_rate": "0.5 (0.1 to 0.9), n = 2", "base.pass_rate": "0, n = 2"}


def test_no_answer_breaks_the_document() -> None:
    """Control characters, unpaired surrogates and markup are text; what was a secret is hidden."""
    keep_secret("sk-very-secret-1234")
    text = junit_xml(
        scores(experiment=NASTY), [record(NASTY, answer=f"{NASTY} sk-very-secret-1234", failures=(NASTY,))]
    )
    assert "sk-very-secret" not in text and "\x1b" not in text and "\u202e" not in text
    (case,) = (one for one in ElementTree.fromstring(text).iter("testcase") if "猫" in str(one.get("name")))
    assert "\\x1b[31m" in str(case.findtext("system-out"))
    assert JUnitXml.fromstring(text.encode()).tests == 4


@pytest.mark.parametrize("records", [[], [record("one", passed=False), record("one", repeat=1)]])
def test_the_document_is_valid_for_the_common_schema(records: list[Record]) -> None:
    """Elements, their order and their attributes are those of the schema that Jenkins publishes."""
    for parent in ElementTree.fromstring(junit_xml(scores(), records)).iter():
        assert set(parent.attrib) <= ATTRIBUTES[parent.tag], parent.tag
        order = [CHILDREN.get(parent.tag, []).index(child.tag) for child in parent]
        assert order == sorted(order), parent.tag


def test_answers_to_one_question_have_names_of_their_own() -> None:
    """Repeated answers are numbered, and sets of questions are classes of their own."""
    text = junit_xml(scores(), [record("one"), record("one", repeat=1), record("g", set="general")])
    assert case_of(text, "one (2)").get("classname") == "toy.tuned"
    assert case_of(text, "g").get("classname") == "toy.tuned.general"
