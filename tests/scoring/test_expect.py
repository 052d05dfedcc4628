"""What counts as a right answer."""

from __future__ import annotations

import time
from typing import Any

import pytest

from ftrun.scoring.expect import judge

MUSIC = {"contains": "Windows", "not_contains": ["Macがおすすめ", "Macを"]}


def test_a_mention_of_the_right_word_does_not_make_a_wrong_answer_right() -> None:
    """An answer that names Windows and then recommends the Mac fails, and the reason is what it contains."""
    wrong = judge(MUSIC, "Windowsでもできますが、やはりMacがおすすめです。")
    assert (wrong.passed, wrong.failures) == (False, ("contains “Macがおすすめ”",))
    assert judge(MUSIC, "Windowsでいいと思います。").passed is True


@pytest.mark.parametrize("expect", [None, {}])
def test_without_expectation_nothing_is_judged(expect: dict[str, Any] | None) -> None:
    """A question without `expect` is neither passed nor failed."""
    assert judge(expect, "何でも").passed is None


@pytest.mark.parametrize(
    ("expect", "answer", "passed"),
    [
        ({"contains": ["猫", "犬"]}, "猫と犬", True),
        ({"contains": ["猫", "犬"]}, "猫だけ", False),
        ({"contains": "windows"}, "Windows", False),
        ({"equals": "はい\n"}, "  はい ", True),
        ({"equals": "はい"}, "はい。", False),
        ({"regex": "犬|猫"}, "私は猫です", True),
        ({"regex": ["^私", "です$"]}, "私は猫だ", False),
        ({"any": [{"contains": "猫"}, {"equals": "犬"}]}, "犬", True),
        ({"any": [{"contains": "猫"}, {"equals": "犬"}]}, "鳥", False),
        ({"all": [{"contains": "猫"}, {"any": [{"regex": "!$"}]}]}, "猫!", True),
        ({"all": [{"contains": "猫"}, {"any": [{"regex": "!$"}]}]}, "猫", False),
        ({"contains": "猫", "any": [{"contains": "犬"}]}, "猫", False),
    ],
)
def test_all_conditions_hold_or_the_answer_fails(expect: dict[str, Any], answer: str, passed: bool) -> None:
    """Lists, `all`, `any` and several keys beside each other mean what they say; case matters."""
    judgement = judge(expect, answer)
    assert judgement.passed is passed
    assert bool(judgement.failures) is not passed


def test_a_catastrophic_pattern_fails_instead_of_hanging() -> None:
    """A regex that would backtrack for ever is stopped, and the answer fails with that reason."""
    answer = "ax," * 100 + "b" + "x" * 40 + "a " * 40 + "!"
    began = time.process_time()
    judgement = judge({"regex": "^(.*?,){30}P"}, answer)
    assert judgement.passed is False
    assert "took too long" in judgement.failures[0]
    assert time.process_time() - began < 5


def test_a_pattern_that_would_eat_the_memory_is_not_compiled() -> None:
    """Nested counts that unroll into a billion copies are refused at once."""
    began = time.process_time()
    assert "is too expensive to try" in judge({"regex": "((a{1000}){1000}){1000}"}, "a").failures[0]
    assert time.process_time() - began < 1
    spaced = "(?x)(?:(?:a{ 1000 }){ 1000 }){ 1000 }"
    assert "is too expensive to try" in judge({"regex": spaced}, "a").failures[0]
    assert judge({"regex": r"\d{4}-\d{2}"}, "2026-11").passed is True


def test_a_broken_pattern_is_a_failure_in_words() -> None:
    """A pattern that does not compile fails the answer and says so."""
    assert "is not a regular expression" in judge({"regex": "("}, "a").failures[0]


def test_an_unknown_condition_is_never_passed_over() -> None:
    """A misspelled condition that got past the schema is an error, not a pass."""
    with pytest.raises(ValueError, match="contain"):
        judge({"contain": "x"}, "x")
