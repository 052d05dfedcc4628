"""The openai SDK's clients, with bounds: how often they try, how long they wait, how much they read. They
never follow a redirect.
"""

from __future__ import annotations

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar
from weakref import WeakSet

import httpx2
import openai

from ftrun.targets.api.failures import SHAPE, as_error
from ftrun.targets.api.proxies import certificates, proxy_for
from ftrun.targets.api.reading import wrong_answer
from ftrun.targets.api.unreachable import origin
from ftrun.targets.service import Changes
from ftrun.waiting import OverdueError, bounded, say, waiting

READ_RETRIES = 4
# seconds. `read` is the limit for a whole request, from the name look-up to the last byte of the answer;
# `write` the limit for one piece of what is sent
TIMEOUT = httpx2.Timeout(60.0, connect=10.0)
LEAST_SPEED = 32 * 1024  # bytes per second: a slower upload is given up
MOST_BYTES = 64 * 2**20  # in one answer: result files have some MB, everything else is smaller
BODY_SECONDS = 1800.0  # for one answer from its first to its last byte: none may trickle in forever
MOST_LISTED = 100_000  # entries in one list
LATE_MODEL = 300.0  # seconds from a job's success until its model answers
LONGEST_PAUSE = 120.0  # seconds: the longest pause that the SDK makes when a server asks for one
QUIET_TRIES = 2  # of a failing request before anything is reported
NO_END = "the answer has no end"
# connections stay open: where many questions are asked at once, opening one takes longer than asking
CONNECTIONS = httpx2.Limits(max_connections=None, max_keepalive_connections=1000)
QUIET_PAUSE = 2  # seconds that a server may ask to wait before anything is reported
_asked = [""]  # the address of the last request, for errors
Key = str | Callable[[], str]
Result = TypeVar("Result")


class Connection:
    """A client for a server of the protocol; the calls about files, jobs and models use it."""

    def __init__(
        self,
        *,
        base_url: str,
        key: Key,
        organization: str | None,
        project: str | None,
        honours_keys: bool = False,
        at_once: int = 1,
        busy_seconds: Callable[[], float | None] = lambda: None,
        headers: Mapping[str, str] | None = None,
        capabilities: Mapping[str, str] | None = None,
    ) -> None:
        self.honours_keys = honours_keys
        self.at_once, self.busy_seconds = at_once, busy_seconds
        self.capabilities = capabilities or {}
        self._options: dict[str, Any] = {
            "base_url": base_url,
            "api_key": key,
            "organization": organization,
            "project": project,
            "default_headers": dict(headers or {}),
        }
        self.known_by: dict[str, float] = {}
        self.changes: dict[str, Changes] = {}
        self._adapting = threading.Lock()  # of `changes`, while several threads ask
        self._end = End()
        self._client = self._make_client(READ_RETRIES)

    def end_within(self, seconds: float) -> None:
        """Give up every call, retries included, when `seconds` from now are over."""
        self._end.seconds, self._end.at = seconds, time.monotonic() + seconds

    def read_up_to(self, size: int) -> None:
        """Read answers of up to `size` bytes from now on: whole files, where the usual bound is too low."""
        self._end.most = max(size, MOST_BYTES)

    def expect_soon(self, model: str) -> None:
        """Note that `model` was trained just now: it may take a while until it answers."""
        self.known_by.setdefault(model, time.monotonic() + LATE_MODEL)

    def _make_client(self, retries: int) -> openai.OpenAI:
        # no redirects: a paid request, and the key, go to the named server or nowhere
        base_url = str(self._options["base_url"])
        verify = certificates(not base_url.startswith("http:"))
        transport = BoundedTransport(
            end=self._end, retries=retries, verify=verify, proxy=proxy_for(base_url), limits=CONNECTIONS
        )
        http = httpx2.Client(follow_redirects=False, timeout=TIMEOUT, transport=transport, trust_env=False)
        return OpenAI(**self._options, max_retries=retries, http_client=http)

    def close(self) -> None:
        """Close connections."""
        self._client.close()


