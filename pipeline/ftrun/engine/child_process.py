"""Start the engine's own processes: with the same Python, no module from a foreign folder, and no secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING

from ftrun.redaction import without_secrets

if TYPE_CHECKING:
    import asyncio.subprocess
# glibc gives large blocks back to the system when they are freed, and every training step would get its pages
# again, zeroed one by one: 10-20 % of a step. Answers gain nothing. Other C libraries read neither variable.
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "4000000000", "MALLOC_TRIM_THRESHOLD_": "8000000000"}


def start(
    module: str,
    *arguments: str,
    folder: Path,
    log: IO[bytes],
    own_session: bool = False,
    keep_memory: bool = False,
) -> subprocess.Popen[bytes]:
    """Start `python -m module arguments` in `folder`, with its output in `log`.

    With `own_session` it outlives this process and the terminal; with `keep_memory` it keeps what it has
    freed for reuse.
    """
    return subprocess.Popen(
        _command(module, *arguments),
        cwd=folder,
        env={**(KEEP_MEMORY if keep_memory else {}), **_environment()},
        start_new_session=own_session,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
    )


async def start_with_pipes(
    module: str, *arguments: str, folder: Path, log: IO[bytes], longest_line: int
) -> asyncio.subprocess.Process:
    """Start such a process with pipes as stdin and stdout, to be read line by line in an event loop."""
    import asyncio  # takes a while, and those who only look for an engine need no loop

    return await asyncio.create_subprocess_exec(
        *_command(module, *arguments),
        cwd=folder,
        env=_environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        limit=longest_line,
    )


def _command(module: str, *arguments: str) -> list[str]:
    # -P: a file in the process's folder or the user's must never be imported instead of a module
    return [sys.executable, "-P", "-m", module, *arguments]


def _environment() -> dict[str, str]:
    """Return our environment without secrets, and with absolute paths."""
    kept = without_secrets(os.environ)
    if "PYTHONPATH" in kept:
        entries = kept["PYTHONPATH"].split(os.pathsep)
        kept["PYTHONPATH"] = os.pathsep.join(str(Path(entry).absolute()) for entry in entries if entry)
    return kept
