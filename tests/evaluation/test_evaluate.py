"""From records to scores.json: estimates, sets, parts, warnings."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import pytest
from statsmodels.stats.proportion import proportion_confint

from ftrun.errors import ConfigError
from ftrun.evaluation.evaluate import check
from ftrun.evaluation.scores_document import read_scores
from ftrun.experiment.model import ScorerSpec
from ftrun.scoring.metrics import Mean
from ftrun.scoring.scorers import scorers_for
from ftrun.scoring.types import Answer, Sample, Score
from support.evaluations import evaluated, passing, record, sample, scores_of, some


def test_every_metric_has_n_and_an_interval() -> None:
    """Pass rates have Wilson's; the free metrics have theirs."""
    scores = scores_of({"tuned": some(30, 40), "base": some(12, 40)})
    found = scores.candidates["tuned"].metrics["pass_rate"]
    assert (found.value, found.n) == (0.75, 40)
    assert (found.low, found.high) == pytest.approx(
        proportion_confint(30, 40, method="wilson"), rel=1e-9, abs=1e-9
    )
    for metric, one in scores.candidates["base"].metrics.items():
        assert one.n == 40, metric
        assert one.low is not None, metric


def test_answers_that_are_all_alike_are_not_certain() -> None:
    """A share without any spread has Wilson's interval, not one of no width."""
    scores = scores_of({"tuned": some(12, 12)}, scorers=[Halves()])
    found = scores.candidates["tuned"].metrics["halves"]
    assert (found.value, found.n) == (0.5, 12)
    assert (found.low, found.high) == pytest.approx(proportion_confint(6, 12, method="wilson"), rel=1e-9)


class Halves:
    """A scorer that finds every answer half right."""

    name = "halves"
    metrics = (Mean(name="halves"),)

    def score(self, sample: Sample, answer: Answer) -> Score:
        """Return one half."""
        return Score(value=0.5)


def test_records_come_back_with_their_scores() -> None:
    """Each record says whether it passed, what failed, and each scorer's value, in the order given."""
    samples = [sample("q0", reference="はい", tags=("t",)), sample("q1", expect=None, reference="いいえ")]
    given = [record("q0", "tuned", "はい"), record("q1", "tuned", "はい"), record("q0", "base", "いいえ")]
    _, (first, second, third) = evaluated(given, samples)
    assert (first.passed, first.failures, first.tags) == (True, (), ("t",))
    assert first.scores["expect"]["value"] == first.scores["exact_match"]["value"] == 1
    assert (second.passed, "expect" in second.scores, second.reference) == (None, False, "いいえ")
    assert (third.passed, third.failures) == (False, ("does not contain “はい”",))


def test_the_document_is_that_of_the_design_and_is_read_back() -> None:
    """The keys that others rely on are there, and nothing is lost in a sorted file."""
    scores = scores_of(
        {"tuned": some(30, 40), "base": some(12, 40), "few-shot": some(20, 40)},
        gates=["tuned.pass_rate > base.pass_rate @95%"],
    )
    document = scores.as_dict()
    assert {"experiment", "target", "candidates", "comparisons", "verdict", "gates"} <= document.keys()
    assert document["candidates"]["tuned"]["model"] == "model-of-tuned"
    assert document["candidates"]["tuned"]["metrics"]["pass_rate"].keys() == {"value", "n", "low", "high"}
    keys = {"a", "b", "metric", "difference", "low", "high", "p", "n", "flips"}
    assert keys <= document["comparisons"][0].keys()
    assert document["comparisons"][0]["flips"].keys() == {"fixed", "broken", "same"}
    assert document["verdict"].keys() == {"decision", "reasons"}
    assert {"gate", "passed", "value"} <= document["gates"][0].keys()
    text = json.dumps(document, sort_keys=True, allow_nan=False)
    assert read_scores(json.loads(text)) == scores
    assert list(read_scores(json.loads(text)).candidates) == ["tuned", "base", "few-shot"]


def test_the_first_candidate_is_compared_with_every_other_one() -> None:
    """In every metric of which more or less is better; flips only where scores are 0 or 1."""
    scores = scores_of({"new": some(30, 40), "old": some(20, 40, offset=15), "older": some(10, 40)})
    pairs = {(one.a, one.b, one.metric) for one in scores.comparisons}
    assert {("new", "old", "pass_rate"), ("new", "older", "pass_rate"), ("new", "old", "seconds")} <= pairs
    assert not any(metric == "length" or a != "new" for a, _, metric in pairs)
    found = scores.comparison("old")
    assert found is not None
    assert found.flips is not None
    assert found.flips.fixed == tuple(f"q{number}" for number in range(15))
    assert found.flips.broken == tuple(f"q{number}" for number in range(30, 35))
    assert found.flips.same == 20
    assert all(one.flips is None for one in scores.against("seconds"))


