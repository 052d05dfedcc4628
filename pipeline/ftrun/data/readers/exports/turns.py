"""Messages become turns of conversations: long pauses divide, what one speaker says in a row is joined."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from ftrun.data.readers.cells import Numbered
from ftrun.experiment.model import Source

PAUSE = "6h"
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class Said(NamedTuple):
    """A message. `stream` is the chat or thread that it is in; `bot`: by the service, a bot wrote it."""

    line: int
    time: datetime.datetime
    speaker: str
    text: str
    stream: str = ""
    bot: bool = False


@dataclass(slots=True)
class _Conversation:
    """The conversation that a stream is in, and the turn that has not ended."""

    number: int
    last: datetime.datetime
    turns: int = 0
    speaker: str = ""
    line: int = 0
    begun: datetime.datetime | None = None
    texts: list[str] = field(default_factory=list)

    def turn(self) -> Iterator[Numbered]:
        """Yield the turn that ends, if there is one."""
        if self.texts and self.begun is not None:
            yield (
                self.line,
                {
                    "conversation": str(self.number),
                    "time": self.begun.replace(tzinfo=None).isoformat(sep=" ", timespec="minutes"),
                    "speaker": self.speaker,
                    "content": "\n".join(self.texts),
                },
            )
        self.texts = []


def seconds(pause: str | None) -> int:
    """Return the length of a pause such as 6h."""
    given = pause or PAUSE
    return int(given[:-1]) * UNITS[given[-1]]


def turns_of(messages: Iterable[Said], source: Source) -> Iterator[Numbered]:
    """Yield a row for each turn: `conversation`, `time`, `speaker` and `content`."""
    longest = datetime.timedelta(seconds=seconds(source.pause))
    answering = frozenset((source.roles or {}).get("assistant", ()))
    streams: dict[str, _Conversation] = {}
    count = 0
    for said in messages:
        now = streams.get(said.stream)
        if now is None or said.time - now.last > longest or _is_long(now, said, source.turns, answering):
            if now is not None:
                yield from now.turn()
            count += 1
            now = streams[said.stream] = _Conversation(count, said.time)
        if said.speaker != now.speaker or not now.texts:
            yield from now.turn()
            now.turns += 1
            now.speaker, now.line, now.begun = said.speaker, said.line, said.time
        now.texts.append(said.text)
        now.last = said.time
    for left in streams.values():
        yield from left.turn()


def _is_long(now: _Conversation, said: Said, most: int | None, answering: frozenset[str]) -> bool:
    """Return whether a conversation has its turns, and the next message begins another one."""
    if most is None or now.turns < most or said.speaker == now.speaker:
        return False
    return not answering or (now.speaker in answering and said.speaker not in answering)
