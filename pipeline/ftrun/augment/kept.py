"""The answers that came: each a durable line the moment it is there, so none is asked for twice."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftrun.errors import DecisionError
from ftrun.files import append_durably

KEPT = "augment.answers.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of a request: the text, the tokens billed, what it cost (None: unknown), and when."""

    key: str
    text: str
    usage: Mapping[str, int]
    usd: float | None
    time: str
    run: str


class KeptAnswers:
    """The answers kept in one target's run folder, by the key of the request."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / KEPT
        self.answers = {one.key: one for one in _read(self._path)}

    @property
    def spent(self) -> float:
        """Return the US$ that all answers cost, as far as it is known."""
        return self.spent_on(self.answers)

    def spent_on(self, keys: Iterable[str]) -> float:
        """Return the US$ that the answers to some requests cost, as far as it is known."""
        return sum(self.answers[key].usd or 0.0 for key in keys if key in self.answers)

    def add(self, answered: Answered) -> None:
        """Keep an answer durably."""
        line: dict[str, Any] = asdict(answered)
        line["text"] = answered.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        append_durably(self._path, json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self.answers[answered.key] = answered


def _read(path: Path) -> Iterator[Answered]:
    for number, line in enumerate(path.read_bytes().split(b"\n") if path.exists() else (), start=1):
        try:
            found = Answered(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue  # a torn line: asked again, which costs less than a wrong row
        if not _is_amount(found.usd):
            raise DecisionError(
                "`usd` is not an amount, so what was spent is unknown; nothing was sent",
                code="answers_damaged",
                file=str(path),
                line=number,
                hint="Write what the answer cost, or delete the line: its answer is then asked for again.",
            )
        yield found


def _is_amount(usd: Any) -> bool:
    if usd is None:
        return True
    return isinstance(usd, (int, float)) and not isinstance(usd, bool) and 0 <= usd < math.inf
