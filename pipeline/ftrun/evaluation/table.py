"""An evaluation on a screen: the verdict, what changed, scores, gates, and answers side by side.

On a terminal that is wide enough answers are a table, else blocks; in a file or pipe there are no escape
sequences. Foreign text is shown with control and bidi characters escaped. East Asian characters take two
columns.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, TextIO

from ftrun.evaluation import phrasing
from ftrun.evaluation.answers import Record
from ftrun.evaluation.changes import about_task, changes
from ftrun.evaluation.results import Comparison, Estimate, Scores
from ftrun.evaluation.shown_answers import shortened
from ftrun.evaluation.verdict import headline, tone
from ftrun.language import ENGLISH, localized, localized_part, screen_language
from ftrun.text import display_width, visible

if TYPE_CHECKING:
    from rich.table import Table

NARROWEST = 72  # columns; below that a table would have one word per line
WIDEST = 160
MARKS = {True: "✓", False: "✗", None: "·"}
COLOURS = {True: "green", False: "red", None: "dim"}
STYLES = {"bold": 1, "dim": 2, "red": 31, "green": 32, "yellow": 33}
TONES = {"good": "green", "bad": "red", "neutral": "yellow"}
MOST_CHANGES = 3  # questions of each kind
FEW_QUESTIONS = 6  # so many are shown with their answers; of more, only some
SOME_QUESTIONS = 3
MOST_PARTS = 12
MAIN = "▸ "  # before the metric that the verdict rests on


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
    lines = [*first, *_warnings(scores, screen), *_changes(scores, records, screen), *_scores(scores, screen)]
    _write(stream, "\n".join(lines) + "\n" if lines else "")
    some = _interesting(scores, records)
    if some:
        _write(stream, "\n")
        print_answers(some, stream, reported=reported)
        total = len(dict.fromkeys(one.prompt_id for one in records))
        shown = len(dict.fromkeys(one.prompt_id for one in some))
        if shown < total:
            more = f"{shown} of {total:,} questions; the report has all of them."
            less = f"{shown} of {total:,} questions."
            _write(stream, screen.style("dim", screen.say(more if reported else less)) + "\n")
    gates = list(_gates(scores, screen))
    if gates:
        _write(stream, "\n".join(["", *gates]) + "\n")
    stream.flush()


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
    _write(stream, text)
    stream.flush()


def _write(stream: TextIO, text: str) -> None:
    """Write text that is translated and whose foreign parts are escaped: its escape sequences are ours."""
    getattr(stream, "write_escaped", stream.write)(text)


class Screen:
    """How wide a stream is, whether it is a terminal and has colours, and in which language it is read."""

    def __init__(self, *, width: int = WIDEST, terminal: bool = False, colour: bool = False) -> None:
        self.width, self.terminal, self.colour = width, terminal, colour
        self.language = screen_language()

    @classmethod
    def of(cls, stream: TextIO) -> Screen:
        """Return the screen behind a stream."""
        terminal = stream.isatty()
        width = min(shutil.get_terminal_size().columns, WIDEST) if terminal else WIDEST
        colour = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return cls(width=width, terminal=terminal, colour=terminal and colour)

    def say(self, text: str) -> str:
        """Return a message of ours in the reader's language."""
        return localized(text, self.language)

    def word(self, text: str) -> str:
        """Return a word or a short text of ours in the reader's language."""
        return text if self.language == ENGLISH else localized_part(text, self.language)

    def style(self, name: str, text: str) -> str:
        """Return text in a colour, or bold or dim, if the screen has colours."""
        return f"\x1b[{STYLES[name]}m{text}\x1b[0m" if self.colour else text

    def wrapped(self, text: str, start: str = "", more: str = "") -> Iterator[str]:
        """Yield text in lines that fit, the first after `start`, the others after `more`."""
        if not self.terminal:
            yield start + text
            return
        line, width = start, display_width(start)
        for piece in _pieces(text):
            size = display_width(piece)
            if width + display_width(piece.rstrip()) > self.width and line.strip() not in ("", start.strip()):
                yield line.rstrip()
                line, width = more, display_width(more)
            line, width = line + piece, width + size
        yield line.rstrip()


