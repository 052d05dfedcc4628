"""Scorers by name: what the file asks for, the defaults, and what is refused before anything is asked."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from ftrun.errors import ConfigError
from ftrun.experiment.model import ScorerSpec
from ftrun.scoring import scorers as module
from ftrun.scoring.scorers import (
    FREE,
    METRICS,
    SCORER_OF,
    check_scorer,
    make_scorers,
    metric_names,
    scorers_for,
)
from ftrun.scoring.types import Answer, Sample

OPTIONS: dict[str, dict[str, Any]] = {
    "regex": {"pattern": "a"},
    "json_schema": {"schema": True},
    "classification": {"labels": ["a", "b"]},
    "grader": {
        **{"type": "string_check", "name": "grader", "operation": "eq"},
        **{"input": "{{sample.output_text}}", "reference": "a"},
    },
}
WITH_MODEL = ("embedding",)
JUDGED = Sample(id="1", turns=(), expect={"contains": "a"})
REFERRED = Sample(id="2", turns=(), reference="a")


def test_the_metrics_of_every_scorer_are_as_listed() -> None:
    """The names that gates may use are those that the scorers have, main metric first."""
    names = [name for name in METRICS if name not in WITH_MODEL]
    for name in names:
        (scorer,) = make_scorers([(name, OPTIONS.get(name, {}))])
        found = tuple(one.name for one in scorer.metrics)
        assert found == metric_names(name, OPTIONS.get(name, {})), name
    assert metric_names("regex", {"pattern": "a", "name": "polite"}) == ("polite",)
    assert metric_names("distinct_n", {"n": 3}) == ("distinct_3",)
    assert metric_names("mine", {}) is None


@pytest.mark.parametrize("metric", SCORER_OF)
def test_the_name_of_a_metric_is_a_name_of_its_scorer(metric: str) -> None:
    """`rouge_l` makes `rouge`, with ROUGE-L as the main metric."""
    options = OPTIONS.get(SCORER_OF[metric], {})
    check_scorer(metric, options)
    (scorer,) = make_scorers([(metric, options)])
    assert scorer.name == SCORER_OF[metric]
    assert tuple(one.name for one in scorer.metrics) == metric_names(metric, options)
    assert scorer.metrics[0].name == metric


def test_several_metrics_of_a_scorer_make_it_once() -> None:
    """Their order decides which one leads; options hold wherever they are; two different ones are refused."""
    labels = {"labels": ["a", "b"]}
    first, second = make_scorers([("f1_macro", {}), ("rouge_2", {}), ("accuracy", labels), ("rouge", {})])
    assert (first.name, first.metrics[0].name) == ("classification", "f1_macro")
    assert getattr(first, "labels", None) == ("a", "b")
    assert (second.name, second.metrics[0].name) == ("rouge", "rouge_2")
    with pytest.raises(ConfigError, match="Two scorers are called classification"):
        make_scorers([("f1_macro", labels), ("accuracy", {"labels": ["a", "c"]})])
    with pytest.raises(ConfigError, match="Two scorers are called rouge"):
        make_scorers([("rouge", {}), ("rouge", {})])


def test_a_metrics_name_beside_what_is_always_there() -> None:
    """`pass_rate` is `expect`, which is not made a second time; without any `expect` it is refused."""
    specs = [ScorerSpec(name="pass_rate")]
    assert [one.name for one in scorers_for(specs, [JUDGED])] == ["expect", *FREE]
    with pytest.raises(ConfigError, match="no question has `expect`"):
        scorers_for(specs, [REFERRED])


def test_the_score_of_an_answer_is_the_main_metrics() -> None:
    """Listed as `rouge_l`, each answer shows ROUGE-L, and the other two in words."""
    (scorer,) = make_scorers([("rouge_l", {})])
    score = scorer.score(Sample(id="1", turns=(), reference="a b c d"), Answer(text="d c b a"))
    assert score is not None
    assert (score.value, score.explanation) == (0.25, "ROUGE-1 1.000, ROUGE-2 0.000")


def test_names_of_metrics_need_no_package() -> None:
    """Importing the table loads neither numpy nor a scorer."""
    heavy = ("numpy", "sacrebleu", "regex", "nltk", "ftrun.scoring.overlap")
    code = f"import sys, ftrun.scoring.scorers; print([one for one in {heavy!r} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("samples", "names"),
    [
        ([JUDGED], ["expect"]),
        ([REFERRED], ["chrf", "exact_match"]),
        ([JUDGED, REFERRED], ["expect", "chrf", "exact_match"]),
        ([Sample(id="3", turns=(), expect={"tool_call": "f"})], ["expect", "tool_call"]),
        ([Sample(id="4", turns=())], []),
    ],
)
def test_defaults_fit_the_samples(samples: list[Sample], names: list[str]) -> None:
    """Without `eval.scorers` there are those that can judge something, and always the free ones."""
    assert [one.name for one in scorers_for([], samples)] == [*names, *FREE]


def test_those_of_the_file_come_first() -> None:
    """Expectations are judged too, and nothing is there twice."""
    specs = [ScorerSpec(name="length"), ScorerSpec(name="includes", options={"case": False})]
    found = [one.name for one in scorers_for(specs, [JUDGED, REFERRED])]
    assert found == ["length", "includes", "expect", "refusals", "distinct_2", "seconds", "cost_usd"]
    pairs = ScorerSpec(name="distinct_n", options={"n": 2})
    assert [one.name for one in scorers_for([pairs], [])].count("distinct_2") == 1
    assert [one.name for one in scorers_for([], [], ["distinct_n"])].count("distinct_2") == 1


def test_without_the_extra_the_defaults_need_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bare install still judges expectations and exact matches; what it lacks is said when asked for."""
    find = importlib.util.find_spec
    gone = ("numpy", "sacrebleu")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name in gone else find(name, *a)
    )
    monkeypatch.setattr(module, "find_spec", importlib.util.find_spec)
    assert [one.name for one in scorers_for([], [REFERRED])] == ["exact_match", *FREE]
    with pytest.raises(
        ConfigError, match=r"The scorer chrf needs numpy, sacrebleu \(the extra ftrun\[eval\]\)"
    ) as error:
        scorers_for([ScorerSpec(name="chrf")], [REFERRED])
    assert error.value.code == "extra_missing" and "install" in str(error.value.problem.hint)
    check_scorer("chrf", {})  # the options are right
    for name in ("extraction", "classification", "rouge"):  # before anything is asked
        with pytest.raises(ConfigError, match=rf"The scorer {name} needs numpy"):
            make_scorers([(name, {})])


