"""Ask the user before anything is paid for, sent or deleted; where nobody can answer, nothing is done."""

from __future__ import annotations

import sys
from collections.abc import Callable

import click

from ftrun.errors import DecisionError


def asker(as_json: bool) -> Callable[[str], bool] | None:
    """Return a function that asks a yes-or-no question (default: no), or None where nobody can answer."""
    if as_json or not sys.stdin.isatty():
        return None
    return lambda question: click.confirm(question, default=False, err=True)


def confirm(question: str, *, yes: bool, as_json: bool = False) -> None:
    """Return if the user agrees, or did with --yes; otherwise raise DecisionError."""
    if yes:
        return
    ask = asker(as_json)
    if ask is None:
        message = f"{question} Can't ask without a terminal; nothing was done."
        raise DecisionError(message, code="not_confirmed", hint="Add --yes to confirm.")
    if not ask(question):
        raise DecisionError("Not confirmed; nothing was done.", code="not_confirmed")
