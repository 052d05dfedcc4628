"""Find the folders that belong to a user, not to a project. They may be links; none is created here."""

from __future__ import annotations

import os
from pathlib import Path

from ftrun.errors import UserError
from ftrun.files import real


def state_folder() -> Path:
    """Return the folder for what ftrun remembers of a user across projects: consent, locks, valid files."""
    return user_folder(None, "XDG_STATE_HOME", ".local/state")


def user_folder(own: str | None, standard: str, default: str) -> Path:
    """Return the folder that the variable `own` names (None: there is no such variable), else `ftrun` in the
    folder that the variable `standard` names, else `ftrun` in `default` below the home folder.

    UserError if the user has no home folder, such as an unknown user in a container.
    """
    try:
        named = os.environ.get(own) if own else None
        if named:
            return real(Path(named).expanduser())
        base = Path(os.environ.get(standard, ""))  # its specification says to ignore a relative path
        return real((base if base.is_absolute() else Path.home() / default) / "ftrun")
    except RuntimeError as error:
        raise UserError(
            "this user has no home folder",
            code="no_home",
            hint=f"export HOME=…, or {own or standard}=…, a folder that this user can write.",
        ) from error
