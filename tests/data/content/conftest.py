"""A fixture that checks rows and returns the findings."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest

from ftrun import data
from ftrun.errors import Problem

from .clean import lines

Look = Callable[..., dict[str, Problem]]


@pytest.fixture
def look(make: Any) -> Look:
    """Return a function that returns the findings about rows, by code."""

    def found(rows: Iterable[dict[str, Any]], **given: Any) -> dict[str, Problem]:
        result = data.examine(make({"a.jsonl": lines(rows)}, **given))
        told = {one.code: one for one in (*result.errors, *result.warnings, *result.notes)}
        told.pop("few_examples", None)
        return told

    return found
