"""Gates with a margin: what was shown, and what so many questions can show."""

from __future__ import annotations

import pytest

from ftrun.evaluation.results import Scores
from ftrun.evaluation.verdict.deciding import headline
from ftrun.evaluation.verdict.non_inferiority import (
    NonInferiority,
    needed_of_alike,
    non_inferiorities,
    sentence,
    smallest_of_alike,
)
from support.evaluations import evaluated, passing, record, scores_of, some

GATE = "tuned.pass_rate >= old.pass_rate - 0.05 @95%"


def only(scores: Scores) -> NonInferiority:
    """Return the one thing that was tested."""
    (found,) = non_inferiorities(scores)
    return found


def test_a_difference_within_the_margin_is_shown() -> None:
    """The interval is that of the comparison, without the margin; the sentence has margin, interval and n."""
    scores = scores_of({"tuned": some(195, 200), "old": some(195, 200)}, gates=[GATE])
    found, compared = only(scores), scores.comparison("old")
    assert compared is not None and found.low is not None
    assert (found.result, found.shown, found.margin, found.n) == ("shown", True, 0.05, 200)
    assert found.low == pytest.approx(compared.low) and found.high == pytest.approx(compared.high)
    assert found.low > -0.05
    assert sentence(scores, found) == (
        "Shown: tuned is at most 5 points worse than old in pass_rate "
        "(95 % interval of the difference -1.9 to 1.9 points, 200 questions)."
    )
    assert scores.verdict is not None and sentence(scores, found) in scores.verdict.reasons
    assert not any("This many questions detect" in one for one in scores.verdict.reasons)  # it is settled
    assert scores.verdict.decision == "ship"
    assert headline(scores) == "tuned can replace old: it is at most 5 points worse in pass_rate."


def test_too_wide_an_interval_shows_nothing_and_says_how_many_questions_would() -> None:
    """The smallest margin of so many questions, and about how many the wanted one needs."""
    scores = scores_of({"tuned": some(16, 20), "old": some(16, 20, offset=1)}, gates=[GATE])
    found = only(scores)
    assert (found.result, found.shown) == ("not_shown", False)
    assert found.difference == pytest.approx(0)
    assert found.smallest is not None and found.smallest > 0.05
    assert scores.verdict is not None
    first, hint, *_ = scores.verdict.reasons
    assert first == sentence(scores, found) and first.startswith(
        "Not shown that tuned is at most 5 points worse"
    )
    assert hint.startswith("With 20 questions the smallest margin that could be shown is about ")
    assert hint.endswith(f"a margin of 5 points needs about {found.needed:,} questions.")
    assert headline(scores).startswith("Not shown that tuned can replace old: ")


def test_a_model_that_is_worse_is_called_worse() -> None:
    """By more than the margin where the whole interval says so; else worse, and not within the margin."""
    lost = scores_of({"tuned": some(20, 100), "old": some(90, 100)}, gates=[GATE])
    assert only(lost).result == "worse"
    assert sentence(lost, only(lost)).startswith(
        "Worse: tuned is more than 5 points worse than old in pass_rate"
    )
    some_worse = scores_of({"tuned": some(185, 200), "old": some(195, 200)}, gates=[GATE])
    assert only(some_worse).result == "worse"
    assert sentence(some_worse, only(some_worse)).startswith(
        "Worse: tuned is worse than old in pass_rate, and not shown to be at most 5 points worse"
    )


def test_too_few_questions_say_how_many_are_needed() -> None:
    """There is no interval with fewer than five."""
    scores = scores_of({"tuned": [True] * 4, "old": [True] * 4}, gates=[GATE])
    assert only(scores).result == "too_few" and only(scores).low is None
    assert scores.verdict is not None
    assert scores.verdict.reasons[:2] == (
        "Not shown that tuned is at most 5 points worse than old in pass_rate: too few questions for an "
        "interval (4).",
        "A margin of 5 points needs at least 73 questions, even if both pass the same ones.",
    )


def test_identical_models_show_the_margin_with_exactly_so_many_questions() -> None:
    """What is planned with agrees with what is found."""
    needed = needed_of_alike(0.05)
    assert needed == 73
    for n, shown in ((needed, True), (needed - 1, False)):
        least = smallest_of_alike(n)
        assert least is not None and (least <= 0.05) is shown
        assert only(scores_of({"tuned": [True] * n, "old": [True] * n}, gates=[GATE])).shown is shown


@pytest.mark.parametrize(
    "gate",
    [
        "old.pass_rate - 0.05 <= tuned.pass_rate @95%",
        "tuned.pass_rate + 0.05 >= old.pass_rate @95%",
        "old.pass_rate <= tuned.pass_rate + 0.05 @95%",
    ],
)
def test_the_same_test_in_other_words_is_read_alike(gate: str) -> None:
    """The sides may be turned, and the margin may be on either of them."""
    answers = {"tuned": some(190, 200), "old": some(195, 200)}
    usual, other = only(scores_of(answers, gates=[GATE])), only(scores_of(answers, gates=[gate]))
    assert (other.a, other.b, other.margin, other.shown) == (usual.a, usual.b, usual.margin, usual.shown)
    assert other.low == pytest.approx(usual.low) and other.high == pytest.approx(usual.high)


@pytest.mark.parametrize(
    "gate",
    [
        "tuned.pass_rate >= old.pass_rate - 0.05",
        "tuned.pass_rate >= old.pass_rate @95%",
        "tuned.pass_rate >= old.pass_rate + 0.05 @95%",
        "tuned.pass_rate >= 0.5 @95%",
    ],
)
def test_other_gates_are_not_such_tests(gate: str) -> None:
    """Without a level, a margin or another model."""
    assert not list(non_inferiorities(scores_of({"tuned": some(9, 20), "old": some(9, 20)}, gates=[gate])))


def test_where_less_is_better_the_gate_says_at_most_so_much_more() -> None:
    """The difference is still positive where the new model is better."""
    answers = [
        record(one.prompt_id, one.candidate, one.answer, seconds=1.0 if one.candidate == "tuned" else 2.0)
        for one in passing({"tuned": some(9, 20), "old": some(9, 20)})
    ]
    scores = evaluated(answers, gates=["tuned.seconds <= old.seconds + 0.5 @95%"])[0]
    found = only(scores)
    assert (found.a, found.b, found.margin, found.shown) == ("tuned", "old", 0.5, True)
    assert found.difference == pytest.approx(1.0)
