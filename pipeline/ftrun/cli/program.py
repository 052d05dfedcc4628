"""How this program was called, so that a command can be shown as one can type it again."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def program() -> str:
    """Return `ftrun`, or the path or python call that works where it is not on the PATH."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{sys.executable} -m ftrun"
    found = next((path for path in _on_the_path("ftrun") if os.access(path, os.X_OK)), None)
    if found is not None and called.exists() and found.samefile(called):
        return "ftrun"
    shown = os.path.relpath(called)
    return shown if not shown.startswith("..") else str(called)


def _on_the_path(name: str) -> list[Path]:
    """Return where a command may lie, in order; shutil.which would load three compressors at each start."""
    return [Path(folder) / name for folder in os.get_exec_path()]
