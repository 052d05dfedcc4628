"""`Idempotency-Key`: the same key with the same request gets the same answer, with another one an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import Request
from fastapi.responses import JSONResponse

from ftrun.engine.api.errors import ApiError
from ftrun.engine.api.services import services
from ftrun.engine.store.store import KeyReused

LONGEST_KEY = 255


def answer_once(request: Request, content: Any, act: Callable[[], dict[str, Any]]) -> JSONResponse:
    """Answer with what `act` returns, or with the first answer if the request's key is known.

    Two requests are the same if their `content` is. Of two at the same time, the second waits.
    """
    key = request.headers.get("idempotency-key")
    if key is not None and not 1 <= len(key) <= LONGEST_KEY:
        raise ApiError(f"Idempotency-Key must have 1 to {LONGEST_KEY} characters.", code="invalid_value")
    try:
        answer, again = services(request).store.once(key, [request.url.path, content], act)
    except KeyReused as error:
        message = "This Idempotency-Key was used with another request; use a new one."
        raise ApiError(message, code="idempotency_key_reused") from error
    return JSONResponse(answer, headers={"Idempotent-Replayed": "true"} if again else None)
