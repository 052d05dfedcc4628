"""Where the folders are that belong to a user and to no project, which may be links. Makes none."""

from __future__ import annotations

import os
from pathlib import Path

from ftrun.errors import UserError
from ftrun.files import real


def user_folder(own: str | None, standard: str, default: str) -> Path:
    """Return the folder that $`own` names (None: no variable does), else ftrun's in $`standard`, else that in
    `default` at home.

    UserError where the user has no home, as one in a container whom nobody knows.
    """
    try:
        named = os.environ.get(own) if own else None
        if named:
            return real(Path(named).expanduser())
        base = Path(os.environ.get(standard, ""))  # a relative one is no one, says its specification
        return real((base if base.is_absolute() else Path.home() / default) / "ftrun")
    except RuntimeError as error:
        raise UserError(
            "this user has no home to keep things in",
            code="no_home",
            hint=f"export HOME=…, or {own or standard}=…, a folder that this user can write.",
        ) from error
