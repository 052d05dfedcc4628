"""A real server between ftrun and the engine: it passes calls on, counts, and fails on demand."""

from __future__ import annotations

import http.client
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from support.provider import KEY

HOP = {"connection", "content-length", "transfer-encoding", "host", "date", "server"}
# clients must show KEY; the engine's own token stays inside


@dataclass(slots=True)
class Faults:
    """Switches. `create`: what happens to a job creation: pass, refuse, lose (commit, then cut the
    connection), html (commit, then answer HTML with 200), drop (cut before it is passed on).
    """

    create: str = "pass"
    refusal: tuple[int, dict[str, Any]] = (400, {})
    hidden_lists: int = 0  # so many job lists show nothing: list-after-write delay
    lists_shown: int | None = None  # so many job lists show what there is, all later ones nothing
    strip_metadata: bool = False
    ignore_filter: bool = False
    twin: bool = False  # another machine posts the same job at the same time
    aliases: dict[str, str] = field(default_factory=dict)  # model asked for -> as the job tells it
    lose: list[str] = field(default_factory=list)  # ends of paths whose next POST is committed, then cut
    spoil: list[str] = field(default_factory=list)  # ends of paths whose next POST is answered with 503
    posts: list[str] = field(default_factory=list)
    authorizations: set[str] = field(default_factory=set)
    jobs_created: int = 0


class FaultyServer:
    """A server of the protocol on loopback with switches for what goes wrong."""

    def __init__(self, base_url: str, token: str) -> None:
        self.faults = Faults()
        parts = urlsplit(base_url)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: object) -> None:
                """Say nothing."""

            def _pass(self) -> None:
                outer._handle(self)

            do_GET = do_POST = do_DELETE = _pass

        self._upstream = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._token = token
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.base_url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handle(self, handler: BaseHTTPRequestHandler) -> None:
        faults = self.faults
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        faults.authorizations.add(handler.headers.get("Authorization", ""))
        creates = handler.command == "POST" and urlsplit(handler.path).path.endswith("/fine_tuning/jobs")
        if handler.command == "POST":
            faults.posts.append(urlsplit(handler.path).path)
        if handler.headers.get("Authorization") != f"Bearer {KEY}":
            self._answer(
                handler, 401, {"error": {"message": "Incorrect API key provided.", "code": "invalid_api_key"}}
            )
        elif creates and faults.create == "refuse":
            self._answer(handler, *faults.refusal)
        elif handler.command == "POST" and self._once(faults.spoil, handler.path):
            self._answer(handler, 503, {"error": {"message": "busy"}})
        elif creates and faults.create == "drop":
            self._cut(handler)
        else:
            self._forward(handler, body, creates)

    def _forward(self, handler: BaseHTTPRequestHandler, body: bytes, creates: bool) -> None:
        faults = self.faults
        lists = handler.command == "GET" and urlsplit(handler.path).path.endswith("/fine_tuning/jobs")
        path = handler.path
        if lists and faults.ignore_filter:
            path = urlsplit(path).path + "?limit=100"
        status, headers, data = self._upstream_call(handler, path, body)
        if creates and faults.twin:
            faults.twin = False
            self._upstream_call(handler, path, body)
        if creates and status == 200:
            faults.jobs_created += 1
        if handler.command == "POST" and self._once(faults.lose, handler.path):
            self._cut(handler)
            return
        if creates and faults.create == "lose":
            self._cut(handler)
            return
        if creates and faults.create == "html":
            status, headers, data = 200, {"Content-Type": "text/html"}, b"<html>welcome</html>"
        if lists and self._hidden():
            data = json.dumps({"object": "list", "data": [], "has_more": False}).encode()
        if faults.strip_metadata and "/fine_tuning/jobs" in path and data.startswith(b"{"):
            data = _without_metadata(data)
        for asked, told in faults.aliases.items():
            data = data.replace(f'"model":"{asked}"'.encode(), f'"model":"{told}"'.encode())
        handler.send_response(status)
        for name, value in headers.items():
            if name.lower() not in HOP:
                handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _once(self, ends: list[str], path: str) -> bool:
        """Tell whether one of `ends` is meant, and take it out."""
        end = next((end for end in ends if urlsplit(path).path.endswith(end)), None)
        if end is not None:
            ends.remove(end)
        return end is not None

    def _hidden(self) -> bool:
        faults = self.faults
        if faults.lists_shown is not None:
            faults.lists_shown -= 1
            return faults.lists_shown < 0
        hidden = faults.hidden_lists > 0
        faults.hidden_lists -= hidden
        return hidden

    def _upstream_call(
        self, handler: BaseHTTPRequestHandler, path: str, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        host, port = self._upstream
        connection = http.client.HTTPConnection(host, port, timeout=60)
        # an ordinary provider knows nothing of idempotency keys
        kept_back = HOP | {"idempotency-key"}
        headers = {name: value for name, value in handler.headers.items() if name.lower() not in kept_back}
        headers["Authorization"] = f"Bearer {self._token}"
        try:
            connection.request(handler.command, path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _answer(self, handler: BaseHTTPRequestHandler, status: int, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode()
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(data)))
        handler.end_headers()
        handler.wfile.write(data)

    def _cut(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        handler.connection.close()


def _without_metadata(data: bytes) -> bytes:
    document = json.loads(data)
    for job in document.get("data", [document]):
        if isinstance(job, dict):
            job.pop("metadata", None)
    return json.dumps(document).encode()
