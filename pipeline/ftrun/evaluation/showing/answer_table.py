"""Answers side by side on a screen: a table where it is wide enough, else a block for each question.

Long answers are cut; control and bidi characters of foreign text are escaped.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from ftrun.evaluation.answers import Record
from ftrun.evaluation.showing.screen import COLOURS, MARKS, NARROWEST, Screen, write_escaped
from ftrun.evaluation.showing.shortened import shortened
from ftrun.language import localized, localized_part, screen_language
from ftrun.protocol.texts import last_question
from ftrun.text import visible

if TYPE_CHECKING:
    from rich.table import Table


def print_answers(records: Sequence[Record], stream: TextIO | None = None, *, reported: bool = True) -> None:
    """Print all candidates' answers side by side.

    Long answers are cut; `reported` says that a report has them.
    """
    stream = stream or sys.stdout
    screen = Screen.of(stream)
    if screen.terminal and screen.width >= NARROWEST:
        text = answers_table(records, width=screen.width, colour=screen.colour, reported=reported)
    else:
        text = answers_blocks(records, reported=reported)
    write_escaped(stream, text)
    stream.flush()


def answers_table(records: Sequence[Record], *, width: int, colour: bool, reported: bool = True) -> str:
    """Return the answers as a table of `width` columns, a row per question and a column per candidate."""
    from rich.console import Console  # rich takes 0.1 s to import, and only this needs it

    console = Console(
        width=width,
        force_terminal=colour,
        no_color=not colour,
        color_system="standard" if colour else None,
        emoji=False,
        highlight=False,
        legacy_windows=False,
    )
    with console.capture() as captured:
        console.print(_table(records, reported))
    return captured.get()


def _table(records: Sequence[Record], reported: bool) -> Table:
    from rich import box
    from rich.table import Table

    candidates = list(dict.fromkeys(record.candidate for record in records))
    table = Table(box=box.ROUNDED, expand=True, show_lines=True, header_style="bold")
    table.add_column(localized_part("question", screen_language()), ratio=2, overflow="fold")
    for candidate in candidates:
        table.add_column(visible(candidate), ratio=3, overflow="fold")
    for answers in _by_question(records):
        first = {record.candidate: record for record in reversed(answers)}
        cells = [
            _cell(first[candidate], answers, reported) if candidate in first else ""
            for candidate in candidates
        ]
        table.add_row(_question_cell(answers[0]), *cells)
    return table


def _by_question(records: Sequence[Record]) -> list[list[Record]]:
    """Return the answers question by question."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.prompt_id, []).append(record)
    return list(groups.values())


def _question_cell(record: Record) -> Any:
    from rich.text import Text

    head = (f"{visible(record.prompt_id)}{_label(record)}\n", "dim")
    parts: list[Any] = [head, visible(last_question(record.messages), keep_newlines=True)]
    if record.reference:
        shown, _ = shortened(record.reference.strip(), reported=True)
        word = localized_part("reference", screen_language())
        parts.append((f"\n{word}: {visible(shown, keep_newlines=True)}", "dim"))
    return Text.assemble(*parts)


def _label(record: Record) -> str:
    return " (recall)" if record.recall else ""


def _cell(record: Record, answers: Sequence[Record], reported: bool) -> Any:
    from rich.text import Text

    mark = (f"{MARKS[record.passed]} ", COLOURS[record.passed])
    shown, notes = _shown(record, reported)
    notes += _more_answers(record, answers)
    return Text.assemble(mark, shown, *((f"\n({note})", "dim") for note in notes))


def _shown(record: Record, reported: bool) -> tuple[str, list[str]]:
    """Return an answer as it is shown, and the notes under it: what was cut, and why it failed."""
    shown, cut = shortened(record.answer.strip(), reported=reported)
    notes = [localized(cut)] if cut else []
    notes += [visible(localized(reason)) for reason in record.failures]
    calls = [str(call.get("function", call)) for call in record.tool_calls] if not shown else []
    text = visible("\n".join([shown, *calls]).strip(), keep_newlines=True)
    return text or localized_part("(empty)", screen_language()), notes


def answers_blocks(records: Sequence[Record], *, reported: bool = True) -> str:
    """Return the answers as plain text: a block per question, no escape sequences."""
    lines: list[str] = []
    for answers in _by_question(records):
        first = answers[0]
        question = _indented(last_question(first.messages), 4)
        lines += [f"[{visible(first.prompt_id)}{_label(first)}] {question}"]
        if first.reference:
            shown, _ = shortened(first.reference.strip(), reported=True)
            lines += [f"    {localized_part('reference', screen_language())}: {_indented(shown, 6)}"]
        firsts = {record.candidate: record for record in reversed(answers)}
        for record in (one for one in answers if one is firsts[one.candidate]):
            head = f"  {MARKS[record.passed]} {visible(record.candidate)}: "
            text, notes = _shown(record, reported)
            notes += _more_answers(record, answers)
            lines += [head + text.replace("\n", "\n" + " " * 6), *(f"      ({note})" for note in notes)]
        lines += [""]
    return "\n".join(lines[:-1]) + "\n" if lines else ""


def _more_answers(shown: Record, answers: Sequence[Record]) -> list[str]:
    """Return a note that a candidate answered several times, and how often as it is shown."""
    texts = [one.answer for one in answers if one.candidate == shown.candidate]
    if len(texts) < 2:
        return []
    same, times = texts.count(shown.answer), len(texts)
    return [localized(f"answered {times} times, {same} times with these words")]


def _indented(text: str, columns: int) -> str:
    return visible(text, keep_newlines=True).replace("\n", "\n" + " " * columns) or "(empty)"
