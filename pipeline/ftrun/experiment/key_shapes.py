"""What keys look like, and masking them in messages."""

from __future__ import annotations

import re

# what a provider's key looks like, and what follows a key-like name
KEY_SHAPES = re.compile(
    r"\b(?:sk|rk|pk|gsk)-[A-Za-z0-9_-]{6,}|\b(?:hf|gsk|ghp|pk|sk|nvapi|xai)[-_][A-Za-z0-9_-]{16,}"
    r"|\b(?:AKIA|AIza)[A-Za-z0-9_-]{12,}|\bBearer +[A-Za-z0-9._~+/=-]{8,}"
)
KEY_NAME = re.compile(
    r"(?:.*[_-])?(?:api|access|secret|auth|private)[_-]?(?:key|token)s?|key|token|secret|passw(?:or)?d|credentials?",
    re.IGNORECASE,
)
NAMED_KEY = re.compile(
    r"((?<![A-Za-z])(?:(?:api|access|secret|auth|private)[_-]?(?:key|token)s?|key|token|secret|passw(?:or)?d"
    r"|credentials?)[\"']?\s*[:=：]\s*)(\S.*)",
    re.IGNORECASE,
)
# anchored at the start of a run, and a bounded scheme: a line may have a million characters
LONG_RUN = re.compile(
    r"(?<![A-Za-z0-9_+=])(?=[A-Za-z0-9_+=]*[a-z])(?=[A-Za-z0-9_+=]*[0-9])[A-Za-z0-9_+=]{32,}"
)
PASSWORD = re.compile(r"([a-z][a-z0-9+.-]{0,30}://)[^/@\s]+@")
HIDDEN = "***"


def masked(text: str) -> str:
    """Return `text` with everything that looks like a key replaced by ***."""
    text = KEY_SHAPES.sub(HIDDEN, text)
    text = NAMED_KEY.sub(lambda match: match[1] + HIDDEN, text)
    text = PASSWORD.sub(lambda match: f"{match[1]}{HIDDEN}@", text)
    return LONG_RUN.sub(HIDDEN, text)
