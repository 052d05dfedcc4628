"""Answers side by side, on terminals and in files."""

from __future__ import annotations

import io
import unicodedata
from dataclasses import replace

import pytest

from ftrun.evaluation.answers import Record
from ftrun.evaluation.showing.answer_table import answers_blocks, answers_table, print_answers


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


def columns(line: str) -> int:
    """Return the terminal columns of a line."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in line)


def test_recall_is_labelled() -> None:
    """Questions that are in the training data say so."""
    known = [replace(one, recall=one.prompt_id == "a") for one in RECORDS]
    assert "[a (recall)]" in answers_blocks(known)
    assert "[b]" in answers_blocks(known)


@pytest.mark.parametrize("width", [72, 100, 133])
def test_japanese_answers_keep_the_table_straight(width: int) -> None:
    """Every line of the box takes exactly the terminal's width, and nothing is cut."""
    text = answers_table(RECORDS, width=width, colour=False)
    box = [line for line in text.splitlines() if line[:1] in "╭│├╰"]
    assert {columns(line) for line in box} == {width}
    assert "\x1b" not in text
    assert text.count("お") >= 6


def test_marks_are_coloured_only_when_asked_for() -> None:
    """A colour terminal gets marks in green and red."""
    assert "\x1b[32m" in answers_table(RECORDS, width=100, colour=True)


def test_a_file_gets_plain_blocks() -> None:
    """Where nobody looks at a terminal there are no escape sequences and no box."""
    stream = io.StringIO()
    print_answers(RECORDS, stream)
    text = stream.getvalue()
    assert text == answers_blocks(RECORDS)
    assert "\x1b" not in text
    assert "│" not in text
    for part in ("[a] 音楽編集はどちら？", "✓ tuned: はい", "does not contain"):
        assert part in text


@pytest.mark.parametrize("render", [answers_blocks, lambda r: answers_table(r, width=100, colour=False)])
def test_an_answer_can_not_command_the_terminal(render: object) -> None:
    """Escape and bidi characters, and markup of the table's library, are shown as text."""
    assert callable(render)
    text = render([record("a", "tuned", True, "\x1b[2J\x1b]0;owned\x07 \u202eevil [red]x[/red] [/]")])
    assert not set("\x1b\x07\u202e") & set(text)
    assert "\\x1b[2J" in text
    assert "[red]x[/red] [/]" in text


def test_several_answers_to_a_question_are_one_block() -> None:
    """With `repeat` the first is shown, with how many are the same."""
    one = record("a", "tuned", True)
    several = [one, replace(one, repeat=1), replace(one, repeat=2, answer="いいえ")]
    text = answers_blocks(several)
    assert text.count("tuned: ") == 1 and "(answered 3 times, 2 times with these words)" in text
    assert "answered 3 times" in answers_table(several, width=100, colour=False)