class OpenAI(openai.OpenAI):
    """The SDK's client without what the SDK takes from the environment: OPENAI_CUSTOM_HEADERS would change
    the key and the payer of every request, and send a gateway's secret to every server.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._custom_headers = options["default_headers"]
        self.organization, self.project = options["organization"], options["project"]
        self.admin_api_key = self.webhook_secret = None


@contextmanager
def calling(doing: str) -> Iterator[None]:
    """Turn what a call, or reading its answer, raises into a ServiceError; `doing` is such as `listing
    files`.
    """
    try:
        yield
    except (openai.OpenAIError, httpx2.HTTPError, *SHAPE) as error:
        raise as_error(error, doing, _asked[0]) from error


def every(page: Any) -> Iterator[Any]:
    """Yield the entries of a list, page after page; ValueError if it is not a list or has no end.

    A server that ignores `after` answers with the first page again and again. If it claims that more follows,
    the rest is unknown; if it doesn't say, that was all.
    """
    seen: set[str] = set()
    while True:
        fresh = [entry for entry in _entries(page) if entry.id not in seen]
        seen.update(entry.id for entry in fresh)
        yield from fresh
        if not page.has_next_page():
            return
        if len(seen) > MOST_LISTED or (not fresh and getattr(page, "has_more", None)):
            raise ValueError("the server's list has no end")
        if not fresh:
            return
        page = page.get_next_page()


def _entries(page: Any) -> list[Any]:
    data = getattr(page, "data", ...)
    if data is None and "data" in page.model_fields_set:  # how some servers return an empty list
        return []
    if not isinstance(data, list) or not all(isinstance(getattr(one, "id", None), str) for one in data):
        raise wrong_answer(page, "list")
    return data


class End:
    """The time by which every call of a connection must have ended (by default there is none), and the most
    bytes of an answer that are read.
    """

    at, seconds = math.inf, math.inf
    most = MOST_BYTES


class BoundedTransport(httpx2.HTTPTransport):
    """Reads at most MOST_BYTES of an answer, never a compressed one, and for no longer than the whole request
    may take. Reports waits for an answer.
    """

    def __init__(self, *, end: End, retries: int, **how: Any) -> None:
        super().__init__(**how)
        self._end, self._tries = end, retries
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._here = threading.local()  # `call`: what this thread is making

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        _asked[0] = origin(request.url)
        if _tried(request) == QUIET_TRIES:  # the SDK pauses between its tries, longer and longer
            what = f"{request.method} {request.url.path}"
            say(f"{_asked[0]}: {what} failed {QUIET_TRIES} times, trying again")
        request.headers["Accept-Encoding"] = "identity"
        request.extensions = {**request.extensions, "trace": self._note_socket}
        call = _Call(super().handle_request, request, self._end.most, self._here)
        with waiting(_words(request)):
            try:
                response = self.bounded(call.answered, call, time.monotonic() + _seconds(request))
            except httpx2.ReadTimeout:
                if call.begun:
                    raise httpx2.DecodingError(NO_END, request=request) from None
                raise
        self._mind_the_pause(request, response)
        if _is_live(response):
            assert isinstance(response.stream, httpx2.SyncByteStream)
            due = time.monotonic() + BODY_SECONDS
            response.stream = _LiveStream(response.stream, call, self, due)
        return response

    def bounded(self, part: Callable[[], Result], call: _Call, due: float) -> Result:
        """Return what a part of a call returns before `due`; after that it has timed out and is cut."""
        request = call.request
        try:
            left = min(due, self._end.at) - time.monotonic()
            return bounded(part, left, cut=call.cut, cut_ends=True)
        except OverdueError:
            if time.monotonic() < self._end.at:
                raise httpx2.ReadTimeout(f"{_seconds(request):.0f} s", request=request) from None
            late = httpx2.ReadTimeout(f"{self._end.seconds:.0f} s in total", request=request)
            raise openai.APITimeoutError(request=request) from late  # the SDK doesn't retry its own errors

    def _note_socket(self, event: str, facts: Mapping[str, Any]) -> None:
        """Note which sockets there are and, from each time that something is sent, which call uses one."""
        if not event.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        stream = facts["return_value"]
        ours, write = stream.get_extra_info("socket"), stream.write

        def noted(*args: Any, **options: Any) -> None:
            self._here.call.sockets.add(ours)
            write(*args, **options)

        self._sockets.add(ours)
        self._here.call.sockets.add(ours)
        stream.write = noted

    def close(self) -> None:
        """Close connections; calls that other threads still wait for end, and the server learns of it."""
        _shut(self._sockets)
        super().close()

    def _mind_the_pause(self, request: httpx2.Request, response: httpx2.Response) -> None:
        """Report that the SDK will wait for as long as the server asks; prevent it if that is too long."""
        pause = response.headers.get("Retry-After", "")
        seconds = _number(pause) if pause else 0.0
        if response.is_success or seconds <= QUIET_PAUSE:
            return
        if time.monotonic() + seconds >= self._end.at:
            response.headers["x-should-retry"] = "false"
        elif _tried(request) < self._tries:
            words = f"{origin(request.url)} answered HTTP {response.status_code} and asks to wait"
            say(f"{words} {pause} s" if pause.isdigit() else f"{words} until {pause}")


def _shut(sockets: WeakSet[socket.socket]) -> None:
    """Wake the threads that use sockets, which closing those would not."""
    for one in list(sockets):
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _number(pause: str) -> float:
    """Return the seconds of a Retry-After; for a date, the longest pause of the SDK."""
    try:
        return float(pause)
    except ValueError:
        return LONGEST_PAUSE


def _seconds(request: httpx2.Request) -> float:
    """Return how long a whole request may take: sending its body has extra time."""
    size = request.headers.get("Content-Length", "0")
    return float(request.extensions["timeout"]["read"]) + int(size) / LEAST_SPEED


def _tried(request: httpx2.Request) -> int:
    """Return how many times the SDK has sent the request before."""
    return int(request.headers.get("x-stainless-retry-count", 0))


def _words(request: httpx2.Request) -> str:
    return f"{origin(request.url)}{request.url.path} to answer {request.method}"


def _is_live(response: httpx2.Response) -> bool:
    """Return whether the answer may be shown as it comes: it has more time, nothing is printed into it."""
    return response.headers.get("Content-Type", "").startswith("text/event-stream")


class _Call:
    """One request, with its answer of at most `most` bytes read whole unless that is live; `begun`: the
    answer has. `here.call` is the call that a thread makes.
    """

    def __init__(
        self,
        send: Callable[[httpx2.Request], httpx2.Response],
        request: httpx2.Request,
        most: int,
        here: threading.local,
    ) -> None:
        self._send, self.request, self._most, self._here = send, request, most, here
        self.sockets: WeakSet[socket.socket] = WeakSet()
        self.begun = False

    def cut(self) -> None:
        """End this call, and no other one: their answers may be paid for."""
        _shut(self.sockets)

    def answered(self) -> httpx2.Response:
        """Send the request and return the answer."""
        self._here.call = self
        response = self._send(self.request)
        self.begun = True
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            response.close()
            raise httpx2.DecodingError(
                f"the answer is compressed ({encoding}), which was not asked for", request=self.request
            )
        if not _is_live(response):
            response.stream = httpx2.ByteStream(self._body(response))
        return response

    def _body(self, response: httpx2.Response) -> bytes:
        assert isinstance(response.stream, httpx2.SyncByteStream)
        due, stream = time.monotonic() + BODY_SECONDS, response.stream
        try:
            return b"".join(_within_bounds(stream, self.request, due, self._most))
        finally:
            stream.close()


def _within_bounds(
    pieces: Iterable[bytes], request: httpx2.Request, due: float, most: int = MOST_BYTES
) -> Iterator[bytes]:
    """Yield the pieces of an answer; DecodingError for one that has no end."""
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > most:
            raise httpx2.DecodingError(f"the answer is larger than {most // 2**20} MB", request=request)
        if time.monotonic() > due:
            raise httpx2.DecodingError(NO_END, request=request)
        yield piece


class _LiveStream(httpx2.SyncByteStream):
    def __init__(
        self,
        stream: httpx2.SyncByteStream,
        call: _Call,
        transport: BoundedTransport,
        due: float,
    ) -> None:
        self._stream, self._call, self._transport, self._due = stream, call, transport, due

    def __iter__(self) -> Iterator[bytes]:
        yield from _within_bounds(self._pieces(), self._call.request, self._due)

    def _pieces(self) -> Iterator[bytes]:
        pieces = iter(self._stream)
        while True:
            try:
                piece = self._transport.bounded(lambda: next(pieces, None), self._call, self._due)
            except httpx2.ReadTimeout:
                raise httpx2.DecodingError(NO_END, request=self._call.request) from None
            if piece is None:
                return
            yield piece

    def close(self) -> None:
        self._stream.close()
