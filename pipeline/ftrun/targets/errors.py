"""The errors of calls to a server: what went wrong, as a stable code, and when to try again.

    ServiceError          a call failed
    └── NotFoundError     the server has no file, job or model of this id

Knows nothing of the SDK.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from ftrun.errors import FtrunError
from ftrun.targets.limits import NO_LIMITS, RateLimits

OBJECTS = {"id", "object"}  # keys of a job, which may hold an `error` of its own; an error has neither
# how an error names another server's failure or time-out that a gateway passes on, and where it does
PASSED_ON = re.compile(
    r"(?<!\d)(?:408|409|425|5\d\d)(?!\d)"
    r"|time[ _-]?(?:d[ _-]?)?out|server[ _-]?error|internal[ _-]?error|connection[ _-]?error"
    r"|bad[ _-]?gateway|unavailable|upstream",
    re.IGNORECASE,
)
PASSED_ON_IN = ("code", "type", "status", "status_code")
Found = TypeVar("Found")


class ServiceError(FtrunError):
    """A call failed.

    `retry_after`: the seconds that the server asks to wait, None if it does not say. `parameter`: what it
    refuses of a chat request, as the experiment file calls it. `certain`: the API itself answered; otherwise
    a proxy may have, after the server had done the work. `lost`: the server may have done the work, and its
    answer was lost or is a server error. `limits` are those of the answer's headers, if there are any.
    """

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        parameter: str | None = None,
        certain: bool = True,
        lost: bool = False,
        limits: RateLimits = NO_LIMITS,
        **where: Any,
    ) -> None:
        """Keep the message; `where` takes Problem's code and hint."""
        super().__init__(message, **where)
        self.retry_after, self.parameter, self.certain = retry_after, parameter, certain
        self.lost, self.limits = lost, limits


class NotFoundError(ServiceError):
    """The server has no file, job or model of this id, or (unless `certain`) something between says so."""


def get_or_none(get: Callable[[str], Found], name: str, *, certain: bool = False) -> Found | None:
    """Return `get(name)`, or None if the server has no such thing.

    With `certain` an answer that a proxy may have given is raised as the error that it is.
    """
    try:
        return get(name)
    except NotFoundError as error:
        if certain and not error.certain:
            raise
        return None


def is_api_error(answer: Any) -> bool:
    """Return whether JSON values are an error in the API's own form: `{"error": {"message": …}}`.

    One that passes on another server's failure or time-out under its own status proves nothing.
    """
    if not isinstance(answer, dict) or OBJECTS & answer.keys():
        return False
    error = answer.get("error")
    if not isinstance(error, dict) or any(PASSED_ON.search(str(error.get(name))) for name in PASSED_ON_IN):
        return False
    message = error.get("message")
    return isinstance(message, str) and message.strip() != ""


def is_certain(error: FtrunError) -> bool:
    """Return whether only the API itself can have answered this."""
    return not isinstance(error, ServiceError) or error.certain
