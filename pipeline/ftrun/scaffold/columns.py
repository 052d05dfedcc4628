"""Deciding which column of a table asks and which answers: by names, by what is in them, or by a person."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.protocol.spec import PICTURES
from ftrun.scaffold import names
from ftrun.scaffold.asking import asks
from ftrun.scaffold.names import find_column, plain_name
from ftrun.scaffold.unclear import UnclearError, Way
from ftrun.text import one_line

Row = Mapping[str, Any]
MOST_LOOKED_AT = 1000  # rows
LEAST_ASKING, LEAST_MORE = 0.35, 0.25  # of a column that asks, and more than in the other one
MOSTLY_ASKING, HARDLY_ASKING = 0.7, 0.1  # shares of questions that contradict the names
CLEAR = 2  # times as long as the next column: then the longest column is taken
MOST_CANDIDATES = 3
SHOWN, LONGEST_SHOWN = 3, 60  # rows of each candidate, characters of each
WEAK = frozenset(("q", "a"))  # names that say something only if both are there
OTHER = " ".join(
    (names.SYSTEM, names.CONTEXT, PICTURES, "history 履歴 历史 歷史 category カテゴリ 分類 类别")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """The columns of question and answer; `guessed` if by their content."""

    user: str
    assistant: str
    guessed: bool


class Columns:
    """The columns of a table, and what their values are like."""

    def __init__(self, path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
        self._path, self._columns = path, columns
        looked = rows[:: max(1, len(rows) // MOST_LOOKED_AT)]
        self._values = {name: list(_texts(looked, name)) for name in columns}
        special = {name for name in columns if plain_name(name) in map(plain_name, OTHER.split())}
        self.texts = [name for name in columns if name not in special and self._is_text(name, len(looked))]

    def choose(self, user: str | None, assistant: str | None) -> Chosen | None:
        """Return which column asks and which answers; None if there are no two columns of texts.

        `user` and `assistant` are known. UnclearError if a person must choose.
        """
        asking = user or self._named(names.USER, assistant)
        answering = assistant or self._named(names.ASSISTANT, asking)
        if user is None and assistant is None and (asking is None) != (answering is None):
            single = asking or answering
            if single is not None and plain_name(single) in WEAK:
                asking = answering = None
        if asking is not None and answering is not None:
            if user is None and assistant is None and self._swapped(asking, answering):
                raise self._unclear([(asking, answering), (answering, asking)])
            return Chosen(user=asking, assistant=answering, guessed=False)
        pairs = list(self._pairs(asking, answering))
        if not pairs:
            return None
        best = self._best(pairs)
        if best is None:
            likely = [pair for pair in pairs if self._clearly_asks(pair[0], pairs)]
            raise self._unclear(likely or pairs)
        return Chosen(user=best[0], assistant=best[1], guessed=True)

    def _swapped(self, asking: str, answering: str) -> bool:
        """Return whether the texts contradict the names: what is called the answer holds the questions."""
        if not {asking, answering} <= self._values.keys():
            return False
        return self._asking(answering) >= MOSTLY_ASKING and self._asking(asking) <= HARDLY_ASKING

    def _named(self, wanted: str, taken: str | None) -> str | None:
        found = find_column(self.texts, wanted, taken)
        return found if found is not None else find_column(self._columns, wanted, taken)

    def _is_text(self, name: str, rows: int) -> bool:
        """Return whether a column has texts, not numbers, dates, labels or almost nothing."""
        texts = [text for text in self._values[name] if sum(map(str.isalpha, text)) > 1]
        many = len(texts) >= max(1, 0.8 * len(self._values[name])) and len(texts) >= 0.3 * rows
        return many and len(set(texts)) >= min(20, 0.3 * len(texts))

    def _pairs(self, asking: str | None, answering: str | None) -> Iterator[tuple[str, str]]:
        """Yield the pairs of columns that question and answer may be, those with the longest texts."""
        if asking is not None or answering is not None:
            known = asking or answering
            others = [name for name in self.texts if name != known] or [
                name for name in self._columns if name != known and len(self._columns) == 2
            ]
            for other in sorted(others, key=self._length, reverse=True)[:MOST_CANDIDATES]:
                yield (asking, other) if asking is not None else (other, known or "")
            return
        likely = sorted(self.texts, key=lambda name: (-self._asking(name), -self._length(name)))
        longest = sorted(self.texts, key=self._length, reverse=True)
        taken = list(dict.fromkeys((*likely[:1], *longest)))[:MOST_CANDIDATES]
        yield from itertools.permutations(sorted(taken, key=self._columns.index), 2)

    def _best(self, pairs: Sequence[tuple[str, str]]) -> tuple[str, str] | None:
        """Return the pair whose first column asks and whose second one clearly is the answer."""
        asking = {one for one, _ in pairs}
        answering = {one for _, one in pairs}
        if len(asking) == 1:  # known by its name
            (user,) = asking
            found = self._clearly_longest(sorted(answering))
            contradicts = found is not None and self._asking(found) > self._asking(user) + LEAST_MORE
            return None if found is None or contradicts else (user, found)
        if len(answering) == 1:
            (assistant,) = answering
            first, *more = sorted(asking, key=self._asking, reverse=True)
            sure = not more or self._asking(first) >= max(LEAST_ASKING, self._asking(more[0]) + LEAST_MORE)
            contradicts = self._asking(assistant) > self._asking(first) + LEAST_MORE
            return (first, assistant) if sure and not contradicts else None
        ordered = sorted(asking, key=self._asking, reverse=True)
        if self._asking(ordered[0]) < max(LEAST_ASKING, self._asking(ordered[1]) + LEAST_MORE):
            return None
        found = self._clearly_longest(ordered[1:])
        return None if found is None else (ordered[0], found)

    def _clearly_asks(self, name: str, pairs: Sequence[tuple[str, str]]) -> bool:
        others = [self._asking(user) for user, _ in pairs if user != name]
        return self._asking(name) >= max(LEAST_ASKING, max(others, default=0) + LEAST_MORE)

    def _clearly_longest(self, columns: Sequence[str]) -> str | None:
        ordered = sorted(columns, key=self._length, reverse=True)
        if len(ordered) > 1 and self._length(ordered[0]) < CLEAR * self._length(ordered[1]):
            return None
        return ordered[0] if ordered else None

    def _asking(self, name: str) -> float:
        return statistics.fmean(map(asks, self._values[name])) if self._values[name] else 0.0

    def _length(self, name: str) -> float:
        return statistics.fmean(map(len, self._values[name])) if self._values[name] else 0.0

    def _unclear(self, pairs: Sequence[tuple[str, str]]) -> UnclearError:
        ways = [
            Way(
                options=("--user", user, "--assistant", assistant),
                shown=(f"{user!r} asks, {assistant!r} answers:", *self._rows(user, assistant)),
            )
            for user, assistant in pairs
        ]
        message = "it is unclear which columns are the question and the answer"
        error = UnclearError.of(self._path, message, "ambiguous_columns", ways)
        error.problem.hint = (
            f"Name them: --user COLUMN --assistant COLUMN. Columns: {', '.join(self._columns)}."
        )
        return error

    def _rows(self, user: str, assistant: str) -> Iterator[str]:
        for asked, answered in zip(self._values[user][:SHOWN], self._values[assistant][:SHOWN], strict=False):
            yield f"  {one_line(asked, LONGEST_SHOWN)}  →  {one_line(answered, LONGEST_SHOWN)}"


def _texts(rows: Sequence[Row], name: str) -> Iterator[str]:
    for row in rows:
        value = row.get(name)
        if isinstance(value, str) and value.strip():
            yield value.strip()
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            yield str(value)
