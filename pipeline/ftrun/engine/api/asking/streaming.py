"""Server-sent events, and work for clients that may go away before it is done."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from typing import Any, TypeVar

from fastapi import Request
from fastapi.responses import StreamingResponse
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

Result = TypeVar("Result")


async def unless_gone(http: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """Return the result of `work`; when the client goes away before, cancel it and raise ClientDisconnect."""
    working, going = asyncio.create_task(work), asyncio.create_task(_wait_until_gone(http))
    try:
        await asyncio.wait((working, going), return_when=asyncio.FIRST_COMPLETED)
        if working.done():
            return working.result()
        raise ClientDisconnect
    finally:
        working.cancel()
        going.cancel()


async def _wait_until_gone(http: Request) -> None:
    while (await http.receive())["type"] != "http.disconnect":
        pass


class EventStream(StreamingResponse):
    """Server-sent events; `close` is called at their end, or when the client goes away before."""

    def __init__(self, events: AsyncIterator[str], close: Callable[[], None]) -> None:
        """Send `events`, each a whole event of the stream."""
        super().__init__(events, media_type="text/event-stream")
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._close()


def event(data: Mapping[str, Any], name: str | None = None) -> str:
    """Return a server-sent event with JSON, with a name for the APIs whose events have one."""
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {json.dumps(data)}\n\n"
