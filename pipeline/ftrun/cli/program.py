"""Owns how this program was called, so that a command can be shown as one can type it again."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def program() -> str:
    """Return `ftrun`, or the path or python call that works where it is not on the PATH."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{sys.executable} -m ftrun"
    found = shutil.which("ftrun")
    if found is not None and called.exists() and Path(found).samefile(called):
        return "ftrun"
    shown = os.path.relpath(called)
    return shown if not shown.startswith("..") else str(called)
