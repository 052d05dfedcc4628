"""A job on its way to an experiment: what must be fetched of it, and what came of that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ftrun.runner.importing.fetching import Fetched, FetchTask
from ftrun.runner.importing.jobs import MISSING_WORDS
from ftrun.runner.importing.names import KnownImport
from ftrun.targets import Job


@dataclass(slots=True, kw_only=True)
class PendingJob:
    """A job, the name of its experiment, and by what it is to the job (training_file, events, …) each thing
    that it needs and that came.
    """

    job: Job
    name: str
    known: KnownImport | None
    notes: list[str]
    needs: dict[str, FetchTask]
    came: dict[str, Fetched] = field(default_factory=dict)

    def take(self, task: FetchTask, fetched: Fetched) -> None:
        """Note what came of a task."""
        self.came.update((name, fetched) for name, needed in self.needs.items() if needed == task)

    @property
    def is_complete(self) -> bool:
        """Return whether everything has come."""
        return self.needs.keys() == self.came.keys()

    def value(self, name: str) -> Any:
        """Return what came; None if the job has no such thing, or the provider did not give it."""
        return self.came[name].value if name in self.came else None

    def missing(self) -> tuple[str, ...]:
        """Return what is missing; every job has a training file, even one whose server names none."""
        unnamed = () if "training_file" in self.needs else ("training_file",)
        return (*unnamed, *(name for name in self.needs if self.came[name].error is not None))

    def reasons(self) -> Iterator[str]:
        """Yield why something is missing."""
        if "training_file" not in self.needs:
            yield "the server names no training file: nothing can be trained again"
        for name, fetched in self.came.items():
            if fetched.error is not None:
                yield f"{MISSING_WORDS[name]} is missing: {fetched.error}"


def needs_of(job: Job) -> Iterator[tuple[str, FetchTask]]:
    """Yield what must be fetched of a job."""
    if job.training_file:
        yield "training_file", FetchTask(kind="file", id=job.training_file)
    if job.validation_file:
        yield "validation_file", FetchTask(kind="file", id=job.validation_file)
    if job.result_files:
        yield "result_file", FetchTask(kind="result", id=job.result_files[0])
    yield "events", FetchTask(kind="events", id=job.id)
    yield "checkpoints", FetchTask(kind="checkpoints", id=job.id)
