"""/openapi.json: the description of this API, written by hand in `schemas/`; tests hold it to the routes."""

from __future__ import annotations

from functools import cache
from typing import Any

import yaml
from fastapi import APIRouter

from ftrun.installation import schema_text

router = APIRouter()


@router.get("/openapi.json")
def describe() -> dict[str, Any]:
    """Return the description, OpenAPI 3.1."""
    return description()


@cache
def description() -> dict[str, Any]:
    """Return the description as data."""
    found = yaml.safe_load(schema_text("engine.openapi.yaml"))
    assert isinstance(found, dict)
    return found
