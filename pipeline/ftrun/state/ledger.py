"""The ledger of one experiment on one target: an append-only file, a line per thing that costs money.

An effect is written with its estimate before it can happen, and again once its cost is known.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from ftrun.errors import DecisionError
from ftrun.files import append_durably
from ftrun.state.store import CONFLICT, read_plain

NAME = "ledger.jsonl"
Kind = Literal["job", "upload", "answers", "augment", "deployment"]
Standing = Literal["estimated", "actual", "adopted", "void"]
STOPPED = "stopped"  # `what` of answers whose evaluation did not get to its end


@dataclass(frozen=True, slots=True)
class Charge:
    """What one effect costs, as far as it is known; `effect` is the effect's id.

    `standing`: estimated (it may have happened), actual, adopted (paid for elsewhere: 0), void (it did not
    happen). `usd` None: the price is unknown. `tokens` are those billed, `what` is the server's id, or
    `STOPPED`. `at` is when it happened (UTC), unless that is now.
    """

    kind: Kind
    effect: str
    standing: Standing
    usd: float | None = field(kw_only=True)
    tokens: int | None = field(default=None, kw_only=True)
    what: str | None = field(default=None, kw_only=True)
    at: datetime | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """A line of a ledger: a charge with its time and whose it is. Of one effect the last line counts, in the
    month of the first.
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
        return datetime.fromisoformat(self.at).astimezone(UTC).strftime("%Y-%m")


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

    def note(self, charge: Charge) -> None:
        """Add a line; when this returns it survives a power cut."""
        last = (read_plain(self.path) or b"").rpartition(b"\n")[2]
        append_durably(self.path, self.line(charge).encode() + b"\n", drop_torn=is_torn(last))

    def line(self, charge: Charge) -> str:
        """Return the line for a charge, without its line break."""
        line = LedgerLine(
            at=(charge.at or datetime.now(UTC)).isoformat(timespec="seconds"),
            effect=charge.effect,
            kind=charge.kind,
            standing=charge.standing,
            experiment=self._experiment,
            target=self._target,
            usd=None if charge.usd is None else round(charge.usd, 6),
            tokens=charge.tokens,
            what=charge.what,
        )
        return json.dumps(asdict(line), ensure_ascii=False)


def ledgers_of(folder: Path) -> list[Path]:
    """Return the ledgers of an experiment on all its targets; a link or a folder in the place of one is
    included, as what can't be read must not be left out.
    """
    return sorted(path for target in folder.glob("*") if os.path.lexists(path := target / NAME))


def is_torn(last: bytes) -> bool:
    """Return whether what follows the last line break is a line that a crash has cut.

    A whole line without a line break, as some editors leave it, is not.
    """
    return not last.rstrip().endswith(b"}")


def read_ledgers(paths: Iterable[Path]) -> list[LedgerLine]:
    """Return the lines of all ledgers in order of time; DecisionError for one that can't be trusted.

    Only a last line may be torn: what it announces can't have happened, as it was not written yet.
    """
    return sorted((entry for path in paths for entry in _entries(path)), key=lambda entry: entry.at)


def _entries(path: Path) -> Iterator[LedgerLine]:
    lines = (read_plain(path) or b"").split(b"\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield _entry(line)
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            if number == len(lines) and is_torn(line):
                return
            raise _damaged(path, number, line, error) from None


def _entry(line: bytes) -> LedgerLine:
    """Return the entry that a line holds; ValueError or TypeError if it holds none that can be counted."""
    entry = LedgerLine(**json.loads(line, object_pairs_hook=_without_repeats))
    for name in ("at", "effect", "experiment", "target"):
        _require(_is_text(getattr(entry, name)), name, getattr(entry, name))
    _require(entry.what is None or _is_text(entry.what), "what", entry.what)
    _require(entry.kind in get_args(Kind), "kind", entry.kind)
    _require(entry.standing in get_args(Standing), "standing", entry.standing)
    _require(entry.usd is None or _is_amount(entry.usd), "usd", entry.usd)
    _require(entry.tokens is None or _is_amount(entry.tokens), "tokens", entry.tokens)
    _require(datetime.fromisoformat(entry.at).tzinfo is not None and entry.month != "", "at", entry.at)
    return entry


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    _require(len(found) == len(pairs), "a key", "twice")
    return found


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and not any("\ud800" <= one <= "\udfff" for one in value)


def _is_amount(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and value >= 0


def _require(fits: bool, name: str, value: Any) -> None:
    if not fits:
        raise _Wrong(f"{name} is {json.dumps(value)[:60]}")


class _Wrong(ValueError):
    """A value that no ledger has."""


def _damaged(path: Path, number: int, line: bytes, error: Exception) -> DecisionError:
    what = "this is not a line of a ledger" + (f" ({error})" if isinstance(error, _Wrong) else "")
    hint = "Take git's version of the file, or correct or delete the line. No call was made."
    if line.startswith(CONFLICT):
        what = "git's conflict markers"
        hint = "Keep the lines of both sides, and delete those with the markers. No call was made."
    return DecisionError(
        f"{path}:{number}: {what}; what was spent is unknown",
        code="ledger_damaged",
        file=str(path),
        line=number,
        hint=hint,
    )


def effects(entries: Iterable[LedgerLine]) -> list[LedgerLine]:
    """Return one line per effect: its last facts, with the time of its first line.

    An estimate counts as earlier than the actual cost, whatever their clocks say.
    """
    found: dict[str, LedgerLine] = {}
    for entry in entries:
        first = found.get(entry.effect)
        values: dict[str, Any] = asdict(entry)
        if first is not None:
            late = entry.standing == "estimated" != first.standing
            values = asdict(first) if late else values | {"at": first.at, "what": entry.what or first.what}
        found[entry.effect] = LedgerLine(**values)
    return list(found.values())


def spent(entries: Iterable[LedgerLine], month: str | None = None) -> Spent:
    """Return the sum over effects, of one month where one is given."""
    counted = [one for one in effects(entries) if month is None or one.month == month]
    counted = [one for one in counted if one.standing != "void"]
    return Spent(
        usd=round(sum(one.usd or 0.0 for one in counted), 6),
        estimated=round(sum(one.usd or 0.0 for one in counted if one.standing == "estimated"), 6),
        unknown=sum(one.usd is None for one in counted),
    )


def known_usd(entries: Iterable[LedgerLine], kind: Kind) -> float:
    """Return the US$ that effects of one kind are known to have cost."""
    return sum(one.usd or 0.0 for one in effects(entries) if (one.kind, one.standing) == (kind, "actual"))


def unfinished_answers(entries: Iterable[LedgerLine]) -> tuple[float, float]:
    """Return the US$ of answers that were asked for since an evaluation last got to its end: what they are
    known to have cost, and at most (a run that was killed leaves an estimate).
    """
    known = most = 0.0
    for one in effects(entries):
        if one.kind != "answers" or one.standing == "void":
            continue
        if one.standing == "estimated":
            most += one.usd or 0.0
        elif one.what == STOPPED:
            known, most = known + (one.usd or 0.0), most + (one.usd or 0.0)
        else:
            known = most = 0.0
    return known, most


def this_month() -> str:
    """Return the present month in UTC."""
    return datetime.now(UTC).strftime("%Y-%m")
