"""What a service says about its limits in the headers of an answer: how much it still takes, and when it
takes the full number again. Pure.

The names are OpenAI's (`x-ratelimit-remaining-requests`), which others use too. A header that can't be read
counts as missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

LONGEST_RESET = 120.0  # seconds: a longer reset is not waited for; a 429 will tell
PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimit:
    """How much of one kind (requests, or tokens) a service still takes, and in how many seconds it takes the
    full number again; None: it doesn't say.
    """

    left: int | None = None
    reset: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RateLimits:
    """What the headers of one answer say."""

    requests: RateLimit = RateLimit()
    tokens: RateLimit = RateLimit()

    @property
    def pause(self) -> float | None:
        """Return the seconds until the service takes something again, where it takes nothing now."""
        used_up = (one.reset for one in (self.requests, self.tokens) if one.left == 0)
        return max((seconds for seconds in used_up if seconds is not None), default=None)


NO_LIMITS = RateLimits()


def limits_of(headers: Mapping[str, str]) -> RateLimits:
    """Return what an answer's headers say."""
    if "x-ratelimit-remaining-requests" not in headers and "x-ratelimit-remaining-tokens" not in headers:
        return NO_LIMITS
    return RateLimits(requests=_limit(headers, "requests"), tokens=_limit(headers, "tokens"))


def _limit(headers: Mapping[str, str], kind: str) -> RateLimit:
    left = headers.get(f"x-ratelimit-remaining-{kind}", "")
    return RateLimit(
        left=int(left) if left.isascii() and left.isdigit() and len(left) < 16 else None,
        reset=duration(headers.get(f"x-ratelimit-reset-{kind}", "")),
    )


def duration(text: str) -> float | None:
    """Return the seconds of a duration such as `6m0s`, `120ms` or `1.5`; None if it is none, or too long."""
    parts = PART.findall(text) if PART.sub("", text).strip() == "" else []
    seconds = sum(float(number) * SECONDS[unit] for number, unit in parts)
    return seconds if parts and math.isfinite(seconds) and seconds <= LONGEST_RESET else None
