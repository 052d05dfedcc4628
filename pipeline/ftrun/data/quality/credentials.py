"""Finding secrets in a text: by the prefixes of known services, or by name and entropy."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator

from ftrun.data.quality.personal_data import SensitiveSpan

KEY_SHAPES: tuple[tuple[str, str], ...] = (
    ("OpenAI or Anthropic key", r"sk-(?:proj-|ant-|svcacct-|admin-|or-v1-)?[A-Za-z0-9_-]{20,}"),
    ("GitHub token", r"gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,}"),
    ("GitLab token", r"glpat-[A-Za-z0-9_-]{20,}"),
    ("AWS access key", r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Z])"),
    ("Google API key", r"AIza[A-Za-z0-9_-]{35}|ya29\.[A-Za-z0-9_-]{20,}"),
    ("Slack token", r"xox[abeoprs]-[A-Za-z0-9-]{10,}|hooks\.slack\.com/services/[A-Za-z0-9/]{20,}"),
    ("Hugging Face token", r"hf_[A-Za-z0-9]{30,}"),
    ("Stripe key", r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}"),
    ("SendGrid key", r"SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"),
    ("package registry token", r"npm_[A-Za-z0-9]{36}|pypi-[A-Za-z0-9_-]{50,}"),
    ("Groq, xAI or NVIDIA key", r"(?:gsk_|xai-|nvapi-)[A-Za-z0-9_-]{30,}"),
    ("JSON web token", r"eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"),
)
# keys with few digits: one of six of AWS has fewer than two, those of Hugging Face may have none
FEW_DIGITS = re.compile(
    r"(?<![A-Za-z0-9])(?:(?:AKIA|ASIA)(?=[0-9A-Z]*[0-9])[0-9A-Z]{16}(?![0-9A-Z])"
    r"|hf_(?=[A-Z]*[a-z])(?=[a-z]*[A-Z])[A-Za-z]{34}(?![A-Za-z0-9]))"
)
KNOWN = re.compile("|".join(f"((?<![A-Za-z0-9]){shape})" for _, shape in KEY_SHAPES))
# with the rest of the key if it is there: a mask must not leave it
PRIVATE_KEY = re.compile(
    r"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----(?:[\s\S]{0,20000}?-----END (?:[A-Z]+ )*PRIVATE KEY-----)?"
)
KEY_RUN = re.compile(r"[A-Za-z0-9+/_.~-]{16,}={0,2}")
# what comes before a key: its name and at most a few signs
NAMED = re.compile(
    r"(?:api[_ -]?key|access[_ -]?key|secret(?:[_ -]?key)?|(?:auth|access|bearer)[_ -]?token|token"
    r"|passw(?:or)?d|パスワード|APIキー|秘密鍵|Bearer)[\"']?\s*(?:は|is|[:=：]|\s)\s*[\"'「]?\Z",
    re.IGNORECASE,
)
IN_ADDRESS = re.compile(r"\b[a-z][a-z0-9+]{1,15}://[^\s/:@]{1,64}:((?!\[SECRET)[^\s/:@]{4,128})@[A-Za-z0-9]")
LEAST_ENTROPY = 3.5  # bits per character: words have less, random letters and digits more


def secrets(text: str) -> Iterator[SensitiveSpan]:
    """Yield the secrets in a text."""
    if "PRIVATE KEY" in text:
        for found in PRIVATE_KEY.finditer(text):
            yield SensitiveSpan("secret", *found.span(), "private key")
    for run in KEY_RUN.finditer(text):
        if not _is_random(run[0]) and not FEW_DIGITS.search(run[0]):
            continue
        key = KNOWN.search(text, run.start(), run.end())
        if key:
            yield SensitiveSpan("secret", *key.span(), KEY_SHAPES[(key.lastindex or 1) - 1][0])
        elif NAMED.search(text, max(0, run.start() - 40), run.start()):
            yield SensitiveSpan("secret", *run.span(), "key or password")
    if "://" in text and "@" in text:
        for found in IN_ADDRESS.finditer(text):
            yield SensitiveSpan("secret", *found.span(1), "password in an address")


def _is_random(value: str) -> bool:
    """Return whether a value looks random: letters, digits and much entropy, unlike xxxx or words."""
    digits = sum(one.isdigit() for one in value)
    letters = sum(one.isalpha() for one in value)
    shares = (times / len(value) for times in Counter(value).values())
    return digits >= 2 and letters >= 2 and -sum(one * math.log2(one) for one in shares) >= LEAST_ENTROPY