def test_recorded_answers_that_are_missing_leave_the_pairs_and_are_counted() -> None:
    """n is the questions that both answered."""
    records = passing({"tuned": some(30, 40), "old": some(20, 40)})
    records = [one for one in records if one.candidate == "tuned" or one.prompt_id not in ("q3", "q9")]
    scores, _ = evaluated(records)
    found = scores.comparison("old")
    assert found is not None
    assert found.n == 38
    assert scores.candidates["old"].missing == 2
    assert any("old answered 38 of 40" in one for one in scores.warnings)


def test_answers_to_questions_that_are_not_asked_stay_as_they_are() -> None:
    """They are neither scored nor counted."""
    extra = record("elsewhere", "tuned", "はい")
    scores, records = evaluated([*passing({"tuned": some(3, 6)}), extra], [sample(f"q{n}") for n in range(6)])
    assert records[-1] == extra
    assert scores.candidates["tuned"].answered == 6


def test_recall_and_general_are_metrics_of_their_own() -> None:
    """The main metrics are over prompts and the test split."""
    samples = [
        *(sample(f"q{number}") for number in range(10)),
        *(sample(f"q{number}", set="test") for number in range(10, 20)),
        *(sample(f"q{number}", set="recall") for number in range(20, 26)),
        *(sample(f"q{number}", set="general") for number in range(26, 34)),
    ]
    passed = [True] * 10 + [False] * 10 + [True] * 6 + [False] * 8
    scores, records = evaluated(passing({"tuned": passed, "base": passed[::-1]}), samples)
    metrics = scores.candidates["tuned"].metrics
    found = {name: (metrics[name].value, metrics[name].n) for name in ("pass_rate", "recall", "general")}
    assert found == {"pass_rate": (0.5, 20), "recall": (1.0, 6), "general": (0.0, 8)}
    assert scores.candidates["tuned"].parts.keys() == {"prompts", "test", "recall", "general"}
    assert {one.metric for one in scores.comparisons} >= {"recall", "general"}
    assert [one.recall for one in records[:34]] == [False] * 20 + [True] * 6 + [False] * 8


def test_parts_are_by_tag() -> None:
    """A part has the metrics of its questions alone."""
    samples = [
        sample(f"q{number}", tags=("even", "all") if number % 2 == 0 else ("all",)) for number in range(12)
    ]
    scores, _ = evaluated(passing({"tuned": [number % 2 == 0 for number in range(12)]}), samples)
    parts = scores.candidates["tuned"].parts
    assert {name: (one["pass_rate"].value, one["pass_rate"].n) for name, one in parts.items()} == {
        "even": (1.0, 6),
        "all": (0.5, 12),
    }


def test_recall_questions_count_where_nothing_else_is_judged() -> None:
    """A warning says so."""
    samples = [sample("q0", expect=None), *(sample(f"q{number}", set="recall") for number in range(1, 9))]
    scores, _ = evaluated(passing({"tuned": some(9, 9)}), samples)
    assert scores.candidates["tuned"].metrics["pass_rate"].n == 8
    assert any("memorized" in one for one in scores.warnings)
    judged, _ = evaluated(passing({"tuned": some(9, 9)}), [sample("q0"), *samples[1:]])
    assert judged.candidates["tuned"].metrics["pass_rate"].n == 1
    assert judged.warnings == ()


def test_what_was_forgotten_is_a_warning_that_names_the_remedy() -> None:
    """Only where the loss is significant."""
    samples = [
        *(sample(f"q{number}") for number in range(10)),
        *(sample(f"q{number}", set="general") for number in range(10, 50)),
    ]
    for kept, warned in ((15, True), (38, False)):
        tuned = [True] * 10 + some(kept, 40)
        scores, _ = evaluated(passing({"tuned": tuned, "base": [True] * 50}), samples)
        assert any("data.replay" in one for one in scores.warnings) == warned


def test_degenerate_answers_are_a_warning() -> None:
    """It says how many, and shows one."""
    records = [
        record("q0", "tuned", "はいはいはい。" * 60),
        record("q1", "tuned", "はい"),
        record("q0", "base", "はい"),
    ]
    scores, _ = evaluated(records)
    (found,) = (one for one in scores.warnings if one.startswith("Degenerate"))
    assert "1 of tuned" in found
    assert "q0" in found


def test_a_classification_has_a_confusion_matrix_of_each_candidate() -> None:
    """Rows are true labels, the last column answers that are none; accuracy counts right answers."""
    labels = ["賛成", "反対"]
    samples = [sample(f"q{number}", expect=None, reference=labels[number % 2]) for number in range(20)]
    specs = [ScorerSpec(name="classification", options={"labels": labels})]
    answers = [*(labels[number % 2] for number in range(16)), "賛成", "賛成", "さあ", "反対"]
    records = [record(f"q{number}", "tuned", answer) for number, answer in enumerate(answers)]
    scores, _ = evaluated(records, samples, scorers=scorers_for(specs, samples))
    assert scores.confusion == {"tuned": {"labels": labels, "counts": [[9, 0, 1], [1, 9, 0]]}}
    metrics = scores.candidates["tuned"].metrics
    assert (metrics["accuracy"].value, metrics["accuracy"].n) == (0.9, 20)
    assert scores.metric == "accuracy"
    assert metrics["f1_macro"].low is not None
    assert metrics["f1_macro"].low < (metrics["f1_macro"].value or 0)


