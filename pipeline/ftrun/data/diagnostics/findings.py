"""The problems that are found while data are read: repeated ones merged, too many of a kind counted only.

`Findings.severity_of` is the only place that decides how serious a problem is.
"""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Literal

from ftrun.data.diagnostics.codes import CODES
from ftrun.errors import DataError, Place, Problem, UserError

MOST_PROBLEMS = 1000  # kept per code; more are only counted, so that a hopeless file needs little memory
MOST_LISTED = 100_000  # places of one problem
Severity = Literal["off", "note", "warning", "error"]
Key = tuple[Any, ...]


class Findings:
    """Collects problems, so that the user sees all of them at once.

    `severities` overrides, by code, the severity that the table CODES gives.
    """

    def __init__(self, severities: Mapping[str, Severity] | None = None) -> None:
        self._severities = dict(severities or {})
        self._problems: dict[Key, Problem] = {}
        self._times: Counter[Key] = Counter()
        self._first_row: dict[Key, tuple[str, int]] = {}
        self._of_code: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._places: dict[Key, list[Place]] = {}
        self._places_left_out: dict[str, list[Place]] = {}
        self._failed_before = False  # the drained problems had errors

    def severity_of(self, code: str) -> Severity:
        """Return how serious a problem with this code is; an error if the code isn't in the table."""
        return self._severities.get(code) or (CODES[code].severity if code in CODES else "error")

    def add(
        self,
        code: str,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        column: int | None = None,
        hint: str | None = None,
        once: bool = False,
        places: Iterable[Place] = (),
    ) -> None:
        """Add a problem of the table CODES; `once`: keep the same message once, at its first place.

        `places`: all of them, the first included, where there are more.
        """
        fix = hint or CODES[code].fix
        problem = Problem(message, code=code, file=file, line=line, column=column, hint=fix, places=places)
        self._keep(problem, (code, message) if once else (code, message, file, line, column), row=None)

    def absorb(self, error: UserError, *, row: tuple[str, int] | None = None) -> None:
        """Add the problems of `error`; `row` is the file and line of the row that raised it."""
        for problem in error.problems:
            key = (problem.code, problem.message, problem.file, problem.line, problem.column)
            self._keep(problem, key, row)

    def keep(self, problem: Problem) -> None:
        """Add a problem that was found and counted earlier, unchanged."""
        self._keep(problem, (problem.code, problem.message, problem.file, problem.line), row=None)

    def merge(self, later: Findings) -> None:
        """Add what `later` found, as if it had been found here next."""
        for key, problem in later._problems.items():
            self._keep(problem, key, later._first_row.get(key), later._times[key], later._places[key])
        self._left_out.update(later._left_out)
        for code, places in later._places_left_out.items():
            _extend(self._places_left_out.setdefault(code, []), places)

    def sort_by_line(self) -> None:
        """Order problems by the lines of their rows; those without a row come first."""

        def line(item: tuple[Key, Problem]) -> int:
            row = self._first_row.get(item[0])
            return (row[1] if row else item[1].line) or 0

        self._problems = dict(sorted(self._problems.items(), key=line))

    def drain(self) -> Findings:
        """Return what has been found so far, and start empty again."""
        failed, drained = self.failed, copy.copy(self)
        self.__init__(self._severities)  # type: ignore[misc]
        self._failed_before, drained._failed_before = failed, False
        return drained

    @property
    def errors(self) -> tuple[Problem, ...]:
        """Return the errors in the order in which they were found."""
        return self._of("error")

    @property
    def warnings(self) -> tuple[Problem, ...]:
        """Return the warnings in the order in which they were found."""
        return self._of("warning")

    @property
    def notes(self) -> tuple[Problem, ...]:
        """Return what should be known but is not a problem, in the order in which it was found."""
        return self._of("note")

    @property
    def failed(self) -> bool:
        """Return whether there is an error, or was one among the drained problems."""
        codes = (*self._of_code, *self._left_out)
        return self._failed_before or any(self.severity_of(code) == "error" for code in codes)

    def raise_errors(self) -> None:
        """Raise DataError with all errors if there are any."""
        errors = self.errors
        if errors:
            several = f"the data has {len(errors)} errors; nothing was written"
            raise DataError(errors[0].message if len(errors) == 1 else several, problems=errors)

    def _of(self, kind: str) -> tuple[Problem, ...]:
        problems = [self._counted(key, problem) for key, problem in self._problems.items()]
        problems += [
            Problem(f"and {times} more problems of this kind", code=code, places=self._places_left_out[code])
            for code, times in self._left_out.items()
        ]
        return tuple(problem for problem in problems if self.severity_of(problem.code) == kind)

    def _keep(
        self,
        problem: Problem,
        key: Key,
        row: tuple[str, int] | None,
        times: int = 1,
        places: Iterable[Place] = (),
    ) -> None:
        places = places or ([row] if row else problem.places)
        if key not in self._problems:
            if self._of_code[problem.code] >= MOST_PROBLEMS:
                self._left_out[problem.code] += times
                _extend(self._places_left_out.setdefault(problem.code, []), places)
                return
            self._of_code[problem.code] += 1
            self._problems[key] = problem
        self._times[key] += times
        _extend(self._places.setdefault(key, []), places)
        if row is not None:
            self._first_row.setdefault(key, row)

    def _counted(self, key: Key, problem: Problem) -> Problem:
        times, row = self._times[key], self._first_row.get(key)
        where = {name: getattr(problem, name) for name in ("code", "file", "line", "column", "hint")}
        notes = [f"in {times} rows"] if times > 1 else []
        if row is not None and problem.file is None:
            where["file"], where["line"] = row
        elif row is not None:
            notes.append(f"{'the first' if times > 1 else 'row'} at {row[0]}:{row[1]}")
        head, newline, excerpt = problem.message.partition("\n")
        note = f" ({', '.join(notes)})" if notes else ""
        places = dict.fromkeys(self._places[key])
        return Problem(f"{head}{note}{newline}{excerpt}", **where, places=places)


def _extend(places: list[Place], more: Iterable[Place]) -> None:
    """Add places as long as there is room."""
    places.extend(itertools.islice(more, MOST_LISTED - len(places)))


class FilePlace:
    """A data file as messages name it, and the findings that its problems go to."""

    __slots__ = ("findings", "name")

    def __init__(self, name: str, findings: Findings) -> None:
        self.name = name
        self.findings = findings

    def add(
        self,
        code: str,
        message: str,
        line: int | None,
        *,
        column: int | None = None,
        hint: str | None = None,
        once: bool = False,
    ) -> None:
        """Add a problem at `line` (from 1, where the record starts)."""
        self.findings.add(code, message, file=self.name, line=line, column=column, hint=hint, once=once)


class UnusableFileError(Exception):
    """The rest of the file can't be read; the problem has been added."""
