"""Asking for what was not answered yet, one request at a time, each answer kept before the next."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from ftrun import data
from ftrun.augment.entries import Entry
from ftrun.augment.kept import Answered, KeptAnswers
from ftrun.augment.requests import Message, Request
from ftrun.experiment.target import Target


class Said(Protocol):
    """What a model answered."""

    @property
    def text(self) -> str:
        """Return the answer."""
        ...

    @property
    def usage(self) -> Mapping[str, int]:
        """Return the server's token counts."""
        ...


class Ask(Protocol):
    """Asks a model once; raises what the command should stop with."""

    def __call__(self, messages: Sequence[Message], sampling: Mapping[str, Any]) -> Said:
        """Return the reply."""
        ...


def new_run() -> tuple[str, str]:
    """Return the time and an id for one call of a command."""
    return datetime.now(UTC).isoformat(timespec="seconds"), uuid.uuid4().hex[:8]


def unanswered(asked: Iterable[Request], kept: KeptAnswers, reviewed: Iterable[Entry]) -> list[Request]:
    """Return the requests that have neither an answer here nor an entry in the review file.

    In a clone of an earlier version's project the review file is there and the answers are not.
    """
    seen = {entry.made.get("request") for entry in reviewed}
    return [one for one in asked if one.key not in kept.answers and one.key[:16] not in seen]


def ask_all(
    missing: Sequence[Request], kept: KeptAnswers, target: Target, ask: Ask, tell: Callable[[int, int], None]
) -> None:
    """Ask and keep every answer; `tell` gets the number of each request and their sum before it is sent, and
    may raise what the command should stop with.
    """
    _, run = new_run()
    for number, request in enumerate(missing, 1):
        tell(number, len(missing))
        said = ask(request.messages, request.sampling)
        usage = data.billed_tokens(target, request.messages, said.text, said.usage)
        answered = Answered(
            key=request.key,
            text=said.text,
            usage=usage,
            usd=data.answers_usd(target, usage["prompt_tokens"], usage["completion_tokens"]),
            time=new_run()[0],
            run=run,
        )
        kept.add(answered)
