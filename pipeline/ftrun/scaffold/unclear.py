"""What only a person can decide while an experiment is drafted: a question, and options for each answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ftrun.errors import DataError
from ftrun.experiment.places import shown_path


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """An answer: the options of `ftrun init` that give it, and lines that show what it means."""

    options: tuple[str, ...]
    shown: tuple[str, ...] = ()


class UnclearError(DataError):
    """A person must choose one of `ways`: the command line asks or, without a terminal, prints commands."""

    ways: tuple[Way, ...] = ()

    @classmethod
    def of(cls, path: Path, message: str, code: str, ways: Sequence[Way]) -> UnclearError:
        """Return the question about the file at `path`."""
        error = cls(message, code=code, file=shown_path(path))
        error.ways = tuple(ways)
        return error
