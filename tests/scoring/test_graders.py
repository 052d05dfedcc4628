"""OpenAI's grader definitions: what each computes, equal to its library, and what is refused."""

from __future__ import annotations

import random
from typing import Any

import pytest
import sacrebleu
from nltk.translate.gleu_score import sentence_gleu
from rapidfuzz import fuzz
from rouge_score.rouge_scorer import RougeScorer

from ftrun.errors import ConfigError
from ftrun.scoring.graders.definitions import GraderError, read_grader
from ftrun.scoring.graders.formula import Formula, FormulaError
from ftrun.scoring.graders.similarity import MEASURES
from ftrun.scoring.graders.templates import TemplateError, filled
from ftrun.scoring.scorers import check_scorer, make_scorers
from ftrun.scoring.types import Answer, Sample, Score

CHECK = {
    "type": "string_check",
    "name": "same",
    "input": "{{sample.output_text}}",
    "reference": "{{item.reference}}",
    "operation": "eq",
}
SIMILAR = {
    "type": "text_similarity",
    "name": "near",
    "input": "{{ sample.output_text }}",
    "reference": "{{ item.reference }}",
    "evaluation_metric": "fuzzy_match",
}
MULTI = {
    "type": "multi",
    "name": "both",
    "graders": {"same": CHECK, "near": SIMILAR},
    "calculate_output": "0.25 * same + 0.75 * near ^ 2",
}
WORDS = ["the", "cat", "sat", "on", "a", "mat", "dogs", "running", "runs"]


def grade(
    definition: dict[str, Any], answer: str, reference: str | None = "Tokyo", **more: Any
) -> Score | None:
    """Return the score of an answer by a grader."""
    (scorer,) = make_scorers([("grader", definition)])
    return scorer.score(Sample(id="q1", turns=(), reference=reference), Answer(text=answer, **more))


@pytest.mark.parametrize(
    ("operation", "answer", "value"),
    [
        ("eq", "Tokyo", 1),
        ("eq", "tokyo", 0),
        ("ne", "Kyoto", 1),
        ("ne", "Tokyo", 0),
        ("like", "It is Tokyo.", 1),
        ("like", "It is tokyo.", 0),
        ("ilike", "It is TOKYO.", 1),
        ("ilike", "It is Kyoto.", 0),
    ],
)
def test_string_check(operation: str, answer: str, value: int) -> None:
    """`like` looks for the reference in the text, `ilike` in any case of letters."""
    found = grade({**CHECK, "operation": operation}, answer)
    assert found is not None and found.value == value


def test_a_grader_is_a_scorer_with_its_own_name() -> None:
    """Its metric is called as the grader is, and pass/fail graders allow exact tests."""
    for definition, binary in ((CHECK, True), (SIMILAR, False), (MULTI, False)):
        (scorer,) = make_scorers([("grader", definition)])
        assert (scorer.name, scorer.metrics[0].name) == (definition["name"], definition["name"])
        assert scorer.metrics[0].binary is binary
    assert grade(CHECK, "Tokyo", reference=None) is None  # nothing to compare with


def pairs() -> list[tuple[str, str]]:
    """Return random pairs of English texts."""
    draw = random.Random(3)
    texts = [" ".join(draw.choices(WORDS, k=draw.randrange(1, 12))) for _ in range(80)]
    return list(zip(texts[::2], texts[1::2], strict=True))


def test_similarities_equal_their_libraries() -> None:
    """rapidfuzz, sacrebleu, nltk and rouge-score, on a scale of 0-1."""
    for said, wanted in pairs():
        expected = {
            "fuzzy_match": fuzz.ratio(said, wanted) / 100,
            "bleu": sacrebleu.sentence_bleu(said, [wanted]).score / 100,
            "gleu": sentence_gleu([wanted.split()], said.split()),
        }
        kinds = [f"rouge{order}" for order in (1, 2, 3, 4, 5)]
        rouge = RougeScorer([*kinds, "rougeL"]).score(wanted, said)
        expected |= {f"rouge_{kind[-1].lower()}": one.fmeasure for kind, one in rouge.items()}
        found = {name: MEASURES[name](said, wanted) for name in expected}
        assert found == pytest.approx(expected, abs=1e-9)


