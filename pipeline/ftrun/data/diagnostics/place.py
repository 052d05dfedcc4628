"""The file that is being read, as messages name it: readers report what is wrong, this adds where."""

from __future__ import annotations

from ftrun.data.diagnostics.findings import Findings


class FilePlace:
    """A data file as messages name it, and where its problems go."""

    __slots__ = ("_findings", "name")

    def __init__(self, name: str, findings: Findings) -> None:
        self.name = name
        self._findings = findings

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
        self._findings.add(code, message, file=self.name, line=line, column=column, hint=hint, once=once)

    def merge(self, found: Findings) -> None:
        """Add what another process found in the file."""
        self._findings.merge(found)


class UnusableFileError(Exception):
    """The rest of the file can't be read; the problem has been added."""
