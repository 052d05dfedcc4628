"""The query parameters that the lists share: `limit` and `after`."""

from __future__ import annotations

from collections.abc import Callable

from ftrun.engine.api.errors import ApiError
from ftrun.engine.store.paging import Page, UnknownCursor
from ftrun.engine.store.records import Record


def page_or_refuse(read: Callable[[], Page[Record]]) -> Page[Record]:
    """Return the page; an unknown `after` is the caller's error."""
    try:
        return read()
    except UnknownCursor as error:
        raise ApiError(f"after: there is no '{error}' here.", code="invalid_value", param="after") from error
