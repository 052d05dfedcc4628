"""An answer as the server's loop sees it: pieces come in from a process and are taken by a request."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ftrun.engine.questions import Question, Texts


class ChatFailed(Exception):
    """There is no answer; `status` is the HTTP status, `retry_after` the seconds after which there may be."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Keep the fields of the API's error."""
        super().__init__(message)
        self.status, self.code, self.param, self.retry_after = status, code, param, retry_after


@dataclass(slots=True)
class Part:
    """A part of an answer, or all of it: text, TokenScore and ToolCall as JSON objects; or embeddings, each
    the float32 values in base64.
    """

    text: str = ""
    scores: list[Mapping[str, Any]] = field(default_factory=list)
    calls: list[Mapping[str, Any]] = field(default_factory=list)
    vectors: list[str] = field(default_factory=list)

    def add(self, other: Part) -> None:
        """Add what comes next."""
        self.text += other.text
        self.scores += other.scores
        self.calls += other.calls
        self.vectors += other.vectors


class Answer:
    """An answer that is being generated: take its parts or the whole, then read `usage`."""

    def __init__(self, question: Question | Texts, cancel: Callable[[str], None]) -> None:
        """Wait for the answer to `question`; `cancel` gives it up by its id."""
        self.id = question.id
        self.request, self.since = question.as_message(), time.monotonic()
        self.usage: Mapping[str, Any] = {}
        self.asked = 0  # by how many processes
        self.begun = False  # whether a piece was taken
        self._cancel = cancel
        self._parts = deque[Part]()
        self._end: Mapping[str, Any] | None = None
        self.news = asyncio.Event()  # several answers may share one

    def put(self, message: Mapping[str, Any]) -> None:
        """Add a message from the process."""
        if "done" in message or "error" in message:
            self._end = message
        else:
            part = Part(message.get("piece", ""))
            part.scores, part.calls = message.get("scores", []), message.get("calls", [])
            part.vectors = message.get("vectors", [])
            self._parts.append(part)
        self.news.set()

    def forget(self) -> None:
        """Forget what has come so far: it will be asked again."""
        self._parts.clear()

    @property
    def ready(self) -> bool:
        """Return whether `next_part` has something to return at once."""
        return bool(self._parts) or self._end is not None

    async def next_part(self) -> Part | None:
        """Wait for the next part; None at the end. Raises ChatFailed."""
        while not self._parts:
            if self._end is not None:
                self._finish(self._end)
                return None
            await self._wait()
        self.begun = True
        return self._parts.popleft()

    async def whole(self) -> Part:
        """Wait for all that has not been taken. Raises ChatFailed."""
        while self._end is None:
            await self._wait()
        self._finish(self._end)
        rest = Part()
        for part in self._parts:
            rest.add(part)
        return rest

    def close(self) -> None:
        """Cancel the rest of the answer; nothing if it has ended."""
        self._cancel(self.id)

    async def _wait(self) -> None:
        self.news.clear()
        await self.news.wait()

    def _finish(self, end: Mapping[str, Any]) -> None:
        if "error" in end:
            raise ChatFailed(**end["error"])
        self.usage = end["done"]
