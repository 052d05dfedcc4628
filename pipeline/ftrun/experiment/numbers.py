"""That a number is one value however it is spelled: 1.0 and 1 must not be two jobs, or two questions."""

from __future__ import annotations

from typing import Any


def one_spelling(value: Any) -> Any:
    """Return plain data with every whole float as an integer, in mappings and lists too."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: one_spelling(one) for key, one in value.items()}
    return [one_spelling(one) for one in value] if isinstance(value, list) else value
