"""The engine's folders, and what can be read from them without starting it. Standard library only."""

from __future__ import annotations

import contextlib
import json
import stat
from pathlib import Path

from ftrun.errors import DecisionError
from ftrun.files import make_folder
from ftrun.user_dirs import user_folder

OTHERS = 0o077  # the permissions of the group and of everyone else


def engine_home() -> Path:
    """Return the folder of the engine's store: $FTRUN_HOME, else the user's data folder."""
    return user_folder("FTRUN_HOME", "XDG_DATA_HOME", ".local/share")


def cache_home() -> Path:
    """Return the folder of converted models: $FTRUN_CACHE, else the user's cache folder."""
    return user_folder("FTRUN_CACHE", "XDG_CACHE_HOME", ".cache")


def private_folder(path: Path) -> None:
    """Create the folder, or make an existing one private; DecisionError if others can still read it."""
    make_folder(path, mode=0o700)
    with contextlib.suppress(OSError):  # someone else's folder: only the permissions count
        if stat.S_IMODE(path.stat().st_mode) & OTHERS:
            path.chmod(0o700)
    if stat.S_IMODE(path.stat().st_mode) & OTHERS:
        raise DecisionError(
            f"{path} can be read by other users, and ftrun can't change that; nothing was written there",
            code="not_private",
            file=str(path),
            hint="Use an empty folder of your own: export FTRUN_HOME=…",
        )


def store_id(home: Path) -> str | None:
    """Return the store's UUID, or None if there is no store yet; DecisionError if its file is damaged."""
    path = home / "store.json"
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["store"])
    except FileNotFoundError:
        return None
    except (ValueError, LookupError, TypeError) as error:
        raise damaged_store(path, error) from error


def damaged_store(path: Path, error: Exception) -> DecisionError:
    """Return the error for a file of the store that can't be read as what it is."""
    return DecisionError(
        f"{path} of the engine's store is damaged: {error}.",
        code="store_damaged",
        file=str(path),
        hint="Restore it from a backup, or use another store: FTRUN_HOME=~/ftrun-other ftrun …",
    )
