"""Refuse requests that are not for this machine, have no token, come from a web page or are too large."""

from __future__ import annotations

import hmac
import ipaddress
import time
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ftrun.engine.api.errors import ApiError
from ftrun.engine.api.services import Services

FILE_BYTES = 512 * 1024 * 1024
PART_BYTES = 64 * 1024 * 1024
FORM_BYTES = 64 * 1024  # what a multipart form adds to its file
BODY_BYTES = 16 * 1024 * 1024
CODE_BYTES = 4096
# the page, which holds no data, and its way to the token: a one-time code
WITHOUT_TOKEN = (("GET", "/"), ("POST", "/ftrun/pages/open"))


class RequestGuard:
    """Refuse a request before it is read: wrong Host, foreign Origin, no token, too large a body."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        """Check the requests to `app`."""
        self._app, self._services = app, services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        limit = _limit(scope["path"])
        try:
            _check_origin(headers)
            if (scope["method"], scope["path"]) not in WITHOUT_TOKEN:
                self._check_token(headers)
            _check_length(headers, limit)
        except ApiError as error:
            await JSONResponse(error.body, status_code=error.status)(scope, receive, send)
            return
        self._services.last_request = time.monotonic()
        await self._app(scope, _counted(receive, limit), send)

    def _check_token(self, headers: dict[str, str]) -> None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        good = hmac.compare_digest(token.strip().encode(), self._services.token.encode())
        if scheme.lower() != "bearer" or not good:
            message = "Wrong or missing token: send this engine's token as `Authorization: Bearer …`."
            raise ApiError(message, status=401, code="invalid_api_key")


def _limit(path: str) -> int:
    """Return how many bytes a request to `path` may have."""
    if path == "/v1/files":
        return FILE_BYTES + FORM_BYTES
    if path.startswith("/v1/uploads/") and path.endswith("/parts"):
        return PART_BYTES + FORM_BYTES
    if path == "/ftrun/pages/open":  # from anybody
        return CODE_BYTES
    return BODY_BYTES


def _check_origin(headers: dict[str, str]) -> None:
    """Refuse other host names (DNS rebinding) and requests made by foreign web pages."""
    host = headers.get("host", "")
    if not _is_loopback(f"http://{host}"):
        raise ApiError(
            "This engine answers only to the names of the local machine.", status=403, code="host_not_allowed"
        )
    if "origin" in headers and headers["origin"] != f"http://{host}":
        raise ApiError("Requests from other web pages are refused.", status=403, code="origin_not_allowed")


def _is_loopback(url: str) -> bool:
    try:
        name = urlsplit(url).hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _check_length(headers: dict[str, str], limit: int) -> None:
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > limit:
        raise _too_large(limit)


def _counted(receive: Receive, limit: int) -> Receive:
    """Return `receive` with a limit, for bodies without a length."""
    taken = 0

    async def counted() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > limit:
            raise HTTPException(413, str(_too_large(limit)))
        return message

    return counted


def _too_large(limit: int) -> ApiError:
    size = f"{limit // 1024 // 1024} MB" if limit >= 1024 * 1024 else f"{limit} bytes"
    return ApiError(f"The request is too large: the limit is {size}.", status=413)
