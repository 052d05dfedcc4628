"""The template filters that give characters one width. What is no text passes unchanged."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

# digits and letters, and between digits what numbers, times and dates are written with
WIDE = re.compile("[０-９Ａ-Ｚａ-ｚ]+(?:(?<=[０-９])[．，：／－](?=[０-９])[０-９Ａ-Ｚａ-ｚ]+)*")
HALF = {wide: wide - 0xFEE0 for wide in range(0xFF01, 0xFF5F)}


def half_width(value: Any) -> Any:
    """Return text with full-width digits and letters made half-width, １２．５ is 12.5; all else stays."""
    return WIDE.sub(lambda found: found[0].translate(HALF), value) if isinstance(value, str) else value


def nfkc(value: Any) -> Any:
    """Return text with one form for every character: １２ is 12 and ｱ is ア, but ① is 1 too, and x² is x2."""
    return unicodedata.normalize("NFKC", value) if isinstance(value, str) else value
