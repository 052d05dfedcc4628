"""Owns the ledger of one experiment on one target: a line for everything that costs money, added and never
changed. An effect is written with its estimate before it can happen, and again once it is known what it cost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from ftrun.errors import DecisionError
from ftrun.files import append_durably
from ftrun.state.store import read_plain

NAME = "ledger.jsonl"
Kind = Literal["job", "upload", "answers", "augment", "deployment"]
Standing = Literal["estimated", "actual", "adopted", "void"]
STOPPED = "stopped"  # `what` of answers whose evaluation did not get to its end


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line. `effect` tells effects apart; of one effect the last line counts, in the month of the first.

    `standing`: estimated (it may have happened), actual, adopted (paid for elsewhere: 0), void (it did not
    happen). `usd` None: the price is unknown. `tokens` are those billed, `what` the server's id, or
    `STOPPED`.
    """

    at: str
    effect: str
    kind: Kind
    standing: Standing
    experiment: str
    target: str
    usd: float | None
    tokens: int | None = None
    what: str | None = None

    @property
    def month(self) -> str:
        """Return the month in UTC, such as 2026-11."""
        return self.at[:7]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """A sum. `estimated` is the part of `usd` that is not known for certain, `unknown` counts effects
    without a price.
    """

    usd: float = 0.0
    estimated: float = 0.0
    unknown: int = 0


class Ledger:
    """The ledger in one run folder."""

    def __init__(self, folder: Path, *, experiment: str, target: str) -> None:
        self.path = folder / NAME
        self._experiment, self._target = experiment, target

    def note(
        self,
        kind: Kind,
        effect: str,
        standing: Standing,
        *,
        usd: float | None,
        tokens: int | None = None,
        what: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Add a line, of now or of `at` (UTC); when this returns it survives a power cut."""
        entry = Entry(
            at=(at or datetime.now(UTC)).isoformat(timespec="seconds"),
            effect=effect,
            kind=kind,
            standing=standing,
            experiment=self._experiment,
            target=self._target,
            usd=None if usd is None else round(usd, 6),
            tokens=tokens,
            what=what,
        )
        line = json.dumps(asdict(entry), ensure_ascii=False).encode() + b"\n"
        append_durably(self.path, line, drop_torn=True)


def read_ledgers(paths: Iterable[Path]) -> list[Entry]:
    """Return the lines of all ledgers in order of time; DecisionError for one that can't be trusted.

    Only a last line may be torn: what it was to announce can't have happened, as it was not written yet.
    """
    return sorted((entry for path in paths for entry in _entries(path)), key=lambda entry: entry.at)


def _entries(path: Path) -> Iterator[Entry]:
    lines = (read_plain(path) or b"").split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line:
            continue
        try:
            yield Entry(**json.loads(line))
        except (ValueError, TypeError):
            if number == len(lines):
                return
            raise DecisionError(
                f"{path}:{number}: this is no line of a ledger; what was spent can't be known",
                code="ledger_damaged",
                file=str(path),
                line=number,
                hint="Take git's version of the file, or mend or delete the line. No call was made.",
            ) from None


def effects(entries: Iterable[Entry]) -> list[Entry]:
    """Return one line an effect: what was said of it last, at the time when it was first named.

    An estimate comes before what it cost, whatever the clocks say that wrote them.
    """
    found: dict[str, Entry] = {}
    for entry in entries:
        first = found.get(entry.effect)
        values: dict[str, Any] = asdict(entry)
        if first is not None:
            late = entry.standing == "estimated" != first.standing
            values = asdict(first) if late else values | {"at": first.at, "what": entry.what or first.what}
        found[entry.effect] = Entry(**values)
    return list(found.values())


def spent(entries: Iterable[Entry], month: str | None = None) -> Spent:
    """Return the sum over effects, of one month where one is given."""
    counted = [one for one in effects(entries) if month is None or one.month == month]
    counted = [one for one in counted if one.standing != "void"]
    return Spent(
        usd=round(sum(one.usd or 0.0 for one in counted), 6),
        estimated=round(sum(one.usd or 0.0 for one in counted if one.standing == "estimated"), 6),
        unknown=sum(one.usd is None for one in counted),
    )


def unfinished_answers(entries: Iterable[Entry]) -> float:
    """Return the US$ of answers that were asked for since an evaluation last got to its end."""
    usd = 0.0
    for one in effects(entries):
        if one.kind == "answers" and one.standing != "void":
            stopped = one.standing == "estimated" or one.what == STOPPED
            usd = usd + (one.usd or 0.0) if stopped else 0.0
    return usd


def this_month() -> str:
    """Return the present month in UTC."""
    return datetime.now(UTC).strftime("%Y-%m")
