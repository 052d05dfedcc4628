"""Owns the answers that came: each a durable line the moment it is there, so none is asked for twice."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ftrun.files import append_durably

KEPT = "augment.answers.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """What came of a request: the text, the server's token counts, what it cost (None: unknown), and when."""

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
        return sum(one.usd or 0.0 for one in self.answers.values())

    def add(self, answered: Answered) -> None:
        """Keep an answer durably."""
        line: dict[str, Any] = asdict(answered)
        line["text"] = answered.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        append_durably(self._path, json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self.answers[answered.key] = answered


def _read(path: Path) -> Iterator[Answered]:
    for line in path.read_bytes().split(b"\n") if path.exists() else ():
        try:
            yield Answered(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue  # a torn line: asked again, which costs less than a wrong row
