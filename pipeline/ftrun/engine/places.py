"""Where the engine keeps things, and what can be read there unstarted. Standard library only."""

from __future__ import annotations

import contextlib
import json
import stat
from pathlib import Path

from ftrun.errors import DecisionError
from ftrun.files import make_folder
from ftrun.user_dirs import user_folder

OTHERS = 0o077  # what a group and all others may do


def engine_home() -> Path:
    """Return the folder of the engine's store: $FTRUN_HOME, else the user's data folder."""
    return user_folder("FTRUN_HOME", "XDG_DATA_HOME", ".local/share")


def cache_home() -> Path:
    """Return the folder of converted models: $FTRUN_CACHE, else the user's cache folder."""
    return user_folder("FTRUN_CACHE", "XDG_CACHE_HOME", ".cache")


def private_folder(path: Path) -> None:
    """Make the folder, or make the one that is there private; DecisionError if others can still read it."""
    make_folder(path, mode=0o700)
    with contextlib.suppress(OSError):  # somebody else's: what can be read is what counts
        if stat.S_IMODE(path.stat().st_mode) & OTHERS:
            path.chmod(0o700)
    if stat.S_IMODE(path.stat().st_mode) & OTHERS:
        raise DecisionError(
            f"{path} can be read by other users, and that can't be changed; nothing was written there",
            code="not_private",
            file=str(path),
            hint="Name a folder of your own that holds nothing else: export FTRUN_HOME=…",
        )


def store_id(home: Path) -> str | None:
    """Return the store's UUID, or None where no store was made yet."""
    try:
        return str(json.loads((home / "store.json").read_text(encoding="utf-8"))["store"])
    except FileNotFoundError:
        return None
