"""Owns the error of a call to a server: what went wrong in a stable code, and when to try again.

Knows nothing of the SDK.
"""

from __future__ import annotations

from typing import Any

from ftrun.errors import FtrunError


class ServiceError(FtrunError):
    """A call failed. `retry_after`: seconds that the server asks to wait, None where it says nothing;
    `parameter`: what of a chat request it refuses, as the experiment file calls it.
    """

    def __init__(
        self, message: str, *, retry_after: float | None = None, parameter: str | None = None, **where: Any
    ) -> None:
        """Keep the message; `where` takes Problem's code and hint."""
        super().__init__(message, **where)
        self.retry_after, self.parameter = retry_after, parameter
