"""Owns the openai SDK's clients: how often and how long they try, how much they read, and that they never
follow a redirect.
"""

from __future__ import annotations

import functools
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx2
import openai

from ftrun.targets.api.proxies import proxy_for
from ftrun.targets.failures import SHAPE, as_error

READ_RETRIES = 4
TIMEOUT = httpx2.Timeout(120.0, connect=10.0)  # seconds
MOST_BYTES = 64 * 2**20  # of one answer: result files are some MB, all else is smaller
BODY_SECONDS = 1800.0  # for one answer from its first to its last byte: none may trickle for ever
MOST_LISTED = 100_000  # entries of one list
LATE_MODEL = 300.0  # seconds from a job's success until its model answers
Key = str | Callable[[], str]


class Connection:
    """A client for a server of the protocol; the calls of `files`, `jobs`, `models` and `chat` use it."""

    def __init__(
        self,
        *,
        base_url: str,
        key: Key,
        organization: str | None,
        project: str | None,
        honours_keys: bool = False,
        headers: Mapping[str, str] | None = None,
        capabilities: Mapping[str, str] | None = None,
    ) -> None:
        self.honours_keys = honours_keys
        self.capabilities = capabilities or {}
        self._options: dict[str, Any] = {
            "base_url": base_url,
            "api_key": key,
            "organization": organization,
            "project": project,
            "default_headers": dict(headers or {}),
        }
        self.known_by: dict[str, float] = {}
        self._client = self._make_client(READ_RETRIES)

    def expect_soon(self, model: str) -> None:
        """Note that `model` was trained: it may take a while until it can be asked."""
        self.known_by.setdefault(model, time.monotonic() + LATE_MODEL)

    def _make_client(self, retries: int) -> openai.OpenAI:
        # no redirects: a body that is paid for, and the key, go to the named server or nowhere
        base_url = str(self._options["base_url"])
        verify = _certificates(not base_url.startswith("http:"))
        transport = _BoundedTransport(verify=verify, proxy=proxy_for(base_url))
        http = httpx2.Client(follow_redirects=False, timeout=TIMEOUT, transport=transport, trust_env=False)
        return _Client(**self._options, max_retries=retries, http_client=http)

    def close(self) -> None:
        """Close connections."""
        self._client.close()


class _Client(openai.OpenAI):
    """The SDK's client without what the SDK adds from the environment: OPENAI_CUSTOM_HEADERS would change the
    key and the payer of every request, and send a gateway's secret to any server.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._custom_headers = options["default_headers"]
        self.organization, self.project = options["organization"], options["project"]
        self.admin_api_key = self.webhook_secret = None


@functools.cache
def _certificates(secure: bool) -> ssl.SSLContext:
    """Return what a server must prove itself with. Reading the authorities takes 40 ms: once, and only
    where there is TLS; without `secure` none is trusted.
    """
    return httpx2.create_ssl_context() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@contextmanager
def calling(doing: str) -> Iterator[None]:
    """Turn what a call or the reading of its answer raises into a ServiceError; `doing` is a clause."""
    try:
        yield
    except (openai.OpenAIError, httpx2.HTTPError, *SHAPE) as error:
        raise as_error(error, doing) from error


def every(page: Any) -> Iterator[Any]:
    """Yield the entries of a list, page after page; raise ValueError where it is none or has no end.

    A server that doesn't know `after` answers with the first page again and again: where it claims that
    more follows, what it has can't be known; where it doesn't say, that was all.
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
    if data is None and "data" in page.model_fields_set:  # how some servers write an empty list
        return []
    if not isinstance(data, list) or not all(isinstance(getattr(one, "id", None), str) for one in data):
        raise ValueError("the server's answer is no list")
    return data


class _BoundedTransport(httpx2.HTTPTransport):
    """Reads no more than MOST_BYTES of an answer, and never one that unfolds into more."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        request.headers["Accept-Encoding"] = "identity"
        response = super().handle_request(request)
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            response.close()
            raise httpx2.DecodingError(f"the answer is compressed ({encoding}), unasked", request=request)
        assert isinstance(response.stream, httpx2.SyncByteStream)
        response.stream = _BoundedStream(response.stream, request)
        return response


class _BoundedStream(httpx2.SyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream, request: httpx2.Request) -> None:
        self._stream, self._request = stream, request

    def __iter__(self) -> Iterator[bytes]:
        size, deadline = 0, time.monotonic() + BODY_SECONDS
        for piece in self._stream:
            size += len(piece)
            if size > MOST_BYTES:
                raise httpx2.DecodingError(
                    f"the answer is larger than {MOST_BYTES // 2**20} MB", request=self._request
                )
            if time.monotonic() > deadline:
                raise httpx2.DecodingError("the answer has no end", request=self._request)
            yield piece

    def close(self) -> None:
        self._stream.close()
