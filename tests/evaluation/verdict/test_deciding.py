"""The verdict: which decision, which headline, which reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ftrun.evaluation.results import Decision, Estimate, Scores
from ftrun.evaluation.verdict.break_even import break_even
from ftrun.evaluation.verdict.deciding import headline, tone
from ftrun.evaluation.verdict.reasons import questions_missing
from ftrun.evaluation.verdict.to_beat import to_beat
from ftrun.experiment.model import ScorerSpec
from ftrun.language import localized
from ftrun.scoring.scorers import scorers_for
from support.evaluations import evaluated, record, sample, scores_of, some


def decision(scores: Scores) -> Decision:
    """Return the decision."""
    assert scores.verdict is not None
    return scores.verdict.decision


def reasons(scores: Scores) -> str:
    """Return all reasons."""
    assert scores.verdict is not None
    return "\n".join(scores.verdict.reasons)


def test_significantly_better_than_base_is_ship() -> None:
    """The headline has both counts, the reasons the interval."""
    scores = scores_of({"tuned": some(52, 60), "base": some(20, 60)})
    assert decision(scores) == "ship"
    assert headline(scores) == "It helped: tuned passes 52 of 60 questions, base 20."
    assert tone(scores) == "good"
    assert "Better than base in pass_rate by 53 points (95 % interval" in reasons(scores)


def test_where_nobody_gets_anything_right_the_verdict_says_so() -> None:
    """It doesn't praise the base model, and says what it can mean; also before training."""
    scores = scores_of({name: [False] * 20 for name in ("tuned", "base", "few-shot")})
    assert decision(scores) == "not_enough_evidence"
    words = "Nobody got anything right: every candidate scores 0% in pass_rate (20 questions)."
    assert headline(scores) == words
    assert "the questions or what they expect may be wrong" in reasons(scores)
    assert "does as well" not in reasons(scores) and "\n" not in reasons(scores)
    before = scores_of({name: [False] * 20 for name in ("base", "few-shot")})
    assert to_beat(before)[0] == words and "may be wrong" in to_beat(before)[1]


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_few_questions_are_a_hint_and_never_it_helped(n: int) -> None:
    """Even if the tuned model passes all of them and base none."""
    scores = scores_of({"tuned": [True] * n, "base": [False] * n})
    assert decision(scores) == "not_enough_evidence"
    assert headline(scores).startswith(f"Only a hint, from {n} question")
    assert "1 questions" not in headline(scores) + reasons(scores)
    assert tone(scores) == "neutral"
    assert "about 80 detect a difference of 20 points" in reasons(scores) or n == 5


def test_significantly_worse_than_any_candidate_is_do_not_ship() -> None:
    """Also if it is better than base; few-shot needs no training, so the headline says it isn't worth it."""
    scores = scores_of({"tuned": some(40, 60), "base": some(5, 60), "few-shot": some(58, 60)})
    assert decision(scores) == "do_not_ship"
    assert headline(scores).startswith("Fine-tuning is not worth it: few-shot does better without training")
    assert tone(scores) == "bad"
    assert "Better than base" in reasons(scores)
    assert "Don't fine-tune for this alone: few-shot does better without training." in reasons(scores)
    worse = scores_of({"tuned": some(10, 60), "base": some(45, 60)})
    assert headline(worse) == "It got worse: tuned passes 10 of 60 questions, base 45."
    older = scores_of({"tuned": some(10, 60), "old": some(45, 60)})
    assert headline(older) == "It is worse than old: tuned passes 10 of 60 questions, old 45."


def test_as_good_without_training_is_said_plainly() -> None:
    """The verdict is about base, but a prompt that does as well is in the headline."""
    scores = scores_of({"tuned": some(50, 60), "base": some(20, 60), "retrieval": some(51, 60)})
    assert decision(scores) == "ship"
    assert headline(scores).startswith("It helped, but retrieval does as well without training: ")
    assert "Don't fine-tune for this alone: retrieval does as well without training" in reasons(scores)


def test_a_difference_that_chance_explains_is_not_enough_evidence() -> None:
    """The reasons say how many more questions would settle it."""
    scores = scores_of({"tuned": some(30, 60), "base": some(26, 60, offset=20)})
    assert decision(scores) == "not_enough_evidence"
    assert headline(scores).startswith(
        "Perhaps better, but the difference is not significant: tuned passes 30 of 60"
    )
    assert "more questions would show whether the difference from base is real." in reasons(scores)
    worse = scores_of({"tuned": some(26, 60, offset=20), "base": some(30, 60)})
    assert headline(worse).startswith("No sign that fine-tuning helped: ")
    equal = scores_of({"tuned": some(30, 60), "base": some(30, 60)})
    assert headline(equal) == "No difference: tuned passes 30 of 60 questions, base 30."
    assert "This many questions detect a difference of 16 points or more from base" in reasons(equal)


