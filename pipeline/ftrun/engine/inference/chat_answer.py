"""An answer as the server's loop sees it: pieces come in from a process and are taken by a request."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any


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


class Answer:
    """An answer that is being generated: take its pieces or its whole text, then read `usage`."""

    def __init__(self, request: Mapping[str, Any], cancel: Callable[[str], None]) -> None:
        """Wait for the answer to `request`; `cancel` gives it up by its id."""
        self.id = uuid.uuid4().hex
        self.request, self.since = request, time.monotonic()
        self.usage: Mapping[str, Any] = {}
        self.asked = 0  # by how many processes
        self.begun = False  # whether a piece was taken
        self._cancel = cancel
        self._pieces = deque[str]()
        self._end: Mapping[str, Any] | None = None
        self._news = asyncio.Event()

    def put(self, message: Mapping[str, Any]) -> None:
        """Add a message from the process."""
        if "piece" in message:
            self._pieces.append(message["piece"])
        else:
            self._end = message
        self._news.set()

    def forget(self) -> None:
        """Forget what has come so far: it will be asked again."""
        self._pieces.clear()

    async def next_piece(self) -> str | None:
        """Wait for the next piece; None at the end. Raises ChatFailed."""
        while not self._pieces:
            if self._end is not None:
                self._finish(self._end)
                return None
            await self._wait()
        self.begun = True
        return self._pieces.popleft()

    async def text(self) -> str:
        """Wait for the whole text. Raises ChatFailed."""
        while self._end is None:
            await self._wait()
        self._finish(self._end)
        return "".join(self._pieces)

    def close(self) -> None:
        """Cancel the rest of the answer; nothing if it has ended."""
        self._cancel(self.id)

    async def _wait(self) -> None:
        self._news.clear()
        await self._news.wait()

    def _finish(self, end: Mapping[str, Any]) -> None:
        if "error" in end:
            raise ChatFailed(**end["error"])
        self.usage = end["done"]
