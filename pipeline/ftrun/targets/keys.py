"""What is checked of an API key before anything is sent. A key's value never leaves this module
except into the SDK's client: no message contains it.
"""

from __future__ import annotations

import os
import re

from ftrun.errors import UsageError
from ftrun.redaction import keep_secret
from ftrun.targets.consent import permit

PLACEHOLDER = re.compile(
    r"your|api[-_ ]?key|replace|changeme|example|<.*>|\.\.\.|…|x{4,}|\*{3,}|^sk-?$", re.IGNORECASE
)


def key_from(variable: str, target: str) -> str:
    """Return the key that the environment variable holds; UsageError when it can't be one."""
    value = os.environ.get(variable)
    hint = f"export {variable}=…  (or use the embedded engine: --target local)"
    if not value:
        raise UsageError(
            f"target {target!r} needs a key, and the environment variable {variable} is not set",
            code="no_key",
            hint=hint,
        )
    fault = _fault(value)
    if fault:
        raise UsageError(
            f"the environment variable {variable} {fault}; nothing was sent", code="bad_key", hint=hint
        )
    keep_secret(value)
    return value


def key_for(url: str, variable: str, target: str) -> str:
    """Return the key as `key_from` if it may be sent to the server at `url`, else raise as `permit`."""
    key = key_from(variable, target)
    permit(variable, url)
    return key


def _fault(value: str) -> str | None:
    """Return what is wrong with a key, without quoting it."""
    if not value.isascii():
        return "holds characters that no key has (full-width letters or quotes?)"
    if value != value.strip():
        return "begins or ends with a space or a line break"
    if any(character.isspace() or not character.isprintable() for character in value):
        return "has a space or a control character inside"
    if value[0] in "\"'" or value[-1] in "\"'":
        return "has quotation marks around the key"
    if PLACEHOLDER.search(value) and not re.fullmatch(r"[A-Za-z0-9_-]{40,}", value):
        return "holds a placeholder, not a key"
    if len(value) < 8:
        return "is too short to be a key"
    return None
