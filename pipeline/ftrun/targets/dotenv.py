"""Find a variable's name in a .env file, to say how to load it; the file is never loaded.

An experiment may be someone else's: a file beside it must not decide which key is sent where.
"""

from __future__ import annotations

import os
import re
import shlex
from contextlib import suppress
from pathlib import Path

NAME = ".env"
LARGEST = 1_000_000  # bytes


def loading_hint(variable: str, project: Path | None) -> str | None:
    """Return how to load a .env file of the current folder or the project that sets the variable, if any."""
    folders = [Path.cwd(), *([project] if project is not None else [])]
    for file in dict.fromkeys(folder / NAME for folder in folders):
        spaced = _sets(file, variable)
        if spaced is None:
            continue
        shown = _typed(file)
        if spaced:
            return (
                f"{shown} has {variable}, but with spaces around the `=`, which a shell can't load: write "
                f"{variable}=VALUE there. Then: set -a; . {shown}; set +a"
            )
        return (
            f"{shown} has {variable}, but a .env file is not read by itself. "
            f"Load it: set -a; . {shown}; set +a"
        )
    return None


def _sets(file: Path, variable: str) -> bool | None:
    """Return whether the file has the variable in a form that a shell can't load; None if it lacks it."""
    pattern = re.compile(rf"^[ \t]*(?:export[ \t]+)?{re.escape(variable)}([ \t]*)=([ \t]*)\S", re.MULTILINE)
    with suppress(OSError):
        if file.is_file() and file.stat().st_size <= LARGEST:
            found = pattern.search(file.read_text(encoding="utf-8", errors="replace"))
            return None if found is None else bool(found[1] or found[2])
    return None


def _typed(file: Path) -> str:
    """Return the path for the shell's `.` command, which looks in the PATH for a name without a slash."""
    relative = os.path.relpath(file)
    shown = str(file) if relative.startswith("..") else f"./{relative}"
    return shlex.quote(shown)
