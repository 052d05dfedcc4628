"""The place of a row while a file is read: who reads says what is wrong, this says where."""

from __future__ import annotations

from ftrun.data.diagnostics.findings import Findings


class FilePlace:
    """A data file as messages show it, and where its problems go."""

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
        """Add what was found about the file in another process."""
        self._findings.merge(found)


class UnusableFileError(Exception):
    """The file can't be read on; its problem has been added."""