def _pieces(text: str) -> Iterator[str]:
    """Yield what stays together in a line: words with the space after them, wide characters alone."""
    word = ""
    for character in text:
        if display_width(character) == 2:
            yield from filter(None, (word,))
            word = ""
            yield character
            continue
        word += character
        if character == " ":
            yield word
            word = ""
    yield from filter(None, (word,))


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
    found = changes(scores, records)
    if found is None:
        return
    yield ""
    yield from screen.wrapped(visible(screen.say(found.sentence)))
    texts = {one.prompt_id: question_text(one) for one in reversed(records)}
    for kind, names, colour in (("fixed", found.fixed, "green"), ("broken", found.broken, "red")):
        mark = f"{MARKS[kind == 'fixed']} {screen.word(found.label(kind))}"
        for name in names[:MOST_CHANGES]:
            values = [found.values.get((name, candidate)) for candidate in (found.a, found.b)]
            moved = f"  {values[0]} / {values[1]}" if found.values else ""
            head = f"  {mark}  {visible(name)}{moved}"
            room = max(20, screen.width - display_width(head) - 2) if screen.terminal else 100
            text = _clipped(texts.get(name, ""), room)
            yield f"  {screen.style(colour, mark)}  {visible(name)}{moved}  {text}"
        if len(names) > MOST_CHANGES:
            more = screen.word(f"… and {len(names) - MOST_CHANGES:,} more")
            yield f"  {screen.style(colour, mark)}  {more}"


