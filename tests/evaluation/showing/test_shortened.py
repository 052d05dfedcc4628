"""Answers that fill the screen are cut, and loops are named; what people write on purpose is neither."""

from __future__ import annotations

import pytest

from ftrun.evaluation.answers import Record
from ftrun.evaluation.showing.answer_table import answers_blocks, answers_table
from ftrun.evaluation.showing.shortened import LONGEST, shortened
from ftrun.scoring.texts.degenerate import loop_of

LOOPS = [
    ("I don't know. " * 30, "I don't know. "),
    ("それは、" + "あなたの感想ですよね。" * 20, "あなたの感想ですよね。"),
    ("Answer:\n" + "- item\n- other item\n" * 15, "- item\n- other item\n"),
    ("The sky is blue. " + "ha" * 90, "ha"),
    ("一" * 200, "一"),
    ("ok " + ("a b c d e f g " * 15)[:-5], "a b c d e f g "),  # cut off in the middle by max_tokens
]
NO_LOOPS = [
    "",
    "はい。",
    "no no no no",
    "1. Open it.\n2. Close it.\n3. Open it again.\n4. Close it again.\n",
    "| a | b |\n| --- | --- |\n" + "".join(f"| {n} | {n * n} |\n" for n in range(30)),
    "10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150, 160, 170, 180, 190, 200",
    "Title\n" + "-" * 40,
    "Row, row, row your boat. Merrily, merrily, merrily, merrily, merrily, life is but a dream.",
    "東京都に住んでいます。大阪府に住んでいます。京都府に住んでいます。奈良県に住んでいます。兵庫県に住んでいます。",
    '[{"id": 1, "name": "a"}, {"id": 2, "name": "b"}, {"id": 3, "name": "c"}, {"id": 4, "name": "d"}]',
    "wwwwwwww そうですね",
]


@pytest.mark.parametrize(("text", "unit"), LOOPS)
def test_a_loop_is_shown_once(text: str, unit: str) -> None:
    """The shown text ends with what is repeated, and the note says how often."""
    loop = loop_of(text)
    assert loop is not None and len(loop.unit) == len(unit) and loop.times >= 4
    assert set(loop.unit) == set(unit)
    shown, note = shortened(text, reported=True)
    assert len(shown) < len(text) / 2
    assert note is not None and note.startswith("repeats itself") and note.endswith("is in the report")


@pytest.mark.parametrize("text", NO_LOOPS)
def test_what_is_meant_is_not_a_loop(text: str) -> None:
    """Lists, tables, numbers, JSON and songs are shown as they are."""
    assert loop_of(text) is None
    assert shortened(text, reported=True)[1] is None or len(text) > LONGEST or text.count("\n") >= 12


def test_a_long_answer_is_cut_and_counted() -> None:
    """What is shown and what is counted are together the whole answer."""
    text = " ".join(str(number) for number in range(1000))
    shown, note = shortened(text, reported=True)
    assert note == f"{len(text) - LONGEST:,} more characters in the report"
    assert shown.startswith("0 1 2 3") and len(shown) <= LONGEST + 1


def test_many_short_lines_are_cut_too() -> None:
    """Fifty lines of one word would fill the screen as well."""
    shown, note = shortened("\n".join(f"line {number}" for number in range(50)), reported=True)
    assert shown.count("\n") == 11 and note is not None


@pytest.mark.parametrize("terminal", [True, False])
def test_both_forms_of_the_table_cut(terminal: bool) -> None:
    """A table on a terminal and blocks in a pipe leave the same out; the verdict is about the whole."""
    record = Record(
        prompt_id="one",
        candidate="tuned",
        model="m",
        messages=({"role": "user", "content": "?"},),
        answer="stuck " * 300,
        expect=None,
        passed=True,
        usage={},
        seconds=1.0,
        cache_key="k",
    )
    said = answers_table([record], width=100, colour=False) if terminal else answers_blocks([record])
    assert said.count("stuck") == 1 and "repeats itself 300 times" in said
    assert len(record.answer) == 1800
