"""What an import did: which jobs are experiments now, which were before, and which failed and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

EXPECTED = ("job_failed", "job_cancelled", "job_unfinished")  # nothing went wrong here


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedJob:
    """A job that is an experiment now, or was before."""

    job_id: str
    config: str
    files: tuple[str, ...]
    fine_tuned_model: str | None
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as in `import --json`."""
        return {
            "job_id": self.job_id,
            "config": self.config,
            "files": list(self.files),
            "fine_tuned_model": self.fine_tuned_model,
            "missing": list(self.missing),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedJob:
    """A job that was not imported, and why; `status` is the provider's."""

    job_id: str
    message: str
    code: str
    status: str | None = None

    @property
    def expected(self) -> bool:
        """Return whether nothing went wrong here: the job has no model to import (yet)."""
        return self.code in EXPECTED

    def as_dict(self) -> dict[str, Any]:
        """Return it as in `import --json`."""
        return {"job_id": self.job_id, "message": self.message, "code": self.code, "status": self.status}


@dataclass(slots=True, kw_only=True)
class ImportResult:
    """What an import did."""

    folder: Path
    imported: list[ImportedJob] = field(default_factory=list)
    skipped: list[ImportedJob] = field(default_factory=list)
    failed: list[FailedJob] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return it as in `import --json`."""
        return {
            **{name: [one.as_dict() for one in getattr(self, name)] for name in ("imported", "skipped")},
            "failed": [one.as_dict() for one in self.failed],
            "notes": self.notes,
        }
