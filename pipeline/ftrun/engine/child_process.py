"""How the engine starts processes of its own: same Python, no foreign module in the way, no secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from ftrun.redaction import without_secrets


def start(
    module: str,
    *arguments: str,
    folder: Path,
    log: IO[bytes],
    pipes: bool = False,
    own_session: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `python -m module arguments` in `folder`, what it prints going to `log`.

    With `pipes` its stdin and stdout are pipes. With `own_session` it outlives us and our terminal.
    """
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
    if pipes:
        streams |= {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    # -P: a file in `folder` or the user's folder must never be imported in a module's place
    command = [sys.executable, "-P", "-m", module, *arguments]
    return subprocess.Popen(command, cwd=folder, env=_environment(), start_new_session=own_session, **streams)


def _environment() -> dict[str, str]:
    """Return what of our environment is no secret, its paths valid in any folder."""
    kept = without_secrets(os.environ)
    if "PYTHONPATH" in kept:
        entries = kept["PYTHONPATH"].split(os.pathsep)
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in entries if entry)
    return kept
