"""Pass rates, flips, and the answers on a terminal."""

from __future__ import annotations

import io
import json
import unicodedata
from dataclasses import replace

import pytest

from ftrun.evaluation.answers import Record
from ftrun.evaluation.scores import PartScore, score
from ftrun.evaluation.table import answers_blocks, answers_table, print_answers


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
    assert "[a (recall)]" in answers_blocks(known)
    assert "recall (also in the training data): tuned 1/1, base 0/1" in answers_blocks(known)
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


def columns(line: str) -> int:
    """Return the terminal columns of a line."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in line)


@pytest.mark.parametrize("width", [72, 100, 133])
def test_japanese_answers_keep_the_table_straight(width: int) -> None:
    """Every line of the box takes exactly the terminal's width, and nothing is cut."""
    text = answers_table(RECORDS, width=width, colour=False)
    box = [line for line in text.splitlines() if line[:1] in "╭│├╰"]
    assert {columns(line) for line in box} == {width}
    assert "\x1b" not in text
    assert text.count("お") >= 6


def test_colours_are_there_only_when_asked_for() -> None:
    """A colour terminal gets marks in green and red."""
    assert "\x1b[32m" in answers_table(RECORDS, width=100, colour=True)


def test_a_file_gets_plain_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nobody looks at a terminal there are no escape sequences and no box."""
    stream = io.StringIO()
    print_answers(RECORDS, stream)
    text = stream.getvalue()
    assert text == answers_blocks(RECORDS)
    assert "\x1b" not in text
    assert "│" not in text
    for part in ("[a] 音楽編集はどちら？", "✓ tuned: はい", "does not contain", "fixed by fine-tuning: a"):
        assert part in text


@pytest.mark.parametrize("render", [answers_blocks, lambda r: answers_table(r, width=100, colour=False)])
def test_an_answer_can_not_command_the_terminal(render: object) -> None:
    """Escape and bidi characters, and markup of the table's library, are shown as text."""
    assert callable(render)
    text = render([record("a", "tuned", True, "\x1b[2J\x1b]0;owned\x07 \u202eevil [red]x[/red] [/]")])
    assert not set("\x1b\x07\u202e") & set(text)
    assert "\\x1b[2J" in text
    assert "[red]x[/red] [/]" in text
