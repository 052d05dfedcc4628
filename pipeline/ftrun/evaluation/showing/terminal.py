"""An evaluation on a screen: the verdict, what changed, scores, some answers, and gates."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TextIO

from ftrun.evaluation.answers import Record
from ftrun.evaluation.results import Scores
from ftrun.evaluation.showing import phrasing
from ftrun.evaluation.showing.answer_table import print_answers
from ftrun.evaluation.showing.flips import Changes, about_task, all_changes
from ftrun.evaluation.showing.score_table import score_lines
from ftrun.evaluation.showing.screen import COLOURS, MARKS, Screen, clipped, write_escaped
from ftrun.evaluation.verdict.deciding import headline, tone
from ftrun.protocol.texts import last_question
from ftrun.text import display_width, visible

TONES = {"good": "green", "bad": "red", "neutral": "yellow"}
MOST_CHANGES = 3  # questions of each kind
FEW_QUESTIONS = 6  # so many are shown with their answers; of more, only some
SOME_QUESTIONS = 3


def print_evaluation(
    scores: Scores,
    records: Sequence[Record],
    stream: TextIO | None = None,
    reported: bool = True,
    instead: Sequence[str] = (),
    *,
    decided: bool = True,
) -> None:
    """Print the verdict first, then what changed, the scores, some answers, and the gates.

    Long answers are cut; `reported` says that a report has them. `instead` are sentences to print instead of
    the verdict, before anything is trained; `decided`: there is a verdict at all.
    """
    stream = stream or sys.stdout
    screen = Screen.of(stream)
    first = _sentences(instead, screen) if instead else _verdict(scores, screen) if decided else ()
    lines = [
        *first,
        *_warnings(scores, screen),
        *_changes(scores, records, screen),
        *score_lines(scores, screen),
    ]
    write_escaped(stream, "\n".join(lines) + "\n" if lines else "")
    some = _interesting(scores, records)
    if some:
        write_escaped(stream, "\n")
        print_answers(some, stream, reported=reported)
        total = len(dict.fromkeys(one.prompt_id for one in records))
        shown = len(dict.fromkeys(one.prompt_id for one in some))
        if shown < total:
            more = f"{shown} of {total:,} questions; the report has all of them."
            less = f"{shown} of {total:,} questions."
            write_escaped(stream, screen.style("dim", screen.say(more if reported else less)) + "\n")
    gates = list(_gates(scores, screen))
    if gates:
        write_escaped(stream, "\n".join(["", *gates]) + "\n")
    stream.flush()


def _sentences(texts: Sequence[str], screen: Screen) -> Iterator[str]:
    """Yield a headline and what follows it."""
    for index, text in enumerate(texts):
        lines = screen.wrapped(visible(screen.say(text)), *(("  - ", "    ") if index else ()))
        yield from (line if index else screen.style("bold", line) for line in lines)


def _verdict(scores: Scores, screen: Screen) -> Iterator[str]:
    """Yield the decision, its headline and the reasons."""
    decided = phrasing.decided_of(scores)
    if decided is not None:
        yield screen.style(TONES[tone(scores)], screen.word(phrasing.LABELS[decided.decision]))
    if scores.candidates:
        lines = screen.wrapped(visible(screen.say(headline(scores))))
        yield from (screen.style("bold", line) for line in lines)
    for reason in phrasing.reasons_of(scores):
        yield from screen.wrapped(visible(screen.say(reason)), "  - ", "    ")


def _warnings(scores: Scores, screen: Screen) -> Iterator[str]:
    for warning in scores.warnings:
        label = screen.word("warning:")
        yield from (
            screen.style("yellow", line)
            for line in screen.wrapped(visible(screen.say(warning)), f"{label} ", "  ")
        )


def _changes(scores: Scores, records: Sequence[Record], screen: Screen) -> Iterator[str]:
    """Yield how many questions were fixed and broken, and a few of them."""
    texts = {one.prompt_id: last_question(one.messages) for one in reversed(records)}
    for found in all_changes(scores, records):
        yield ""
        yield from screen.wrapped(visible(screen.say(found.sentence)))
        yield from _changed(found, texts, screen)


def _changed(found: Changes, texts: Mapping[str, str], screen: Screen) -> Iterator[str]:
    """Yield a few of the questions that changed."""
    for kind, names, colour in (("fixed", found.fixed, "green"), ("broken", found.broken, "red")):
        mark = f"{MARKS[kind == 'fixed']} {screen.word(found.label(kind))}"
        for name in names[:MOST_CHANGES]:
            values = [found.values.get((name, candidate)) for candidate in (found.a, found.b)]
            moved = f"  {values[0]} / {values[1]}" if found.values else ""
            head = f"  {mark}  {visible(name)}{moved}"
            room = max(20, screen.width - display_width(head) - 2) if screen.terminal else 100
            text = clipped(texts.get(name, ""), room)
            yield f"  {screen.style(colour, mark)}  {visible(name)}{moved}  {text}".rstrip()
        if len(names) > MOST_CHANGES:
            more = screen.word(f"… and {len(names) - MOST_CHANGES:,} more")
            yield f"  {screen.style(colour, mark)}  {more}"


def _gates(scores: Scores, screen: Screen) -> Iterator[str]:
    for gate in scores.gates:
        words = screen.word("gate passed") if gate.passed else screen.word("gate missed")
        mark = screen.style(COLOURS[gate.passed], f"{MARKS[gate.passed]} {words}")
        value = "" if gate.value is None else f"  ({gate.value:+.3g})"
        yield f"{mark}  {visible(gate.gate)}{value}"


def _interesting(scores: Scores, records: Sequence[Record]) -> list[Record]:
    """Return all answers if there are few questions, else those of a few that changed or failed, general and
    recall questions last.
    """
    ids = list(dict.fromkeys(one.prompt_id for one in records))
    if len(ids) <= FEW_QUESTIONS:
        return list(records)
    telling = [name for found in all_changes(scores, records) for name in found.telling]
    first, main = scores.subject, about_task(records)
    failed = [one.prompt_id for one in main if one.candidate == first and one.passed is False]
    asked = [one.prompt_id for one in main]
    wanted = list(dict.fromkeys([*telling, *failed, *asked, *ids]))
    chosen = set(wanted[:SOME_QUESTIONS])
    return [one for one in records if one.prompt_id in chosen]