@pytest.mark.parametrize(
    ("name", "options", "message", "hint"),
    [
        ("chfr", {}, "There is no scorer called chfr", "Did you mean `chrf`?"),
        ("polite_words", {}, "There is no scorer called polite_words", "--scorer polite_words"),
        ("chrf", {"word_orders": 2}, "has no option `word_orders`", "Did you mean `word_order`?"),
        ("chrf", {"word_order": 9}, "must be a whole number from 0 to 2, not 9", None),
        ("length", {"unit": "x"}, "The scorer length has no option `unit`", None),
        ("regex", {}, "The scorer regex needs `pattern`", None),
        ("regex", {"pattern": "("}, "is not a regular expression", None),
        (
            "exact_match",
            {"case": "no"},
            '`case` of the scorer exact_match must be true or false, not "no"',
            None,
        ),
        ("classification", {"labels": "yes"}, 'must be a list of texts, not "yes"', None),
        ("distinct_n", {"n": 0}, "must be a whole number from 1 to 10", None),
        ("bleu", {"tokenize": "mecab"}, "must be one of auto, 13a, char", None),
        ("regex", {"pattern": "a", "name": ""}, 'must be a text, not ""', None),
    ],
)
def test_wrong_options_are_one_message(
    name: str, options: Mapping[str, Any], message: str, hint: str | None
) -> None:
    """The scorer, the option and the value are named, with a suggestion where one is near."""
    with pytest.raises(ConfigError, match=message.replace("[", r"\[")) as error:
        make_scorers([(name, options)])
    assert error.value.code == ("scorer" if name in METRICS else "unknown_scorer")
    assert hint is None or hint in str(error.value.problem.hint)
    if name in METRICS:
        with pytest.raises(ConfigError):
            check_scorer(name, options)


def test_two_scorers_need_two_names() -> None:
    """The same scorer twice must be told apart in results and gates."""
    with pytest.raises(ConfigError, match="Two scorers are called regex"):
        make_scorers([("regex", {"pattern": "a"}), ("regex", {"pattern": "b"})])
    found = make_scorers([("regex", {"pattern": "a"}), ("regex", {"pattern": "b", "name": "polite"})])
    assert [one.metrics[0].name for one in found] == ["regex", "polite"]
    with pytest.raises(ConfigError, match="have a metric called json_valid"):
        make_scorers([("json", {}), ("includes", {"name": "json_valid"})])


