"""The configurations that are known to be valid, so that a run with nothing to do loads no validator.

It is kept for the user, not in the project: a repository could claim that its own file was validated.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

from ftrun.errors import FtrunError
from ftrun.files import write_json
from ftrun.user_dirs import state_folder

MOST_DIGESTS = 200


def is_valid(digest: str) -> bool:
    """Return whether the document with this digest is known to be valid."""
    return digest in _digests()


def remember_valid(digest: str) -> None:
    """Note that the document with this digest is valid; if that fails, it is validated again."""
    known = _digests()
    if digest not in known:
        with contextlib.suppress(OSError, FtrunError):
            write_json(_file(), [*known, digest][-MOST_DIGESTS:], mode=0o600)


def _digests() -> list[str]:
    try:
        found = json.loads(_file().read_bytes())
    except (OSError, ValueError, RecursionError, FtrunError):
        return []  # a file that can't be read costs a validation, nothing else
    return [str(one) for one in found] if isinstance(found, list) else []


def _file() -> Path:
    return state_folder() / "validated.json"
