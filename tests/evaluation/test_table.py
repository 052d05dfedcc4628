"""An evaluation on a screen: the verdict first, what changed, scores, and answers side by side."""

from __future__ import annotations

import io
import unicodedata
from dataclasses import replace

import pytest

from ftrun.evaluation.answers import Record
from ftrun.evaluation.results import Estimate
from ftrun.evaluation.table import Screen, answers_blocks, answers_table, print_answers, print_evaluation
from ftrun.report.facts import Facts
from report.example import facts_of_many


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


CHRF = {"chrf": Estimate(value=40.0, n=100)}
RECORDS = [
    record("a", "tuned", True),
    record("a", "base", False, "いいえ、やはりMacがおすすめです。" * 6),
    record("b", "tuned", False),
    record("b", "base", True),
    record("c", "tuned", None),
    record("c", "base", None),
]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return that it is one."""
        return True


def printed(facts: Facts, stream: io.StringIO | None = None) -> str:
    """Return what is printed of an evaluation."""
    stream = stream or io.StringIO()
    print_evaluation(facts.scores, facts.answers, stream)
    return stream.getvalue()


def columns(line: str) -> int:
    """Return the terminal columns of a line."""
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in line)


def test_the_verdict_comes_first() -> None:
    """Decision, headline and reasons, then what changed, scores, a handful of answers, gates at the end."""
    text = printed(facts_of_many(2000, 3))
    lines = text.splitlines()
    assert lines[0] == "✓ ship it"
    assert lines[1].startswith("It helped: tuned passes")
    places = [
        text.index(part)
        for part in (
            "  - Better than base in pass_rate",
            "warning: 2 answers of base",
            "that base fails, and fails",
            "  n = 2,000 ",
            "tuned − base  +",
            "[test:",
            "3 of 2,000 questions; the report has all of them.",
            "gate passed  tuned.refusals <= 0.02",
        )
    ]
    assert places == sorted(places)
    assert len(lines) < 75


def test_the_main_metric_is_set_apart_from_what_can_be_said_of_any_answer() -> None:
    """It leads, marked; after an empty line follow length, seconds and the like, with what seconds mean."""
    facts = facts_of_many(100, 2)
    candidates = {
        name: replace(one, metrics={**one.metrics, "seconds": Estimate(value=1.5, n=100), **CHRF})
        for name, one in facts.scores.candidates.items()
    }
    lines = printed(replace(facts, scores=replace(facts.scores, candidates=candidates))).splitlines()
    names = [line[:2] + line[2:].split("  ")[0] for line in lines]
    start, end = names.index("▸ pass_rate"), names.index("  seconds")
    rows = names[start : end + 1]
    assert rows.index("  chrf") < rows.index("") < rows.index("  refusals")
    assert lines[end + 1].startswith("  seconds: the mean per answer, including the wait for others")


def test_general_questions_are_shown_after_those_about_the_task() -> None:
    """What failed of the general set is not what a reader asks first."""
    facts = facts_of_many(40, 2)
    answers = [replace(one, passed=None, scores={}) for one in facts.answers]
    apart = [
        replace(one, prompt_id=f"general:{one.prompt_id}", set="general", passed=False) for one in answers
    ]
    scores = replace(facts.scores, comparisons=())
    text = printed(replace(facts, scores=scores, answers=(*apart, *answers)))
    assert "[test:" in text and "[general:" not in text


def test_several_answers_to_a_question_are_one_block() -> None:
    """With `repeat` the first is shown, with how many are the same."""
    one = record("a", "tuned", True)
    several = [one, replace(one, repeat=1), replace(one, repeat=2, answer="いいえ")]
    text = answers_blocks(several)
    assert text.count("tuned: ") == 1 and "(answered 3 times, 2 times with these words)" in text
    assert "answered 3 times" in answers_table(several, width=100, colour=False)


def test_few_questions_are_all_shown() -> None:
    """Of three questions every answer is there, with its reference."""
    text = printed(facts_of_many(3, 2))
    assert text.count("[test:") == 3 and text.count("reference: ") == 3
    assert "67% (too few)" in text
    assert "has all of them" not in text


def test_questions_that_changed_are_shown_before_others() -> None:
    """Of many questions the broken ones come first: they are what to look at."""
    facts = facts_of_many(100, 2)
    flips = facts.scores.comparisons[0].flips
    assert flips is not None
    text = printed(facts)
    shown = [line.split("]")[0][1:] for line in text.splitlines() if line.startswith("[test:")]
    assert shown == list(flips.broken[:3])


def test_sentences_can_stand_in_for_the_verdict() -> None:
    """Before anything is trained it says what to beat, and no verdict."""
    facts = facts_of_many(20, 2)
    stream = io.StringIO()
    print_evaluation(facts.scores, facts.answers, stream, instead=["Beat base: 60%.", "More would help."])
    assert stream.getvalue().startswith("Beat base: 60%.\n  - More would help.\n")
    assert "ship it" not in stream.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_screen_is_never_too_narrow(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sentences wrap, wide characters count twice, and scores become a list where a table does not fit."""
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")
    text = printed(facts_of_many(200, 4), Terminal())
    head = text[: text.index(" end alike.")]
    assert max(map(columns, head.splitlines())) <= width
    scores = text[text.index("pass_rate\n" if width < 120 else "pass_rate  ") :].splitlines()
    assert scores[1].startswith("    tuned") is (width < 120)
    assert max(columns(line) for line in text.splitlines() if line[:1] not in "[ ✓✗") <= max(width, 72)


def test_colours_follow_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets colours, unless NO_COLOR is set; a pipe never does."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert printed(facts_of_many(20, 2), Terminal()).startswith("\x1b[32m✓ ship it\x1b[0m\n\x1b[1m")
    assert "\x1b" not in printed(facts_of_many(20, 2))
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in printed(facts_of_many(20, 2), Terminal())


def test_a_reader_of_japanese_reads_japanese(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is ours is translated; questions and answers stay as they are."""
    monkeypatch.setenv("FTRUN_LANG", "ja")
    text = printed(facts_of_many(20, 2))
    assert text.startswith("✓ 採用できます\n")
    assert "When does my order" in text
    assert "✓ 改善  test:" in text and "✗ 悪化  test:" in text
    assert "参照: " in text


def test_foreign_text_does_not_command_the_terminal() -> None:
    """Names, questions, warnings and gates are shown with their control characters visible."""
    evil = "\x1b[2Jx"
    facts = facts_of_many(3, 2)
    scores = replace(facts.scores, warnings=(evil,), candidates={evil: facts.scores.candidates["tuned"]})
    records = [replace(one, prompt_id=one.prompt_id + evil, candidate=evil) for one in facts.answers]
    stream = io.StringIO()
    print_evaluation(scores, records, stream)
    assert "\x1b" not in stream.getvalue()
    assert "\\x1b[2Jx" in stream.getvalue()


def test_words_wrap_between_wide_characters() -> None:
    """Japanese has no spaces, so a line ends after any character."""
    screen = Screen(width=20, terminal=True)
    assert list(screen.wrapped("あ" * 15, "  - ", "    ")) == ["  - " + "あ" * 8, "    " + "あ" * 7]
    assert list(screen.wrapped("one two three four five six", "", "  ")) == [
        "one two three four",
        "  five six",
    ]


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
