"""The review page: a server on loopback for one person, behind a token, with a page that loads nothing.

The page itself holds no data. What it shows it asks for with the token, which came in the part of the
address that browsers send to no server and no other page.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import secrets
import sys
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from ftrun.augment.entries import STATUSES, counts
from ftrun.augment.review_file import ReviewFile, as_json
from ftrun.errors import DecisionError, FtrunError, UsageError
from ftrun.language import localized, screen_language
from ftrun.language.served_page import served_page

LARGEST_BODY = 1_000_000  # bytes
ENTRIES = "/api/entries"


class ReviewServer(ThreadingHTTPServer):
    """The page's server; `facts` are what the page shows besides the entries."""

    daemon_threads = True

    def __init__(self, review: ReviewFile, facts: Mapping[str, Any], port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.review, self.facts = review, facts
        self.token = secrets.token_urlsafe(32)
        self.failure: BaseException | None = None
        self.page, self.policy = served_page("ftrun.augment", screen_language())

    @property
    def url(self) -> str:
        """Return the address to open, with the token."""
        return f"http://127.0.0.1:{self.server_port}/#token={self.token}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """End, with what went wrong in `failure`; a closed browser is not a failure."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            self.failure = error
            self.shutdown()

    def document(self) -> dict[str, Any]:
        """Return what the page shows."""
        entries = self.review.entries()
        return {**self.facts, **counts(entries), "entries": [as_json(entry) for entry in entries]}


def refusal(headers: Mapping[str, str], *, port: int, token: str | None) -> tuple[int, str] | None:
    """Return status and reason if a request must be refused; `token` None: it needs none.

    Other host names (DNS rebinding), requests of foreign pages and wrong tokens are refused.
    """
    host = headers.get("host", "")
    if host not in (f"127.0.0.1:{port}", f"localhost:{port}"):
        return 403, "This page only answers at its own address."
    if headers.get("origin", f"http://{host}") != f"http://{host}":
        return 403, "Requests of other web pages are refused."
    if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return 403, "Requests of other web pages are refused."
    if token is not None:
        given = headers.get("authorization", "").removeprefix("Bearer ")
        if not hmac.compare_digest(given.encode(), token.encode()):
            return 401, "Wrong or missing token: open the address that `ftrun review` printed."
    return None


class _Handler(BaseHTTPRequestHandler):
    """Answer one request."""

    server: ReviewServer
    timeout = 30  # seconds: a silent client must not hold a thread

    def log_message(self, *_: object) -> None:
        """Say nothing: the terminal belongs to the command."""

    def do_GET(self) -> None:
        """Send the page or the entries."""
        if self.path == "/" and not self._refused(None):
            self._send(200, self.server.page, "text/html; charset=utf-8")
        elif self.path == ENTRIES and not self._refused(self.server.token):
            self._answer(self.server.document)
        elif self.path not in ("/", ENTRIES):
            self._json(404, {"error": "Not found."})

    def do_POST(self) -> None:
        """Save one entry, or end."""
        if self._refused(self.server.token):
            return
        body = self._body()
        if body is None:
            return
        if self.path == "/api/close":
            self._json(200, {})
            self.server.shutdown()
        elif self.path.startswith(f"{ENTRIES}/"):
            name = unquote(self.path.removeprefix(f"{ENTRIES}/"))
            self._answer(lambda: self._saved(name, body))
        else:
            self._json(404, {"error": "Not found."})

    def _saved(self, name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        new, status = body.get("new"), body.get("status")
        good = isinstance(new, dict) and all(isinstance(text, str) for text in new.values())
        if not good or status not in STATUSES:
            raise UsageError("the request is not one of this page's", code="bad_request")
        return as_json(self.server.review.save(name, str(body.get("version")), status, dict(new or {})))

    def _refused(self, token: str | None) -> bool:
        headers = {name.lower(): value for name, value in self.headers.items()}
        found = refusal(headers, port=self.server.server_port, token=token)
        if found:
            self._json(found[0], {"error": found[1]})
        return found is not None

    def _body(self) -> Mapping[str, Any] | None:
        length = self.headers.get("content-length", "")
        if not length.isdecimal() or int(length) > LARGEST_BODY:
            self._json(413, {"error": f"At most {LARGEST_BODY:,} bytes are accepted."})
            return None
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(self.rfile.read(int(length)))
            if isinstance(found, dict) and self.headers.get_content_type() == "application/json":
                return found
        self._json(400, {"error": "This is not a JSON object."})
        return None

    def _answer(self, make: Any) -> None:
        try:
            self._json(200, make())
        except FtrunError as error:
            status = 409 if isinstance(error, DecisionError) else 400
            self._json(
                status, {"error": localized(str(error)), "hint": localized(error.problem.hint or "") or None}
            )
        except OSError as error:  # a full disk, a file without permission: the person must know
            self._json(500, {"error": localized(f"nothing was saved: {error.strerror}: {error.filename}")})

    def _json(self, status: int, value: Any) -> None:
        self._send(status, json.dumps(value, ensure_ascii=False).encode(), "application/json")

    def _send(self, status: int, content: bytes, kind: str) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Content-Security-Policy", self.server.policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
            ("Cache-Control", "no-store"),
        ):
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(content)

    def version_string(self) -> str:
        """Return the server name in responses."""
        return "ftrun"
