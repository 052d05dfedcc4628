"""The numbers of an evaluation as tables: metrics by candidate, comparisons, parts, confusion matrices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from ftrun.evaluation.results import Comparison, Estimate, Scores
from ftrun.evaluation.showing import phrasing
from ftrun.evaluation.showing.phrasing import NOTHING
from ftrun.evaluation.verdict.break_even import break_even
from ftrun.language import localized
from ftrun.report.facts import Facts

SHADES = 5  # of a confusion matrix
NONE_OF_THEM = "(none of them)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A metric of one candidate: its value, its 95 % interval (None: there is none), and from how many
    answers it is. `best`: no other candidate is better.
    """

    value: str
    interval: str | None
    n: int
    too_few: bool
    best: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A metric, or a part of the questions, with a cell for each candidate (None: it has no value)."""

    name: str
    meaning: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """The main metric of a candidate, with its place on a common scale from 0 to 100."""

    candidate: str
    cell: Cell
    at: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A comparison in words, and its numbers as they are shown."""

    a: str
    b: str
    metric: str
    words: str
    tone: str
    difference: str
    interval: str
    p: str
    n: int
    detectable: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confusion:
    """A confusion matrix: a row for each true label, with count, shade (0 to SHADES) and share of the row for
    each predicted one. The last column is for answers that are none of the labels.
    """

    candidate: str
    labels: tuple[str, ...]
    predicted: tuple[str, ...]
    rows: tuple[tuple[tuple[int, int, str], ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreTables:
    """All tables of an evaluation; `candidates` are the columns of `rows` and `parts`. `n`: from how many
    answers all metrics are (None: they differ). `pairs` compare by the main metric. `break_even` are
    sentences.
    """

    metric: str | None
    candidates: tuple[str, ...]
    bars: tuple[Bar, ...]
    rows: tuple[Row, ...]
    pairs: tuple[Pair, ...]
    other_pairs: tuple[Pair, ...]
    parts: tuple[Row, ...]
    confusions: tuple[Confusion, ...]
    n: int | None
    break_even: tuple[str, ...] = ()


def score_tables(facts: Facts) -> ScoreTables:
    """Return the tables in the report's language."""
    worth = break_even(facts.scores, facts.cost.train_usd)
    sentences = (localized(one.sentence, facts.language) for one in worth)
    return replace(tables_of(facts.scores, facts.language), break_even=tuple(sentences))


def tables_of(scores: Scores, language: str) -> ScoreTables:
    """Return the tables of an evaluation in a language, without what training cost."""
    names = phrasing.metric_names(scores)
    metric = scores.metric or next(iter(names), None)
    return ScoreTables(
        metric=metric,
        candidates=tuple(scores.candidates),
        bars=tuple(_bars(scores, metric)),
        rows=tuple(_row(scores, name, language) for name in names),
        pairs=tuple(_pair(scores, one, language) for one in scores.comparisons if one.metric == metric),
        other_pairs=tuple(_pair(scores, one, language) for one in scores.comparisons if one.metric != metric),
        parts=tuple(_parts(scores)),
        confusions=tuple(_confusion(name, one, language) for name, one in scores.confusion.items()),
        n=phrasing.same_n(scores),
    )


def _row(scores: Scores, metric: str, language: str) -> Row:
    estimates = [one.metrics.get(metric) for one in scores.candidates.values()]
    meaning = phrasing.MEANINGS.get(metric, "")
    return Row(
        name=metric,
        meaning=localized(meaning, language) if meaning else "",
        cells=_cells(scores, metric, estimates),
    )


def _cells(scores: Scores, metric: str, estimates: Sequence[Estimate | None]) -> tuple[Cell | None, ...]:
    known = [one.value for one in estimates if one is not None and one.value is not None]
    best = None
    if len({phrasing.shown(scores, metric, value) for value in known}) > 1 and metric != "length":
        best = min(known) if phrasing.less_is_better(scores, metric) else max(known)
    return tuple(None if one is None else _cell(scores, metric, one, best) for one in estimates)


def _cell(scores: Scores, metric: str, one: Estimate, best: float | None = None) -> Cell:
    return Cell(
        value=phrasing.shown(scores, metric, one.value, n=one.n),
        interval=phrasing.interval(scores, metric, one),
        n=one.n,
        too_few=phrasing.too_few(metric, one),
        best=best is not None and one.value == best,
    )


def _bars(scores: Scores, metric: str | None) -> Iterator[Bar]:
    """Yield the main metric of every candidate on one scale."""
    found = [
        (name, one)
        for name, result in scores.candidates.items()
        if metric and (one := result.metrics.get(metric)) is not None and one.value is not None
    ]
    ends = [end for _, one in found for end in (one.value, one.low, one.high) if end is not None]
    if not ends or metric is None:
        return
    low, high = min(0.0, *ends), max(ends)
    if phrasing.scale_of(scores, metric) == "share":
        high = max(1.0, high)

    def place(value: float | None) -> float | None:
        return None if value is None else round(100 * (value - low) / (high - low or 1), 1)

    for name, one in found:
        at = place(one.value)
        assert at is not None
        yield Bar(
            candidate=name, cell=_cell(scores, metric, one), at=at, low=place(one.low), high=place(one.high)
        )


def _pair(scores: Scores, one: Comparison, language: str) -> Pair:
    signed = [phrasing.difference(scores, one.metric, value, n=one.n) for value in (one.low, one.high)]
    return Pair(
        a=one.a,
        b=one.b,
        metric=one.metric,
        words=localized(phrasing.in_words(scores, one), language),
        tone="good" if one.better else "bad" if one.worse else "neutral",
        difference=phrasing.difference(scores, one.metric, one.difference, n=one.n),
        interval=NOTHING if one.low is None else f"{signed[0]} … {signed[1]}",
        p=phrasing.probability(one.p),
        n=one.n,
        detectable=phrasing.difference(scores, one.metric, one.detectable, n=one.n).lstrip("+"),
    )


def _parts(scores: Scores) -> Iterator[Row]:
    for name, estimates in phrasing.ranked_parts(scores):
        metric = phrasing.part_metric(scores, name) or ""
        cells = _cells(scores, metric, [estimates.get(candidate) for candidate in scores.candidates])
        yield Row(name=name, meaning=metric, cells=cells)


def _confusion(candidate: str, found: Mapping[str, object], language: str) -> Confusion:
    labels = tuple(map(str, _list(found.get("labels"))))
    counts = [tuple(int(str(count)) for count in _list(row)) for row in _list(found.get("counts"))]
    wide = any(len(row) > len(labels) for row in counts)
    return Confusion(
        candidate=candidate,
        labels=labels,
        predicted=(*labels, *((localized(NONE_OF_THEM, language),) if wide else ())),
        rows=tuple(_shaded(row) for row in counts),
    )


def _shaded(row: tuple[int, ...]) -> tuple[tuple[int, int, str], ...]:
    total = sum(row)
    return tuple(
        (count, -(-SHADES * count // total) if total else 0, f"{count / total:.0%}" if total else NOTHING)
        for count in row
    )


def _list(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []
