"""The answers to requests for more rows: which are missing, and each kept as it comes.

Each is a durable line of augment.answers.jsonl as soon as it is there, so that none is requested again.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ftrun.augment.entries import ReviewEntry
from ftrun.augment.requests import Request
from ftrun.cost import prices
from ftrun.errors import DecisionError
from ftrun.experiment.target import Target
from ftrun.files import append_durably
from ftrun.targets import Reply

ANSWERS_FILE = "augment.answers.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentAnswer:
    """The answer to a request: the text, the tokens billed, the cost (None: unknown), and the time."""

    key: str
    text: str
    usage: Mapping[str, int]
    usd: float | None
    time: str
    run: str


class AugmentAnswers:
    """The answers kept in one target's run folder, by the key of the request."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / ANSWERS_FILE
        self.answers = {one.key: one for one in _read(self._path)}

    @property
    def spent(self) -> float:
        """Return the US$ that all answers cost, as far as known."""
        return self.spent_on(self.answers)

    def spent_on(self, keys: Iterable[str]) -> float:
        """Return the US$ that the answers to some requests cost, as far as known."""
        return sum(self.answers[key].usd or 0.0 for key in keys if key in self.answers)

    def add(self, answered: AugmentAnswer) -> None:
        """Keep an answer durably."""
        line: dict[str, Any] = asdict(answered)
        line["text"] = answered.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        append_durably(self._path, json.dumps(line, ensure_ascii=False).encode() + b"\n")
        self.answers[answered.key] = answered


def new_run() -> tuple[str, str]:
    """Return the time and an id for one call of a command."""
    return datetime.now(UTC).isoformat(timespec="seconds"), uuid.uuid4().hex[:8]


def unanswered(
    asked: Iterable[Request], kept: AugmentAnswers, reviewed: Iterable[ReviewEntry]
) -> list[Request]:
    """Return the requests that have neither an answer here nor an entry in the review file.

    In a clone of an earlier version's project the review file is there and the answers are not.
    """
    seen = {entry.made.get("request") for entry in reviewed}
    return [one for one in asked if one.key not in kept.answers and one.key[:16] not in seen]


def keep_all(replies: Iterable[tuple[Request, Reply]], kept: AugmentAnswers, target: Target) -> None:
    """Keep every reply of `target` as it comes."""
    _, run = new_run()
    for request, said in replies:
        usage = prices.billed_tokens(target, request.messages, said.text, said.usage)
        answered = AugmentAnswer(
            key=request.key,
            text=said.text,
            usage=usage,
            usd=prices.answers_usd(target, usage["prompt_tokens"], usage["completion_tokens"]),
            time=new_run()[0],
            run=run,
        )
        kept.add(answered)


def _read(path: Path) -> Iterator[AugmentAnswer]:
    for number, line in enumerate(path.read_bytes().split(b"\n") if path.exists() else (), start=1):
        try:
            found = AugmentAnswer(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue  # a torn line: asked again, which costs less than a wrong row
        if not _is_amount(found.usd):
            raise DecisionError(
                "`usd` is not an amount, so the total spent is unknown; nothing was sent",
                code="answers_damaged",
                file=str(path),
                line=number,
                hint="Enter what the answer cost, or delete the line: the answer is then requested again.",
            )
        yield found


def _is_amount(usd: Any) -> bool:
    if usd is None:
        return True
    return isinstance(usd, (int, float)) and not isinstance(usd, bool) and 0 <= usd < math.inf
