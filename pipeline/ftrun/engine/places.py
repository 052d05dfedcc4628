"""Owns where the engine keeps things, and what can be read there unstarted. Standard library only."""

from __future__ import annotations

import json
from pathlib import Path

from ftrun.homes import user_folder


def engine_home() -> Path:
    """Return the folder of the engine's store: $FTRUN_HOME, else the user's data folder."""
    return user_folder("FTRUN_HOME", "XDG_DATA_HOME", ".local/share")


def cache_home() -> Path:
    """Return the folder of converted models: $FTRUN_CACHE, else the user's cache folder."""
    return user_folder("FTRUN_CACHE", "XDG_CACHE_HOME", ".cache")


def store_id(home: Path) -> str | None:
    """Return the store's UUID, or None where no store was made yet."""
    try:
        return str(json.loads((home / "store.json").read_text(encoding="utf-8"))["store"])
    except FileNotFoundError:
        return None
