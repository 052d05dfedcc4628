"""A server that answers chat completions after a pause and takes so many at once, as cheap as it can be: it
shares the cores with whoever is measured.

Usage: python benchmarks/chat_server.py SECONDS AT_ONCE [--faults SHARE] [--seed N]

Prints its port, then serves until its standard input ends. An answer depends on the question alone. More
requests than AT_ONCE get HTTP 429. With --faults that share of the requests is refused with 429, answered
with 503, or loses its answer: the connection is cut, or half of it is sent. GET /stats says what was
committed (answers computed, which a service bills) and delivered, and the most requests at one time.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import random
import sys
from collections import Counter
from typing import Literal

Fault = Literal["", "429", "503", "cut", "half"]


def http(status: int, body: bytes, *headers: str) -> bytes:
    """Return an answer as bytes."""
    head = [
        f"HTTP/1.1 {status} X",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join([*head, "", ""]).encode() + body


def error(status: int, message: str) -> bytes:
    """Return an error in the API's form."""
    return http(status, json.dumps({"error": {"message": message, "code": "rate_limit_exceeded"}}).encode())


def answer_to(body: bytes) -> bytes:
    """Return the answer to a request: the same one to the same question."""
    said = hashlib.sha256(body).hexdigest()
    message = {"role": "assistant", "content": f"答えは{said}です。" * 4}
    choice = {"index": 0, "finish_reason": "stop", "message": message}
    usage = {"prompt_tokens": 60, "completion_tokens": 40, "total_tokens": 100}
    document = {"id": said[:8], "object": "chat.completion", "created": 1, "model": "m"}
    return http(200, json.dumps({**document, "choices": [choice], "usage": usage}).encode())


class Service:
    """What all connections share."""

    def __init__(self, seconds: float, at_once: int, faults: float, seed: int) -> None:
        self.seconds, self.at_once, self.faults = seconds, at_once, faults
        self.chance, self.running, self.counts = random.Random(seed), 0, Counter[str]()

    def fault(self) -> Fault:
        """Return what goes wrong with the next request."""
        if self.chance.random() >= self.faults:
            return ""
        return self.chance.choice(("429", "429", "503", "cut", "half"))


class Connection(asyncio.Protocol):
    """One connection: one request after the other."""

    def __init__(self, service: Service) -> None:
        self._service, self._received = service, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the connection."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer a request once it is whole."""
        self._received += data
        head, found, rest = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        size = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        if len(rest) < size:
            return
        self._received = rest[size:]
        if head.startswith(b"GET"):
            self._transport.write(http(200, json.dumps(self._service.counts).encode()))
        else:
            self._begin(rest[:size])

    def _begin(self, body: bytes) -> None:
        service, counts = self._service, self._service.counts
        counts["requests"] += 1
        fault = service.fault()
        if service.running >= service.at_once or fault == "429":
            counts["refused"] += 1
            self._transport.write(error(429, "too many requests"))
            return
        service.running += 1
        counts["most"] = max(counts["most"], service.running)
        asyncio.get_running_loop().call_later(service.seconds, self._end, body, fault)

    def _end(self, body: bytes, fault: Fault) -> None:
        service, counts = self._service, self._service.counts
        service.running -= 1
        counts["committed"] += 1
        counts["delivered"] += not fault
        answer = error(503, "overloaded") if fault == "503" else answer_to(body)
        if fault in ("cut", "half"):
            self._transport.write(answer[: len(answer) // 2] if fault == "half" else b"")
            self._transport.close()
        elif not self._transport.is_closing():
            self._transport.write(answer)


async def serve(service: Service) -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(service), "127.0.0.1", 0, backlog=1000)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("seconds", type=float)
    parser.add_argument("at_once", type=int)
    parser.add_argument("--faults", type=float, default=0.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    asyncio.run(serve(Service(given.seconds, given.at_once, given.faults, given.seed)))
