"""Scores on a screen: the metrics of all candidates, the comparisons in numbers, and the parts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ftrun.evaluation.results import Comparison, Estimate, Scores
from ftrun.evaluation.showing import phrasing
from ftrun.evaluation.showing.screen import Screen, padded
from ftrun.text import display_width, visible

MOST_PARTS = 12
MAIN = "▸ "  # before the metric that the verdict rests on

Scored = tuple[str, Sequence[Estimate | None], bool]
Row = tuple[str, Sequence[str], bool]


def score_lines(scores: Scores, screen: Screen) -> Iterator[str]:
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
    if "seconds" in names:
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
    head = "".join(padded(name, width) for name, width in zip(names, widths, strict=True))
    words = [*([metric] if metric else []), *([] if same is None else [f"n = {same:,}"])]
    title = padded(", ".join(words), first)
    yield screen.style("dim", f"  {title}{head}".rstrip())
    for name, cells, main in _set_apart(table):
        line = "".join(map(padded, cells, widths)).rstrip()
        text = f"{MAIN if main else '  '}{padded(name, first)}{line}".rstrip()
        yield screen.style("bold" if main else "dim", text) if main or name in phrasing.OBSERVED else text


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
            yield f"    {padded(candidate, width)}{cell}"


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
