"""One-time codes: what a browser exchanges for the engine's token, once and within a short time.

A token in an address would stay in the browser's history; a code there is worthless once the page is open.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class _Issued:
    facts: Mapping[str, Any]
    until: float


class PageCodes:
    """The codes that no browser has used yet. Only the server's loop uses it."""

    def __init__(self) -> None:
        self._issued: dict[str, _Issued] = {}

    def issue(self, facts: Mapping[str, Any], seconds: float) -> str:
        """Return a code for a page that shows `facts`; it is valid once and for that long."""
        self._forget_expired()
        code = secrets.token_urlsafe(32)
        self._issued[code] = _Issued(facts=facts, until=time.monotonic() + seconds)
        return code

    def waits(self, code: str) -> bool:
        """Return whether the code can still be used."""
        self._forget_expired()
        return code in self._issued

    def take(self, code: str) -> Mapping[str, Any] | None:
        """Return what the page of a code shows; None if the code was used, has expired or is wrong."""
        self._forget_expired()
        found = self._issued.pop(code, None)
        return None if found is None else found.facts

    def _forget_expired(self) -> None:
        now = time.monotonic()
        self._issued = {code: issued for code, issued in self._issued.items() if issued.until > now}
