"""Commands as the user can type them again: how this program was called, and with which experiment."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from ftrun.experiment.places import shown_path

if TYPE_CHECKING:
    from ftrun.runner import Session


def program() -> str:
    """Return `ftrun`, or the path or Python call that works where ftrun is not on the PATH."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return f"{shlex.quote(sys.executable)} -m ftrun"
    # shutil.which would load three compressors at each start
    paths = (Path(folder) / "ftrun" for folder in os.get_exec_path())
    found = next((path for path in paths if os.access(path, os.X_OK)), None)
    if found is not None and called.exists() and found.samefile(called):
        return "ftrun"
    shown = os.path.relpath(called)
    return shlex.quote(shown if not shown.startswith("..") else str(called))


def command_line(
    session: Session, command: str = "", *, target: str | None = None, named: bool = True
) -> str:
    """Return a command (run, if none is given) for the same experiment, target and overrides.

    Not `named`: the target is the one that the file says.
    """
    words = [*([command] if command else []), shown_path(session.experiment.file)]
    words += ["--target", target or session.experiment.target.name] if named else []
    words += [word for override in session.overrides for word in ("--set", override)]
    return f"{program()} {shlex.join(words)}"
