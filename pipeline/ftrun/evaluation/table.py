"""Answers side by side: a table on a terminal, plain blocks in a file or pipe.

Foreign text is shown with control and bidi characters escaped. East Asian characters take two columns.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TextIO

from ftrun.evaluation.answers import Record
from ftrun.evaluation.scores import Scores, score
from ftrun.evaluation.shown_answers import shortened
from ftrun.text import visible

if TYPE_CHECKING:
    from rich.table import Table

NARROWEST = 72  # columns; below that a table would have one word per line
WIDEST = 160
MARKS = {True: "✓", False: "✗", None: "·"}
COLOURS = {True: "green", False: "red", None: "dim"}


def print_answers(records: Sequence[Record], stream: TextIO | None = None, *, reported: bool = True) -> None:
    """Print all candidates' answers side by side, with verdicts, pass rates and flips.

    Long answers are cut; `reported` says that a report has them.
    On a terminal that is wide enough it is a table (without colours if NO_COLOR is set), else blocks
    without escape sequences.
    """
    stream = stream or sys.stdout
    width = min(shutil.get_terminal_size().columns, WIDEST)
    colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    if stream.isatty() and width >= NARROWEST:
        stream.write(answers_table(records, width=width, colour=colour, reported=reported))
    else:
        stream.write(answers_blocks(records, reported=reported))
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
        console.print("\n".join(summary(score(records))), markup=False)
    return captured.get()


def _table(records: Sequence[Record], reported: bool) -> Table:
    from rich import box
    from rich.table import Table

    candidates = list(dict.fromkeys(record.candidate for record in records))
    table = Table(box=box.ROUNDED, expand=True, show_lines=True, header_style="bold")
    table.add_column("question", ratio=2, overflow="fold")
    for candidate in candidates:
        table.add_column(visible(candidate), ratio=3, overflow="fold")
    for prompt_id in dict.fromkeys(record.prompt_id for record in records):
        answers = {record.candidate: record for record in records if record.prompt_id == prompt_id}
        cells = [
            _cell(answers[candidate], reported) if candidate in answers else "" for candidate in candidates
        ]
        table.add_row(_question_cell(next(iter(answers.values()))), *cells)
    return table


def _question_cell(record: Record) -> Any:
    from rich.text import Text

    head = (f"{visible(record.prompt_id)}{_label(record)}\n", "dim")
    return Text.assemble(head, visible(question_text(record), keep_newlines=True))


def _label(record: Record) -> str:
    return " (recall)" if record.recall else ""


def _cell(record: Record, reported: bool) -> Any:
    from rich.text import Text

    mark = (f"{MARKS[record.passed]} ", COLOURS[record.passed])
    shown, cut = shortened(record.answer.strip(), reported=reported)
    notes = [(f"\n({note})", "dim") for note in (cut,) if note]
    reasons = [(f"\n{visible(reason)}", "dim") for reason in record.failures]
    return Text.assemble(mark, visible(shown, keep_newlines=True) or "(empty)", *notes, *reasons)


def answers_blocks(records: Sequence[Record], *, reported: bool = True) -> str:
    """Return the answers as plain text: a block per question, no escape sequences."""
    lines: list[str] = []
    for prompt_id in dict.fromkeys(record.prompt_id for record in records):
        answers = [record for record in records if record.prompt_id == prompt_id]
        lines += [f"[{visible(prompt_id)}{_label(answers[0])}] {_indented(question_text(answers[0]), 4)}"]
        for record in answers:
            head = f"  {MARKS[record.passed]} {visible(record.candidate)}: "
            shown, cut = shortened(record.answer.strip(), reported=reported)
            lines += [head + _indented(shown, 6), *(f"      ({note})" for note in (cut,) if note)]
            lines += [f"      ({visible(reason)})" for reason in record.failures]
        lines += [""]
    return "\n".join([*lines, *summary(score(records))]) + "\n"


def _indented(text: str, columns: int) -> str:
    return visible(text, keep_newlines=True).replace("\n", "\n" + " " * columns) or "(empty)"


def question_text(record: Record) -> str:
    """Return the last user message, for people."""
    return next((str(one["content"]) for one in reversed(record.messages) if one["role"] == "user"), "")


def summary(scores: Scores) -> list[str]:
    """Return the lines under the answers: pass rates, and what fine-tuning fixed or broke."""
    rates = [
        f"{visible(name)} {one.passed}/{one.judged} ({one.pass_rate:.0%})"
        for name, one in scores.candidates.items()
        if one.pass_rate is not None
    ]
    lines = [f"passed: {', '.join(rates)}"] if rates else []
    known = [
        f"{visible(name)} {one.recall.passed}/{one.recall.judged}"
        for name, one in scores.candidates.items()
        if one.recall and one.recall.judged
    ]
    lines += [f"of these, recall (also in the training data): {', '.join(known)}"] if known else []
    for change in ("fixed", "broken"):
        names = [visible(flip.prompt_id) for flip in scores.flips if flip.change == change]
        if names:
            lines.append(f"{change} by fine-tuning: {', '.join(names)}")
    return lines
