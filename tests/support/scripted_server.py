"""A real server on loopback that answers as a test says, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; `path` is without /v1, `query` has the last value of a name, `body` is JSON or bytes."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    headers: Message


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. `body`: JSON values, or bytes; an iterator is sent piece by piece without a length.

    `cut`: what is lost of it when the connection breaks: nothing, half of the body, or the whole answer.
    """

    body: Any
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: Literal["", "half", "whole"] = ""


Script = Callable[[Asked], Answer]


class ScriptedServer:
    """Answers by `script`; whatever it does not know is a 404."""

    def __init__(self, script: Script) -> None:
        self.script, self.asked = script, list[Asked]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _answer(self) -> None:
                with contextlib.suppress(ConnectionError):
                    outer._handle(self)

            do_GET = do_POST = do_DELETE = do_PUT = do_CONNECT = _answer

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        self.origin = f"http://127.0.0.1:{self._server.server_port}"
        self.base_url = f"{self.origin}/v1"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def paths(self, method: str) -> list[str]:
        """Return the paths that were asked with `method`."""
        return [one.path for one in self.asked if one.method == method]

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        raw = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        parts = urlsplit(handler.path)
        try:
            body = json.loads(raw) if raw else None
        except ValueError:
            body = raw
        query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        path = parts.path.removeprefix("/v1")
        asked = Asked(handler.command, path, query, body, handler.headers)
        self.asked.append(asked)
        _send(handler, self.script(asked))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that were killed."""


def _send(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    if answer.cut == "whole":
        _break_off(handler)
        return
    handler.send_response(answer.status)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    if isinstance(answer.body, Iterator):
        handler.send_header("Connection", "close")
        handler.end_headers()
        for piece in answer.body:
            handler.wfile.write(piece)
        handler.close_connection = True
        return
    data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
    if "Content-Type" not in answer.headers:
        handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(data)))
    handler.end_headers()
    handler.wfile.write(data[: len(data) // 2] if answer.cut == "half" else data)
    if answer.cut == "half":
        handler.wfile.flush()
        _break_off(handler)


def _break_off(handler: BaseHTTPRequestHandler) -> None:
    handler.close_connection = True
    handler.connection.close()


def refusal(
    status: int, message: str = "no", code: str | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return an error in the API's form."""
    return Answer({"error": {"message": message, "code": code}}, status, headers or {})


def listed(entries: list[Any], **more: Any) -> Answer:
    """Return a whole list."""
    return Answer({"object": "list", "data": entries, "has_more": False, **more})
