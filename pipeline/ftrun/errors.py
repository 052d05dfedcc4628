"""The errors that users can cause, and the exit code of each class.

    FtrunError                1  a stage or job failed
    ├── UserError             2  usage, configuration or data is wrong
    │   ├── UsageError           the command line
    │   ├── ConfigError          the experiment file (may carry many problems)
    │   └── DataError            the data files (may carry many problems)
    ├── DecisionError         4  a person must decide; no paid call was made unless the message says so
    ├── GateError             5  a gate was missed
    ├── PendingError         75  the job keeps running
    └── InterruptError      130  interrupted: Ctrl-C, or a request to end

Subclasses elsewhere, such as `targets.errors.ServiceError`, keep the exit code of the class above them. Any
other exception is a bug in ftrun: exit code 3, and the message names the log file.
This module prints nothing and imports nothing of ftrun.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

Place = tuple[str, int | None]  # file, line


class Problem:
    """One thing that is wrong, and where. Lines and columns count from 1.

    `places`: file and line of everything that has it, where that is known; the first is `file` and `line`.
    """

    __slots__ = ("code", "column", "file", "hint", "line", "message", "places")

    def __init__(
        self,
        message: str,
        *,
        code: str = "error",
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
        places: Iterable[Place] = (),
    ) -> None:
        self.message, self.code, self.hint = message, code, hint
        self.file, self.line, self.column = file, line, column
        self.places: tuple[Place, ...] = tuple(places) or (() if file is None else ((file, line),))

    @property
    def place(self) -> str:
        """Return `file:line:column`, or as much of it as is known."""
        if self.file is None:
            return ""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)

    def as_dict(self) -> dict[str, Any]:
        """Return the problem in the form of `--json` outputs."""
        return {name: getattr(self, name) for name in ("code", "message", "file", "line", "column", "hint")}

    def __str__(self) -> str:
        return f"{self.place}: {self.message}" if self.file else self.message

    def __repr__(self) -> str:
        return f"Problem({self.code!r}, {str(self)!r})"


class FtrunError(Exception):
    """A stage or job failed; the base class of all expected errors. The message is for the user."""

    exit_code = 1

    def __init__(self, message: str, *, problems: Sequence[Problem] = (), **where: Any) -> None:
        """Keep the message; `where` takes Problem's code, file, line, column and hint.

        `--json` shows the first of `problems` as `error`.
        """
        super().__init__(message)
        self.problems: tuple[Problem, ...] = tuple(problems) or (Problem(message, **where),)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (type(self), str(self), self.problems)  # errors come from worker processes, too

    @property
    def problem(self) -> Problem:
        """Return the first problem."""
        return self.problems[0]

    @property
    def code(self) -> str:
        """Return the first problem's stable code."""
        return self.problem.code


def _restored(kind: type[FtrunError], message: str, problems: Sequence[Problem]) -> FtrunError:
    return kind(message, problems=problems)


class UserError(FtrunError):
    """Usage, configuration or data is wrong."""

    exit_code = 2


class UsageError(UserError):
    """The command line is wrong."""


class ConfigError(UserError):
    """The experiment file is wrong."""


class DataError(UserError):
    """The data files are wrong."""


class DecisionError(FtrunError):
    """A person must decide before ftrun continues."""

    exit_code = 4


class GateError(FtrunError):
    """A gate was missed."""

    exit_code = 5


class PendingError(FtrunError):
    """The job keeps running, and the run has ended before it."""

    exit_code = 75


class InterruptError(FtrunError):
    """The user pressed Ctrl-C or the process was asked to end."""

    exit_code = 130
