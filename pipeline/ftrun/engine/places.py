"""Owns where the engine keeps things, and what can be read there unstarted. Standard library only."""

from __future__ import annotations

import json
import os
from pathlib import Path


def engine_home() -> Path:
    """Return the folder of the engine's store: $FTRUN_HOME, else the user's data folder."""
    named = os.environ.get("FTRUN_HOME")
    if named:
        return Path(named).expanduser().absolute()
    data = os.environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "ftrun"


def cache_home() -> Path:
    """Return the folder of converted models: $FTRUN_CACHE, else the user's cache folder."""
    named = os.environ.get("FTRUN_CACHE")
    if named:
        return Path(named).expanduser().absolute()
    cache = os.environ.get("XDG_CACHE_HOME")
    return (Path(cache) if cache else Path.home() / ".cache") / "ftrun"


def store_id(home: Path) -> str | None:
    """Return the store's UUID, or None where no store was made yet."""
    try:
        return str(json.loads((home / "store.json").read_text(encoding="utf-8"))["store"])
    except FileNotFoundError:
        return None