def test_the_questions_that_are_missing_are_enough() -> None:
    """With as many more of the same kind, the difference is significant."""
    scores = scores_of({"tuned": some(36, 60), "base": some(28, 60, offset=20)})
    found = scores.comparison("base")
    assert found is not None
    assert not found.significant
    more = questions_missing(found)
    assert more is not None
    times = (60 + more) // 60 + 1
    again = scores_of({"tuned": some(36, 60) * times, "base": some(28, 60, offset=20) * times})
    assert decision(again) == "ship"


def test_without_base_it_must_be_better_than_all() -> None:
    """One that is not beaten is enough to withhold the verdict."""
    one, others = some(50, 60), {"old": some(20, 60), "older": some(15, 60)}
    assert decision(scores_of({"new": one, **others})) == "ship"
    assert headline(scores_of({"new": one, **others})).startswith("It is better than old: ")
    assert decision(scores_of({"new": one, **others, "mini": some(50, 60)})) == "not_enough_evidence"


def test_holm_is_over_all_comparisons_of_the_metric() -> None:
    """A p of 0.03 for base is not enough where three others are compared as well."""
    tuned, base = [True] * 46 + [False] * 14, [True] * 36 + [False] * 10 + [True] * 2 + [False] * 12
    alone = scores_of({"tuned": tuned, "base": base})
    assert decision(alone) == "ship"
    others = {f"other{number}": tuned for number in range(4)}
    among = scores_of({"tuned": tuned, "base": base, **others})
    p, adjusted = (one.p for one in (alone.comparison("base"), among.comparison("base")) if one is not None)
    assert (p or 0) * 5 == pytest.approx(adjusted)
    assert decision(among) == "not_enough_evidence"


def test_a_missed_gate_is_do_not_ship() -> None:
    """However much better the model is; the reason is the first one."""
    scores = scores_of(
        {"tuned": some(52, 60), "base": some(20, 60)},
        gates=["tuned.pass_rate >= 0.9", "tuned.pass_rate > 0.5"],
    )
    assert decision(scores) == "do_not_ship"
    assert headline(scores) == "Don't ship tuned: 1 of 2 gates missed."
    assert reasons(scores).startswith("Gate missed: tuned.pass_rate >= 0.9 (left is 0.8667, right is 0.9).")


def test_gates_that_compare_at_a_level_decide_where_all_hold() -> None:
    """That is the non-inferiority test: as good as the old model is enough. Values alone don't suffice."""
    answers = {"tuned": some(40, 60), "old": some(41, 60, offset=1)}
    proven = scores_of(
        answers, gates=["tuned.pass_rate >= old.pass_rate - 0.2 @95%", "tuned.pass_rate > 0.5"]
    )
    assert decision(proven) == "ship"
    assert headline(proven) == "tuned can replace old: it is at most 20 points worse in pass_rate."
    assert decision(scores_of(answers, gates=["tuned.pass_rate >= 0.5"])) == "not_enough_evidence"
    assert decision(scores_of(answers, gates=["old.pass_rate >= 0.5 @95%"])) == "not_enough_evidence"


def test_less_is_better_where_the_metric_says_so() -> None:
    """The subject refuses less, which is an improvement."""
    samples = [sample(f"q{number}", expect=None) for number in range(30)]
    refused = "申し訳ありませんが、お答えできません。"
    records = [record(f"q{number}", "tuned", refused if number < 2 else "はい") for number in range(30)]
    records += [record(f"q{number}", "base", refused if number < 25 else "はい") for number in range(30)]
    scores, _ = evaluated(records, samples, metric="refusals")
    assert decision(scores) == "ship"
    assert headline(scores) == "It helped: tuned scores 2 of 30 in refusals, base 25."
    flips = scores.against("refusals").__next__().flips
    assert flips is not None
    assert (len(flips.fixed), flips.broken) == (23, ())


def test_nothing_to_judge_and_nothing_to_compare_are_said() -> None:
    """Neither is an error."""
    samples = [sample(f"q{number}", expect=None) for number in range(3)]
    unjudged, _ = evaluated([record("q0", "tuned", "はい"), record("q0", "base", "はい")], samples)
    assert decision(unjudged) == "not_enough_evidence"
    assert headline(unjudged).startswith("Judge the answers yourself")
    alone = scores_of({"tuned": some(50, 60)})
    assert headline(alone) == "Nothing to compare with: tuned scores 83% in pass_rate (60 questions)."
    assert "add `base` to `eval.models`" in reasons(alone)
    assert headline(Scores()) == "Nothing was evaluated."