@pytest.mark.parametrize(
    ("name", "samples", "message"),
    [
        ("chrf", [JUDGED], "no question has a reference"),
        ("numeric", [REFERRED], "no question has a number as its reference"),
        ("extraction", [REFERRED], "no question has a JSON object as its reference"),
        ("tool_call", [JUDGED], "no question has `expect.tool_call`"),
        ("expect", [REFERRED], "no question has `expect`"),
    ],
)
def test_a_scorer_that_could_judge_nothing_is_refused(name: str, samples: list[Sample], message: str) -> None:
    """Missing references are noticed before anything is asked."""
    with pytest.raises(ConfigError, match=message) as error:
        scorers_for([ScorerSpec(name=name)], samples)
    assert error.value.code == "references"
    assert scorers_for([ScorerSpec(name=name)], [])  # what will be asked is not known yet


@pytest.mark.parametrize(
    ("name", "options", "reference", "answer", "value"),
    [
        ("exact_match", {}, "はい", " はい\n", 1),
        ("exact_match", {}, "ABC 123", "ＡＢＣ　１２３", 1),
        ("exact_match", {}, "a b", "a  \n b", 1),
        ("exact_match", {}, "Yes", "yes", 0),
        ("exact_match", {"case": False}, "Straße", "STRASSE", 1),
        ("exact_match", {}, "はい", "はい。", 0),
        ("exact_match", {}, "ガ", "ｶﾞ", 1),
        ("exact_match", {}, "", "", 1),
        ("includes", {}, "１０時", "営業は 10時 からです", 1),
        ("includes", {}, "Tokyo", "tokyo tower", 0),
        ("includes", {"case": False}, "Tokyo", "in TOKYO.", 1),
        ("regex", {"pattern": r"^\d{4}$"}, None, "2026", 1),
        ("regex", {"pattern": r"^\d{4}$"}, None, "in 2026", 0),
    ],
)
def test_texts_are_compared_in_normal_form(
    name: str, options: dict[str, Any], reference: str | None, answer: str, value: int
) -> None:
    """Width and runs of whitespace don't matter, case does unless told otherwise, nothing else is ignored."""
    (scorer,) = make_scorers([(name, options)])
    found = scorer.score(Sample(id="", turns=(), reference=reference), Answer(text=answer))
    assert found is not None and found.value == value


def test_without_a_reference_nothing_is_scored() -> None:
    """A question that lacks what a scorer judges by leaves its number of answers."""
    for name in ("exact_match", "includes", "bleu", "chrf", "rouge", "numeric", "extraction", "expect"):
        (scorer,) = make_scorers([(name, {})])
        assert scorer.score(Sample(id="", turns=()), Answer(text="a")) is None, name


def test_what_can_be_said_of_every_answer() -> None:
    """Length, refusals, repetition, time and cost, each a mean; unknown ones are left out."""
    by_name = {one.name: one for one in make_scorers([(name, {}) for name in FREE])}
    sample = Sample(id="", turns=())

    def value(name: str, answer: Answer) -> float | None:
        found = by_name[name].score(sample, answer)
        return None if found is None else found.value

    long = Answer(text=" 猫が好き。\n", seconds=1.5, usd=0.002)
    assert [value(name, long) for name in ("length", "seconds", "cost_usd", "refusals")] == [5, 1.5, 0.002, 0]
    bare = Answer(text="I'm sorry, but I can't help with that.")
    assert [value(name, bare) for name in ("seconds", "cost_usd", "refusals")] == [None, None, 1]
    assert value("refusals", Answer(text="", refusal="content_filter")) == 1
    assert value("refusals", Answer(text="申し訳ありませんが、そのご質問にはお答えできません。")) == 1
    assert value("refusals", Answer(text="I can't wait to help you!")) == 0
    assert value("distinct_2", Answer(text="the cat the cat the cat")) == pytest.approx(2 / 5)
    assert value("distinct_2", Answer(text="猫猫猫猫")) == pytest.approx(1 / 3)
    assert value("distinct_2", Answer(text="cat")) is None


def test_means_are_taken_over_scored_answers() -> None:
    """A mean of resampled sums; without any answer it is undefined."""
    metric = make_scorers([("exact_match", {})])[0].metrics[0]
    assert metric.combine(np.array([[3.0, 4.0], [0.0, 2.0]])).tolist() == [0.75, 0.0]
    assert np.isnan(metric.combine(np.array([[0.0, 0.0]]))[0])
    assert metric.binary and metric.resampled and metric.scale == "share" and metric.higher_is_better