def test_meteor_needs_no_download() -> None:
    """Equal words and equal stems count; nltk's own examples with WordNet would need its data."""
    assert MEASURES["meteor"]("the cat sat", "the cat sat") == pytest.approx(1 - 0.5 * (1 / 3) ** 3)
    assert MEASURES["meteor"]("dogs running", "dog runs") > 0.9
    assert MEASURES["meteor"]("cat", "dog") == 0


@pytest.mark.parametrize("name", sorted(MEASURES))
def test_similarities_know_japanese(name: str) -> None:
    """Equal texts are 1 by each measure, different ones near 0, empty ones no error."""
    text = "東京都の人口は約千四百万人で、世界でも有数の大都市です。"
    assert MEASURES[name](text, text) == pytest.approx(1, abs=0.01)
    assert MEASURES[name]("猫", "犬と鳥") < 0.3
    assert MEASURES[name]("", text) == MEASURES[name](text, "") == 0


def test_multi_computes_its_formula() -> None:
    """The parts are shown; `^` is the power."""
    found = grade(MULTI, "Kyoto")
    near = fuzz.ratio("Kyoto", "Tokyo") / 100
    assert found is not None and found.value == pytest.approx(0.75 * near**2)
    assert found.explanation == f"same 0, near {near:.4g}"
    alone = {**MULTI, "graders": CHECK, "calculate_output": "same"}  # as the API's schema has it
    listed = {**MULTI, "graders": [CHECK, SIMILAR]}
    assert [one and one.value for one in (grade(alone, "Tokyo"), grade(listed, "Tokyo"))] == [1, 1]


def test_a_formula_without_a_value_is_no_crash() -> None:
    """A division by zero gives 0, with the reason."""
    found = grade({**MULTI, "calculate_output": "1 / same"}, "Kyoto")
    assert found is not None and found.value == 0 and "divides by zero" in found.explanation


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a + b * 2 - -1", 0.5 + 4 + 1),
        ("2 ^ 3 ^ 2", 512),
        ("(a + b) ^ 2 / 5", 1.25),
        ("min(a, b, 0.1) + max(1, b)", 2.1),
        ("floor(b / 3) + ceil(a) + abs(-a)", 1.5),
        ("sqrt(4) + exp(0) + log(1)", 3),
        ("min(a)", 0.5),
        (" 1 ", 1),
    ],
)
def test_formulas(text: str, value: float) -> None:
    """The operators and functions of OpenAI's formulas."""
    assert Formula(text, ("a", "b")).of({"a": 0.5, "b": 2.0}) == pytest.approx(value)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "__import__('os').system('true')",
            "a.__class__",
            "(lambda: 1)()",
            "[a][0]",
            "a if a else b",
            "a < b",
        ),
        *(
            "'x'",
            "True",
            "c",
            "sum(a, b)",
            "sqrt(a, b)",
            "min()",
            "max(*a)",
            "min(a, key=b)",
            "a and b",
            "1 +",
        ),
        *(
            "",
            "1; 2",
            "a := 2",
            "x" * 501,
            "(" * 400 + "1" + ")" * 400,
            "f'{a}'",
            "1j",
            "a @ b",
            "a // b",
            "~a",
        ),
    ],
)
def test_a_formula_is_never_code(text: str) -> None:
    """Whatever is no number, name, operator or known function is refused before anything is graded."""
    with pytest.raises(FormulaError):
        Formula(text, ("a", "b"))


@pytest.mark.parametrize(
    "text", ["10 ^ 10 ^ 10", "1 / (a - a)", "log(0)", "sqrt(-1)", "(-1) ^ 0.5", "exp(1e9)", "1e999"]
)
def test_a_formula_without_a_real_value(text: str) -> None:
    """Too large, undefined and infinite numbers are errors of ours, at once."""
    with pytest.raises(FormulaError):
        Formula(text, ("a",)).of({"a": 1.0})