def test_japanese_texts_have_corpus_scores_with_intervals() -> None:
    """chrF over all answers is sacrebleu's, and its interval holds it."""
    sacrebleu = pytest.importorskip("sacrebleu")
    references = [f"宿の{number}号室は海が見えます。朝食は七時からです。" for number in range(12)]
    answers = [one.replace("海", "山") if index % 3 else one for index, one in enumerate(references)]
    samples = [sample(f"q{index}", expect=None, reference=one) for index, one in enumerate(references)]
    records = [record(f"q{index}", "tuned", answer) for index, answer in enumerate(answers)]
    scores, _ = evaluated(records, samples, metric="chrf")
    found = scores.candidates["tuned"].metrics["chrf"]
    expected = sacrebleu.corpus_chrf(answers, [references]).score
    assert found.value == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert (found.low or 100) < expected < (found.high or 0)


def test_groups_and_repeated_answers_widen_the_interval() -> None:
    """Copies of a question know no more than the question."""
    records = passing({"tuned": some(20, 40)})
    alone = evaluated(records)[0].candidates["tuned"].metrics["pass_rate"]
    grouped = [sample(f"q{number}", cluster=f"g{number // 4}") for number in range(40)]
    together = evaluated(records, grouped)[0].candidates["tuned"].metrics["pass_rate"]
    repeats = [replace(one, repeat=number) for one in records for number in range(3)]
    repeated = evaluated(repeats)[0].candidates["tuned"].metrics["pass_rate"]
    assert (together.high or 0) - (together.low or 0) > 1.5 * ((alone.high or 0) - (alone.low or 0))
    assert repeated.n == 40
    assert (repeated.low, repeated.high) == pytest.approx((alone.low, alone.high), abs=0.01)


def test_without_numpy_pass_rates_are_evaluated_all_the_same() -> None:
    """A bare install has intervals, tests, gates and a verdict: the standard library is enough."""
    code = (
        "import sys; sys.modules['numpy'] = None\n"
        "from support.evaluations import scores_of, some\n"
        "scores = scores_of({'tuned': some(35, 40), 'base': some(9, 40)}, "
        "gates=['tuned.pass_rate > base.pass_rate @95%'])\n"
        "print(scores.verdict.decision, scores.candidates['tuned'].metrics['seconds'].n)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd="tests", check=False
    )
    assert (done.stdout, done.stderr) == ("ship 40\n", "")


@pytest.mark.parametrize(
    ("values", "code", "words"),
    [
        ({"metric": "bleurt"}, "unknown_metric", "no such metric"),
        ({"metric": "length"}, "unknown_metric", "neither more nor less"),
        ({"gates": ["tuned.bleurt > 1"]}, "unknown_metric", "no metric bleurt"),
        ({"gates": ["nobody.pass_rate > 0.5"]}, "gate", "no candidate nobody"),
        ({"gates": ["tuned.pass_rate > 0.5 @95"]}, "gate", "not a gate"),
        ({"gates": ["tuned.general >= 0.5"]}, "unknown_metric", "no metric general"),
    ],
)
def test_what_cannot_be_decided_is_refused_before_anything_is_asked(
    values: dict[str, object], code: str, words: str
) -> None:
    """The error names what is unknown and what there is."""
    samples = [sample("q0")]
    with pytest.raises(ConfigError, match=words) as caught:
        check(samples=samples, candidates=["tuned", "base"], scorers=scorers_for((), samples), **values)  # type: ignore[arg-type]
    assert caught.value.code == code
    assert caught.value.problem.hint


@pytest.mark.parametrize(
    ("samples", "specs", "metric"),
    [
        ([sample("a"), sample("b", expect=None, reference="x")], [], "pass_rate"),
        ([sample("a", expect=None, reference="x")], ["includes", "exact_match"], "includes"),
        ([sample("a", expect=None), sample("g", set="general")], [], None),
        ([sample("a", expect=None, reference="x")], ["length", "includes"], "includes"),
    ],
)
def test_the_default_metric_is_the_pass_rate_else_the_first_scorers(
    samples: list[object], specs: list[str], metric: str | None
) -> None:
    """Questions of other sets don't decide it, nor scorers of which neither more nor less is better."""
    scorers = scorers_for([ScorerSpec(name=one) for one in specs], samples)  # type: ignore[arg-type]
    assert check(samples=samples, candidates=["tuned"], scorers=scorers) == metric  # type: ignore[arg-type]
