"""Owns what is found while data are read: problems with places, repeated ones merged, the rest counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ftrun.data.codes import CODES
from ftrun.errors import DataError, Problem, UserError

MOST_PROBLEMS = 1000  # kept; more are counted only, so that a hopeless file needs no memory


class Findings:
    """Collects problems, so that the user sees all of them at once."""

    def __init__(self) -> None:
        self._problems: dict[tuple[Any, ...], Problem] = {}
        self._times: Counter[tuple[Any, ...]] = Counter()
        self._first_row: dict[tuple[Any, ...], tuple[str, int]] = {}
        self._left_out: Counter[str] = Counter()

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
    ) -> None:
        """Add a problem of the table CODES; `once`: the same words are kept once, at their first place."""
        problem = Problem(
            message, code=code, file=file, line=line, column=column, hint=hint or CODES[code].cure
        )
        self._keep(problem, (code, message) if once else (code, message, file, line, column), row=None)

    def absorb(self, error: UserError, *, row: tuple[str, int] | None = None) -> None:
        """Add the problems of `error`; `row` is file and line of the row that met them."""
        for problem in error.problems:
            key = (problem.code, problem.message, problem.file, problem.line, problem.column)
            self._keep(problem, key, row)

    def keep(self, problem: Problem) -> None:
        """Add a problem that was found and counted earlier, as it is."""
        self._keep(problem, (problem.code, problem.message, problem.file, problem.line), row=None)

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
        """Return what is no problem but should be known, in the order in which it was found."""
        return self._of("note")

    @property
    def failed(self) -> bool:
        """Tell whether there is an error."""
        return any(severity(key[0]) == "error" for key in self._problems)

    def raise_errors(self) -> None:
        """Raise DataError with all errors if there are any."""
        errors = self.errors
        if errors:
            several = f"the data have {len(errors)} errors; nothing was written"
            raise DataError(errors[0].message if len(errors) == 1 else several, problems=errors)

    def _of(self, kind: str) -> tuple[Problem, ...]:
        return tuple(problem for problem in self._all() if severity(problem.code) == kind)

    def _keep(self, problem: Problem, key: tuple[Any, ...], row: tuple[str, int] | None) -> None:
        if key not in self._problems and len(self._problems) >= MOST_PROBLEMS:
            self._left_out[problem.code] += 1
            return
        self._problems.setdefault(key, problem)
        self._times[key] += 1
        if row is not None:
            self._first_row.setdefault(key, row)

    def _all(self) -> list[Problem]:
        found = [self._counted(key, problem) for key, problem in self._problems.items()]
        for code, times in self._left_out.items():
            found.append(Problem(f"and {times} more problems of this kind", code=code))
        return found

    def _counted(self, key: tuple[Any, ...], problem: Problem) -> Problem:
        times, row = self._times[key], self._first_row.get(key)
        where = {name: getattr(problem, name) for name in ("code", "file", "line", "column", "hint")}
        notes = [f"in {times} rows"] if times > 1 else []
        if row is not None and problem.file is None:
            where["file"], where["line"] = row
        elif row is not None:
            notes.append(f"{'the first' if times > 1 else 'row'} at {row[0]}:{row[1]}")
        head, newline, excerpt = problem.message.partition("\n")
        note = f" ({', '.join(notes)})" if notes else ""
        return Problem(f"{head}{note}{newline}{excerpt}", **where)


def severity(code: str) -> str:
    """Return error, warning or note; a code that is not of the data is an error."""
    return CODES[code].severity if code in CODES else "error"
