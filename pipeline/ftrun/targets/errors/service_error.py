"""The error of a call to a server: what went wrong in a stable code, and when to try again.

Knows nothing of the SDK.
"""

from __future__ import annotations

import re
from typing import Any

from ftrun.errors import FtrunError

OBJECTS = {"id", "object"}  # keys of a job, which may hold an `error` of its own; an error has none of them
# how an error names another server's failure or time-out that a gateway passes on, and where it does
PASSED_ON = re.compile(
    r"(?<!\d)(?:408|409|425|5\d\d)(?!\d)"
    r"|time[ _-]?(?:d[ _-]?)?out|server[ _-]?error|internal[ _-]?error|connection[ _-]?error"
    r"|bad[ _-]?gateway|unavailable|upstream",
    re.IGNORECASE,
)
PASSED_ON_IN = ("code", "type", "status", "status_code")


class ServiceError(FtrunError):
    """A call failed. `retry_after`: seconds that the server asks to wait, None where it says nothing;
    `parameter`: what of a chat request it refuses, as the experiment file calls it; `certain`: the API itself
    says so. Else a proxy may have said it, after the server had done the work.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        parameter: str | None = None,
        certain: bool = True,
        **where: Any,
    ) -> None:
        """Keep the message; `where` takes Problem's code and hint."""
        super().__init__(message, **where)
        self.retry_after, self.parameter, self.certain = retry_after, parameter, certain


def is_api_error(answer: Any) -> bool:
    """Return whether JSON values are an error in the API's own form: `{"error": {"message": …}}`.

    One that passes on a server's failure or time-out under another status says nothing for certain.
    """
    if not isinstance(answer, dict) or OBJECTS & answer.keys():
        return False
    told = answer.get("error")
    if not isinstance(told, dict) or any(PASSED_ON.search(str(told.get(name))) for name in PASSED_ON_IN):
        return False
    message = told.get("message")
    return isinstance(message, str) and message.strip() != ""


def is_certain(error: FtrunError) -> bool:
    """Return whether nobody but the API itself can have said this."""
    return not isinstance(error, ServiceError) or error.certain


def is_gone(error: FtrunError) -> bool:
    """Return whether the API itself says that it has no such thing."""
    return error.code == "not_found" and is_certain(error)
