"""The API's errors: every failure is answered with `{"error": {message, type, param, code}}` and a status."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from ftrun.engine.log import log_error
from ftrun.files import is_disk_full

CODES = {401: "invalid_api_key", 404: "not_found", 405: "method_not_allowed", 413: "request_too_large"}

LONGEST_NAME = 300  # characters that are shown of a name, and compared with others
KINDS = {429: "requests"}  # "type" of a rate limit
CLIENT_GONE = 499  # nobody reads it; the status that other servers write to their logs


class ApiError(Exception):
    """An error that is answered in the API's form."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        code: str | None = None,
        param: str | None = None,
        retry_after: int | None = None,
    ) -> None:
        """Keep the error; `param` names the field that is wrong, after `retry_after` seconds it may work."""
        super().__init__(message)
        self.status, self.code, self.param, self.retry_after = status, code, param, retry_after
        self.headers: dict[str, str] = {}

    @property
    def body(self) -> dict[str, Any]:
        """Return the body of the answer."""
        return error_body(str(self), status=self.status, code=self.code, param=self.param)


def not_found(
    kind: str, name: str, known: Iterable[str] = (), *, code: str = "not_found", param: str | None = None
) -> ApiError:
    """Return the 404 for something that is not in this store; `known` are names it may have meant."""
    tip, name = did_you_mean(name, known), shortened(name)
    message = f"There is no {kind} '{name}' here.{tip}"
    return ApiError(message, status=404, code=code, param=param)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a sentence, after a space, that asks for the closest of the `known` names; empty without one."""
    if len(name) > LONGEST_NAME:
        return ""  # to compare it would take seconds
    close = difflib.get_close_matches(name, list(known), n=1)
    return f" Did you mean '{close[0]}'?" if close else ""


def shortened(name: str) -> str:
    """Return a name as messages show it."""
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}…"


def error_body(message: str, *, status: int, code: str | None, param: str | None = None) -> dict[str, Any]:
    """Return an error as the API writes it."""
    kind = KINDS.get(status, "server_error" if status >= 500 else "invalid_request_error")
    code = code or CODES.get(status)
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def error_response(error: ApiError) -> JSONResponse:
    """Return the answer for an error. A header of the SDK says that retrying would not help, another one when
    it may.
    """
    if error.retry_after is not None:
        headers = {"retry-after": str(error.retry_after)}
    else:
        headers = {"x-should-retry": "false"}
    return JSONResponse(error.body, status_code=error.status, headers={**headers, **error.headers})


def add_error_handlers(app: FastAPI, absent: Mapping[int, Callable[[str, str], ApiError]]) -> None:
    """Answer every failure of `app` in the API's form; `absent` makes the errors, by status, for a method and
    a path that have no route.
    """

    async def refused(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ApiError)
        return error_response(error)

    async def unrouted(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        if error.status_code in absent:
            explained = absent[error.status_code](request.method, request.url.path)
            return error_response(explained)
        return error_response(ApiError(str(error.detail), status=error.status_code))

    async def invalid(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        first = error.errors()[0]
        param = ".".join(str(part) for part in first["loc"][1:])
        return error_response(ApiError(f"{param}: {first['msg']}.", code="invalid_value", param=param))

    async def gone(request: Request, error: Exception) -> Response:
        return Response(status_code=CLIENT_GONE)

    async def full(request: Request, error: Exception) -> JSONResponse:
        if not is_disk_full(error):
            raise error
        assert isinstance(error, OSError)
        message = f"The disk is full: {error.filename} can't be written. Free some space, and ask again."
        return error_response(ApiError(message, status=507, code="disk_full"))

    async def too_deep(request: Request, error: Exception) -> JSONResponse:
        return error_response(ApiError("The body is nested too deeply.", code="invalid_json"))

    async def crashed(request: Request, error: Exception) -> JSONResponse:
        log_error(error)
        return error_response(ApiError(f"The engine failed: {type(error).__name__}: {error}.", status=500))

    app.add_exception_handler(ApiError, refused)
    app.add_exception_handler(HTTPException, unrouted)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(ClientDisconnect, gone)
    app.add_exception_handler(OSError, full)
    app.add_exception_handler(RecursionError, too_deep)
    app.add_exception_handler(Exception, crashed)
