"""Start the engine's own processes: with the same Python, no module from a foreign folder, and no secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

from ftrun.redaction import without_secrets

# glibc gives large blocks back to the system when they are freed, and every training step would get its pages
# again, zeroed one by one: 10-20 % of a step. Other C libraries read neither variable.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000"}


def start(
    module: str,
    *arguments: str,
    folder: Path,
    log: IO[bytes],
    pipes: bool = False,
    own_session: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `python -m module arguments` in `folder`, with its output in `log`.

    With `pipes` its stdin and stdout are pipes. With `own_session` it outlives this process and the terminal.
    """
    streams: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log}
    if pipes:
        streams |= {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    # -P: a file in `folder` or the user's folder must never be imported instead of a module
    command = [sys.executable, "-P", "-m", module, *arguments]
    return subprocess.Popen(command, cwd=folder, env=_environment(), start_new_session=own_session, **streams)


def _environment() -> dict[str, str]:
    """Return our environment without secrets, with absolute paths, and with memory kept for reuse."""
    kept = {**KEEP_MEMORY, **without_secrets(os.environ)}
    if "PYTHONPATH" in kept:
        entries = kept["PYTHONPATH"].split(os.pathsep)
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in entries if entry)
    return kept