def test_templates_only_fill_in() -> None:
    """Dotted names, also into JSON and lists; nothing in a value is filled in again."""
    values = {
        "item": {"reference": '{"a": [1, "x"]}', "tags": ["t"], "evil": "{{item.reference}}"},
        "sample": {"output_text": "hi", "output_json": {"n": 1}},
    }
    assert filled("{{item.reference.a.1}} {{ item.tags }} {{sample.output_json.n}}", values) == 'x ["t"] 1'
    assert filled("{{item.evil}} {% if 1 %} { }", values) == "{{item.reference}} {% if 1 %} { }"
    for missing in ("{{item.nothing}}", "{{item.reference.a.2}}", "{{sample.output_text.upper}}"):
        with pytest.raises(TemplateError):
            filled(missing, values)


def test_answers_are_named_as_text_json_and_tools() -> None:
    """An answer that is no JSON scores 0 by a grader that reads its fields, and says so."""
    fields = {**CHECK, "input": "{{sample.output_json.city}}"}
    assert (grade(fields, '{"city": "Tokyo"}') or Score(value=None)).value == 1
    found = grade(fields, "Tokyo")
    assert found is not None and (found.value, found.explanation) == (
        0,
        "there is no sample.output_json.city",
    )
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    tools = {**CHECK, "input": "{{sample.output_tools.0.function.name}}", "reference": "f"}
    assert (grade(tools, "", tool_calls=(call,)) or Score(value=None)).value == 1


@pytest.mark.parametrize(
    ("definition", "message"),
    [
        ({"type": "score_model", "name": "x"}, "score_model: a model as judge is not supported yet"),
        ({"type": "label_model", "name": "x"}, "label_model: a model as judge is not supported yet"),
        ({"type": "python", "name": "x", "source": "1"}, "python: code is never run from an experiment file"),
        ({"type": "exact"}, "`type` must be one of string_check"),
        ({}, "`type` must be one of string_check"),
        ({**CHECK, "operation": "equals"}, "`operation` must be one of eq, ne, like, ilike"),
        ({**CHECK, "inputs": "x"}, "string_check has no `inputs`; did you mean 'input'?"),
        ({"type": "string_check", "name": "x", "input": "a"}, "string_check needs `reference`, a text"),
        ({**CHECK, "input": "{{ answer }}"}, "is not a name like item.reference"),
        ({**CHECK, "input": "{{sample.text}}"}, "available for the sample: output_text"),
        ({**CHECK, "input": "{{item.price}}"}, "names item.price, which questions don't have"),
        (
            {**SIMILAR, "evaluation_metric": "levenshtein"},
            "`evaluation_metric` must be one of cosine, fuzzy_match",
        ),
        ({**SIMILAR, "evaluation_metric": "cosine"}, "needs an embedding model"),
        ({**MULTI, "calculate_output": "same + other"}, "other is not one of its graders"),
        ({**MULTI, "graders": []}, "same is not one of its graders"),
        ({**MULTI, "graders": {"x": MULTI}}, "a multi grader can't contain another one"),
        ({**MULTI, "graders": [CHECK, CHECK]}, "two of its graders have the same name"),
        ({**MULTI, "graders": {"x": {"type": "python"}}}, "code is never run"),
    ],
)
def test_what_is_wrong_with_a_definition_is_said(definition: dict[str, Any], message: str) -> None:
    """Judges that aren't there yet, code, and every mistake, before anything is asked."""
    with pytest.raises(ConfigError) as error:
        check_scorer("grader", definition)
    assert message in str(error.value)


def test_graders_work_on_any_row() -> None:
    """The engine grades with the fields of its rows, where the evaluation has those of a question."""
    grader = read_grader({**CHECK, "reference": "{{item.capital}}"})
    assert grader.grade({"item": {"capital": "Oslo"}, "sample": {"output_text": "Oslo"}}).value == 1
    with pytest.raises(GraderError):
        read_grader("string_check")
