"""An evaluation on a screen: the verdict first, what changed, scores, and some answers."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest

from evaluation.showing.test_answer_table import columns
from ftrun.evaluation.results import Estimate
from ftrun.evaluation.showing.terminal import print_evaluation
from ftrun.report.facts import Facts
from report.example import facts_of_many

CHRF = {"chrf": Estimate(value=40.0, n=100)}


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
    head = text[: text.index("result.")]
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
    assert "正解例: " in text


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
