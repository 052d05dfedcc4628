"""What a model answered: new rows in the asked form are taken, the rest is counted with its reason."""

from __future__ import annotations

import json

import pytest

from ftrun.augment.known_questions import KnownQuestions
from ftrun.augment.proposals import CONTROL, EMPTY, FORM, LONG, LONGEST, cases, paraphrases


@pytest.mark.parametrize(
    "answer",
    [
        "一つめ\n二つめ",
        "1. 一つめ\n2. 二つめ",
        "１）一つめ\n２）二つめ".translate(str.maketrans("１２）", "12)")),
        "- 「一つめ」\n- 「二つめ」",
        "```\n一つめ\n\n二つめ\n```",
        '・"一つめ"\n・“二つめ”',
        "言い換えは次のとおりです：\n一つめ\n二つめ",
    ],
)
def test_wordings_are_taken_one_a_line(answer: str) -> None:
    """Numbers, bullets, quotation marks, fences and a preface are taken off."""
    assert paraphrases(answer, 5)[0] == ["一つめ", "二つめ"]


def test_a_number_that_belongs_to_the_question_stays() -> None:
    """`3時` and `24h` are not list numbers."""
    assert paraphrases("3時に開きますか？\n24h open?", 5)[0] == ["3時に開きますか？", "24h open?"]


def test_no_more_than_asked_for_and_no_cut_line() -> None:
    """A model that rambles gives no extra rows, and the line at which it was cut off is not a row."""
    assert paraphrases("a\nb\nc", 2)[0] == ["a", "b"]
    assert paraphrases("a\nb\nc", 5, cut=True)[0] == ["a", "b"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x" * (LONGEST + 1), LONG),
        ("a\x1b[31mb", CONTROL),
        ("a\u202eb", CONTROL),
        ("「」", ""),
        ("1.", EMPTY),
    ],
)
def test_what_no_row_may_hold_is_refused(line: str, reason: str) -> None:
    """Length is capped; control and bidi characters are never part of a question."""
    found, refused = paraphrases(f"good\n{line}", 5)
    assert found[0] == "good"
    assert set(refused) == ({reason} if reason else set())


def test_cases_are_objects_with_exactly_the_asked_texts() -> None:
    """Chatter, other keys, numbers and empty texts are not rows."""
    good = {"q": "何時？", "a": "9時です。"}
    lines = [
        "Sure! Here it is:",
        json.dumps(good, ensure_ascii=False) + ",",
        '{"q": "x"}',
        '{"q": 1, "a": "y"}',
    ]
    lines += ['{"q": "x", "a": "y", "z": "w"}', "[1]", '{"q": "x", "a": " "}', "{" * 3000, "]"]
    found, refused = cases("[\n" + "\n".join(lines), 5, ("q", "a"))
    assert found == [good]
    assert refused == {FORM: 6, EMPTY: 1}


def test_a_question_is_known_whatever_its_width_case_and_punctuation() -> None:
    """Full-width letters, spaces and marks make no new question; other letters do."""
    questions = KnownQuestions()
    assert questions.add("ＡＢＣ とは 何ですか？")
    assert not questions.add("abcとは何ですか?")
    assert questions.add("abdとは何ですか?")
    assert questions.add("？")
    assert questions.add("！"), "texts of marks alone are compared as they are"


def test_what_is_nearly_there_is_found_among_known_and_new_questions() -> None:
    """A word more in a long question is nearly the same; another number, or a short question, is not."""
    questions = KnownQuestions()
    questions.know("お店は何時から何時まで開いていますか。日曜日のことを教えてください。")
    new = [
        "お店は何時から何時まで開いていますか？ 日曜日のことを教えてくださいね。",
        "子ども用の自転車を三台借りたいのですが、予約は必要でしょうか。",
        "子ども用の自転車を三台借りたいのですが、予約は必要でしょうかね。",
        "9月10日の10時に3人で行きたいのですが、予約はできますでしょうか。",
        "9月11日の10時に3人で行きたいのですが、予約はできますでしょうか。",
        "何時？",
        "何時から？",
    ]
    assert questions.near(new) == {0, 2}
    assert questions.near([]) == set()
