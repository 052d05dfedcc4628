"""Untrusted regular expressions, to be tried in a process that can be killed.

Neither the search nor the compiling of a pattern can be bounded by looking at it.
"""

from __future__ import annotations

import re

SEARCH_SECONDS = 1.0


class Patterns:
    """Try patterns; call it within limits."""

    def search(self, pattern: str, text: str, seconds: float = SEARCH_SECONDS) -> bool | str:
        """Return whether the pattern is found in the text, or why it is not a regular expression.

        TimeoutError if the search takes longer than `seconds`.
        """
        import regex  # the standard library's `re` can't be stopped once it runs

        try:
            return regex.search(pattern, text, timeout=seconds) is not None
        except (regex.error, RecursionError, OverflowError) as error:
            return str(error) or type(error).__name__

    def fault(self, pattern: str) -> str | None:
        """Return why a pattern is not a regular expression, None if it is one."""
        try:
            re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            return str(error) or "too deep"
        return None
