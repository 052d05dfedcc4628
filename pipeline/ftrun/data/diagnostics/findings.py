"""What is found while data are read: problems with places, repeated ones merged, the rest counted.

It is also the one place that decides how bad a problem is: `Findings.severity_of`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from ftrun.data.diagnostics.codes import CODES
from ftrun.errors import DataError, Problem, UserError

MOST_PROBLEMS = 1000  # kept of a code; more are counted only, so that a hopeless file needs no memory
Severity = Literal["off", "note", "warning", "error"]
Key = tuple[Any, ...]


class Findings:
    """Collects problems, so that the user sees all of them at once.

    `severities` says for some codes how bad they are taken; the rest is as bad as the table CODES says.
    """

    def __init__(self, severities: Mapping[str, Severity] | None = None) -> None:
        self._severities = dict(severities or {})
        self._problems: dict[Key, Problem] = {}
        self._times: Counter[Key] = Counter()
        self._first_row: dict[Key, tuple[str, int]] = {}
        self._of_code: Counter[str] = Counter()
        self._left_out: Counter[str] = Counter()
        self._failed_before = False  # what was drained had errors

    def severity_of(self, code: str) -> Severity:
        """Return how bad a problem with this code is; one that is not in the table is an error."""
        if code in self._severities:
            return self._severities[code]
        return CODES[code].severity if code in CODES else "error"

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

    def add_uncounted(self, code: str, times: int) -> None:
        """Add `times` more problems of a code, of which nothing else is known."""
        self._left_out[code] += times

    def absorb(self, error: UserError, *, row: tuple[str, int] | None = None) -> None:
        """Add the problems of `error`; `row` is file and line of the row that met them."""
        for problem in error.problems:
            key = (problem.code, problem.message, problem.file, problem.line, problem.column)
            self._keep(problem, key, row)

    def keep(self, problem: Problem) -> None:
        """Add a problem that was found and counted earlier, as it is."""
        self._keep(problem, (problem.code, problem.message, problem.file, problem.line), row=None)

    def merge(self, later: Findings) -> None:
        """Add what `later` found after us, as if it had been found here."""
        for key, problem in later._problems.items():
            self._keep(problem, key, later._first_row.get(key), later._times[key])
        self._left_out.update(later._left_out)

    def sort_by_line(self) -> None:
        """Order problems by the lines of their rows; those of no row come first."""
        self._problems = dict(sorted(self._problems.items(), key=lambda one: self._line(*one)))

    def _line(self, key: Key, problem: Problem) -> int:
        row = self._first_row.get(key)
        return (row[1] if row else problem.line) or 0

    def drain(self) -> Findings:
        """Return what has been found so far, and begin anew."""
        self._failed_before = self.failed
        drained, fresh = Findings(self._severities), Findings(self._severities)
        for name in ("_problems", "_times", "_first_row", "_of_code", "_left_out"):
            setattr(drained, name, getattr(self, name))
            setattr(self, name, getattr(fresh, name))
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
        """Return what is no problem but should be known, in the order in which it was found."""
        return self._of("note")

    @property
    def failed(self) -> bool:
        """Return whether there is an error, or was one in what has been drained."""
        codes = (*self._of_code, *self._left_out)
        return self._failed_before or any(self.severity_of(code) == "error" for code in codes)

    def raise_errors(self) -> None:
        """Raise DataError with all errors if there are any."""
        errors = self.errors
        if errors:
            several = f"the data have {len(errors)} errors; nothing was written"
            raise DataError(errors[0].message if len(errors) == 1 else several, problems=errors)

    def _of(self, kind: str) -> tuple[Problem, ...]:
        return tuple(problem for problem in self._all() if self.severity_of(problem.code) == kind)

    def _keep(self, problem: Problem, key: Key, row: tuple[str, int] | None, times: int = 1) -> None:
        if key not in self._problems:
            if self._of_code[problem.code] >= MOST_PROBLEMS:
                self._left_out[problem.code] += times
                return
            self._of_code[problem.code] += 1
            self._problems[key] = problem
        self._times[key] += times
        if row is not None:
            self._first_row.setdefault(key, row)

    def _all(self) -> list[Problem]:
        found = [self._counted(key, problem) for key, problem in self._problems.items()]
        for code, times in self._left_out.items():
            found.append(Problem(f"and {times} more problems of this kind", code=code))
        return found

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
        return Problem(f"{head}{note}{newline}{excerpt}", **where)
