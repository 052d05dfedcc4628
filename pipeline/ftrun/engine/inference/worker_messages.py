"""What the process of a chat model sends: JSON objects, and errors in the API's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ftrun.engine.backends import Rejected, TooLittleMemory
from ftrun.engine.log import log_error
from ftrun.errors import FtrunError, UserError

Message = Mapping[str, Any]
Send = Callable[[Message], None]


def in_words(error: Exception) -> dict[str, Any]:
    """Return an error for the API: a 400 if the caller can fix it, a 503 for want of memory, else a 500."""
    if isinstance(error, TooLittleMemory):
        return {"status": 503, "message": str(error), "code": "not_enough_memory", "param": None}
    if isinstance(error, Rejected):
        return {"status": 400, "message": str(error), "code": error.code, "param": error.param}
    if isinstance(error, FtrunError):
        message = " ".join(filter(None, (str(error), error.problem.hint)))
        status = 400 if isinstance(error, UserError) else 500
        return {"status": status, "message": message, "code": error.code, "param": None}
    log_error(error)
    return {"status": 500, "message": f"{type(error).__name__}: {error}", "code": None, "param": None}
