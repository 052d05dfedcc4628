"""Values as YAML text that people read and edit: what others wrote is always quoted, so that none of it is
taken for YAML.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

PLAIN = re.compile(r"[a-z][a-z0-9_-]*(?:[./][a-z0-9_-]+)*")
NOT_TEXT = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
# what YAML refuses raw although JSON allows it
UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")


def scalar(text: str) -> str:
    """Return `text` as a YAML scalar: plain if it can be nothing but text, else in double quotes."""
    if PLAIN.fullmatch(text) and text not in NOT_TEXT:
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", quoted)


def flow(value: Any) -> str:
    """Return a value in one line: a scalar, or lists and mappings of such in YAML's flow style."""
    if isinstance(value, str):
        return scalar(value)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(str(key))}: {flow(one)}" for key, one in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(map(flow, value)) + "]"
    return json.dumps(value)
