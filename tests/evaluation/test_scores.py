"""Pass rates and flips."""

from __future__ import annotations

import json
from dataclasses import replace

from ftrun.evaluation.answers import Record
from ftrun.evaluation.scores import PartScore, score


def record(prompt_id: str, candidate: str, passed: bool | None, answer: str = "はい") -> Record:
    """Return an answer with a verdict."""
    return Record(
        prompt_id=prompt_id,
        candidate=candidate,
        model=candidate,
        messages=({"role": "system", "content": "短く。"}, {"role": "user", "content": "音楽編集はどちら？"}),
        answer=answer,
        expect=None if passed is None else {"contains": "x"},
        passed=passed,
        usage={},
        seconds=1.0,
        cache_key="k",
        failures=("does not contain “x”",) if passed is False else (),
    )


RECORDS = [
    record("a", "tuned", True),
    record("a", "base", False, "いいえ、やはりMacがおすすめです。" * 6),
    record("b", "tuned", False),
    record("b", "base", True),
    record("c", "tuned", None),
    record("c", "base", None),
]


def test_recall_is_scored_apart() -> None:
    """Questions that training asked count in the whole and on their own; without any there are no parts."""
    known = [replace(one, recall=one.prompt_id == "a") for one in RECORDS]
    tuned = score(known).candidates["tuned"]
    assert (tuned.passed, tuned.judged) == (1, 2)
    assert tuned.recall == PartScore(pass_rate=1.0, passed=1, judged=1)
    assert tuned.unseen == PartScore(pass_rate=0.0, passed=0, judged=1)
    assert score(RECORDS).as_dict()["candidates"]["tuned"].keys() == {
        "pass_rate",
        "passed",
        "judged",
        "asked",
    }


def test_pass_rates_count_only_what_was_judged() -> None:
    """Questions without `expect` are asked and not judged."""
    scores = score([*RECORDS, record("d", "tuned", True), record("d", "base", True)])
    tuned = scores.candidates["tuned"]
    assert (tuned.pass_rate, tuned.passed, tuned.judged, tuned.asked) == (2 / 3, 2, 3, 4)
    json.dumps(scores.as_dict(), allow_nan=False)


def test_without_judgement_there_is_no_rate() -> None:
    """No rate is better than a rate of nothing."""
    assert score(RECORDS[4:]).candidates["tuned"].pass_rate is None


def test_flips_say_what_was_fixed_and_what_was_broken() -> None:
    """Questions that only one of tuned and base passes are named; without a base there are none."""
    flips = [(flip.prompt_id, flip.change) for flip in score(RECORDS).flips]
    assert flips == [("a", "fixed"), ("b", "broken")]
    assert score(RECORDS[:1]).flips == ()