def test_candidates_without_a_common_question_are_named() -> None:
    """Recorded answers may be to other questions than those that the subject answered."""
    records = [record(f"q{number}", "tuned", "はい") for number in range(12)]
    records += [record(f"q{number}", "base", "はい") for number in range(12, 24)]
    scores, _ = evaluated(records)
    assert decision(scores) == "not_enough_evidence"
    assert "Not compared with base: no question was scored for both." in reasons(scores)


def test_other_metrics_are_said_in_their_own_numbers() -> None:
    """Shares differ by points, seconds by seconds."""
    samples = [sample(f"q{number}", expect=None, reference="はい") for number in range(20)]
    records = [
        record(f"q{number}", candidate, "はい", seconds=seconds + number % 3 / 10)
        for candidate, seconds in (("tuned", 1.0), ("base", 3.0))
        for number in range(20)
    ]
    scores, _ = evaluated(
        records, samples, metric="seconds", scorers=scorers_for([ScorerSpec(name="includes")], samples)
    )
    assert headline(scores) == "It helped: tuned scores 1.1 s in seconds, base 3.1 s (20 questions)."
    assert "Better than base in seconds by 2 s (95 % interval 2 s to 2 s, 20 questions)." in reasons(scores)


def test_verdicts_are_translated_as_a_whole() -> None:
    """No English is left but names, metrics and units."""
    scores = scores_of({"tuned": some(52, 60), "base": some(20, 60), "few-shot": some(53, 60)})
    assert scores.verdict is not None
    for one in (headline(scores), *scores.verdict.reasons):
        shown = localized(one, "ja")
        for word in ("tuned", "base", "few-shot", "pass_rate"):
            shown = shown.replace(word, "")
        assert not any(letter.isascii() and letter.isalpha() for letter in shown), shown


# break-even


def priced(
    training: float | None, tuned: float | None, few_shot: float | None
) -> list[tuple[int | None, str]]:
    """Return after how many calls training has paid off, and how that is said."""
    scores = scores_of({"tuned": some(5, 10), "few-shot": some(5, 10)})
    costs = {"tuned": tuned, "few-shot": few_shot}
    candidates = {
        name: replace(one, metrics={**one.metrics, "cost_usd": Estimate(value=costs[name], n=10)})
        for name, one in scores.candidates.items()
    }
    found = break_even(replace(scores, candidates=candidates), training)
    return [(one.calls, one.sentence) for one in found]


def test_break_even_is_training_divided_by_what_an_answer_saves() -> None:
    """US$3 at a third of a cent saved each is 900 answers."""
    ((calls, sentence),) = priced(3.0, 0.001, 0.001 + 1 / 300)
    assert calls == 900
    assert sentence.startswith("Training pays off against few-shot after about 900 answers: ")


def test_break_even_may_be_never_or_unknown() -> None:
    """A dearer model never pays off; free training and unknown prices say nothing."""
    ((calls, sentence),) = priced(3.0, 0.002, 0.001)
    assert calls is None
    assert sentence.startswith("Training never pays off on cost alone")
    assert priced(0.0, 0.001, 0.002) == priced(None, 0.001, 0.002) == priced(3.0, None, 0.002) == []


# before training


def test_before_training_the_best_untrained_candidate_is_to_beat() -> None:
    """It says how sure that is, and which improvement these questions would show."""
    scores = scores_of({"base": some(20, 60), "few-shot": some(45, 60), "retrieval": some(30, 60)})
    first, second, *others = to_beat(scores)
    assert first == "Fine-tuning would have to beat few-shot: 75% in pass_rate (60 questions)."
    assert second.startswith("With 95 % confidence, few-shot is between 63% and 84%")
    assert "Better than base already, without training: few-shot." in others
    assert others[-1].startswith("This many questions would detect an improvement of about ")


def test_before_training_nearly_perfect_few_and_no_answers_are_said() -> None:
    """Each has a sentence of its own."""
    assert to_beat(scores_of({"base": [True] * 40}))[-1].startswith("Little is left to gain: base")
    assert to_beat(scores_of({"base": [True] * 2}))[-1] == "Too few questions to say how certain that is: 2."
    assert to_beat(Scores()) == ("No answer was judged, so there is nothing to beat yet.",)