def _clipped(text: str, columns: int) -> str:
    """Return text on one line of so many columns."""
    line = visible(" ".join(text.split()))
    if display_width(line) <= columns:
        return line
    while display_width(line) > columns - 1:
        line = line[: -max(1, (display_width(line) - columns) // 2)]
    return f"{line}…"


def _scores(scores: Scores, screen: Screen) -> Iterator[str]:
    """Yield the metrics of all candidates, the comparisons, and the parts."""
    names = phrasing.metric_names(scores)
    if not names:
        return
    yield ""
    rows = [
        (name, [one.metrics.get(name) for one in scores.candidates.values()], name == scores.metric)
        for name in names
    ]
    yield from _columns(scores, rows, screen)
    if any(name == "seconds" for name in names):
        note = "seconds: the mean per answer, including the wait for others that were asked at the same time."
        lines = screen.wrapped(screen.say(note), "  ", "  ")
        yield from (screen.style("dim", line) for line in lines)
    if scores.comparisons:
        yield ""
    for one in scores.comparisons:
        if scores.metric in (None, one.metric):
            yield f"  {visible(one.a)} − {visible(one.b)}  {_numbers(scores, one)}"
            if scores.verdict is None:  # whose reasons say it in words
                yield from screen.wrapped(visible(screen.say(phrasing.in_words(scores, one))), "    ", "    ")
    parts = phrasing.ranked_parts(scores)
    if len(parts) > 1:
        yield ""
        shown = [(phrasing.part_metric(scores, name), name, found) for name, found in parts[:MOST_PARTS]]
        shown.sort(key=lambda one: one[0] != scores.metric)
        for metric in dict.fromkeys(metric for metric, _, _ in shown):
            rows = [
                (name, [found.get(candidate) for candidate in scores.candidates], False)
                for by, name, found in shown
                if by == metric
            ]
            yield from _columns(scores, rows, screen, metric=metric)
        if len(parts) > MOST_PARTS:
            yield f"  {screen.word(f'… and {len(parts) - MOST_PARTS:,} more')}"


def _numbers(scores: Scores, one: Comparison) -> str:
    """Return a comparison in numbers."""
    if one.difference is None:
        return phrasing.NOTHING
    value = phrasing.difference(scores, one.metric, one.difference, n=one.n)
    if one.low is None or one.high is None:
        return f"{value} (n = {one.n:,})"
    low, high = (phrasing.difference(scores, one.metric, end, n=one.n) for end in (one.low, one.high))
    p = phrasing.probability(one.p)
    return f"{value} ({low} … {high}, p {p if p.startswith('<') else f'= {p}'}, n = {one.n:,})"


Scored = tuple[str, Sequence[Estimate | None], bool]


def _columns(
    scores: Scores, rows: Sequence[Scored], screen: Screen, *, metric: str | None = None
) -> Iterator[str]:
    """Yield a table of scores with a column per candidate or, where that is too wide, a line for each."""
    names = [visible(name) for name in scores.candidates]
    counts = {one.n for _, estimates, _ in rows for one in estimates if one is not None}
    same = counts.pop() if len(counts) == 1 else None
    table = [
        (
            visible(name),
            [_estimate(scores, metric or name, one, screen, counted=same is None) for one in estimates],
            main,
        )
        for name, estimates, main in rows
    ]
    first = max(len(metric or "") + 10, *(display_width(name) for name, _, _ in table)) + 2
    widths = [
        max(display_width(text) for text in (name, *(cells[index] for _, cells, _ in table))) + 2
        for index, name in enumerate(names)
    ]
    if first + sum(widths) + 2 > screen.width:
        yield from _listed(table, names, screen)
        return
    head = "".join(_padded(name, width) for name, width in zip(names, widths, strict=True))
    words = [*([metric] if metric else []), *([] if same is None else [f"n = {same:,}"])]
    title = _padded(", ".join(words), first)
    yield screen.style("dim", f"  {title}{head}".rstrip())
    for name, cells, main in _set_apart(table):
        line = "".join(map(_padded, cells, widths)).rstrip()
        text = f"{MAIN if main else '  '}{_padded(name, first)}{line}".rstrip()
        yield screen.style("bold" if main else "dim", text) if main or name in phrasing.OBSERVED else text


Row = tuple[str, Sequence[str], bool]


def _set_apart(table: Sequence[Row]) -> Iterator[Row]:
    """Yield the rows, with an empty one before those that can be said of any answer."""
    for index, row in enumerate(table):
        if index and row[0] in phrasing.OBSERVED and table[index - 1][0] not in phrasing.OBSERVED:
            yield "", (), False
        yield row


def _listed(table: Sequence[Row], names: Sequence[str], screen: Screen) -> Iterator[str]:
    width = max(map(display_width, names)) + 2
    for name, cells, main in _set_apart(table):
        if not name:
            yield ""
            continue
        yield f"{MAIN}{screen.style('bold', name)}" if main else f"  {name}"
        for candidate, cell in zip(names, cells, strict=True):
            yield f"    {_padded(candidate, width)}{cell}"


def _padded(text: str, width: int) -> str:
    return text + " " * max(0, width - display_width(text))


def _estimate(scores: Scores, metric: str, one: Estimate | None, screen: Screen, *, counted: bool) -> str:
    """Return a value with its interval, such as `82.5% (75.1% - 88.2%, n 120)`."""
    if one is None:
        return phrasing.NOTHING
    around = phrasing.interval(scores, metric, one)
    if around is None and phrasing.too_few(metric, one):
        around = screen.word("too few")
    inside = ", ".join([*([around] if around else []), *([f"n {one.n:,}"] if counted else [])])
    value = phrasing.shown(scores, metric, one.value, n=one.n)
    return f"{value} ({inside})" if inside else value


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
    found = changes(scores, records)
    first, main = scores.subject, about_task(records)
    failed = [one.prompt_id for one in main if one.candidate == first and one.passed is False]
    asked = [one.prompt_id for one in main]
    wanted = list(dict.fromkeys([*(found.telling if found else ()), *failed, *asked, *ids]))
    chosen = set(wanted[:SOME_QUESTIONS])
    return [one for one in records if one.prompt_id in chosen]


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
    parts: list[Any] = [head, visible(question_text(record), keep_newlines=True)]
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
        lines += [f"[{visible(first.prompt_id)}{_label(first)}] {_indented(question_text(first), 4)}"]
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


def question_text(record: Record) -> str:
    """Return the last user message, for people."""
    return next((str(one["content"]) for one in reversed(record.messages) if one["role"] == "user"), "")
