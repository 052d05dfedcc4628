"""The order in which files are read, and how rows are handed out: in spans, or read here in portions.

Also what is found while reading here: it travels with the rows, so that all is told in the files' order.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Container, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ftrun.data.diagnostics.findings import Findings
from ftrun.data.diagnostics.place import FilePlace
from ftrun.data.pipeline.row_work import Task
from ftrun.data.readers.file_spans import OddFileError, can_divide, divide_file
from ftrun.data.readers.rows import Choices, read_rows
from ftrun.data.readers.selection import Choice
from ftrun.data.readers.sources import SourceFile
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path

Announce = Callable[[str], None]
PORTION = 250  # rows handed out at a time


class Step(NamedTuple):
    """A part of the reading: `findings` come first, then what comes of `task`.

    `opens` is the name of a file that begins here, `ends` a file that is over; None: neither. `seen` is how
    many rows a file has that was read here, before any were left out.
    """

    file: int  # index into the files
    findings: Findings
    task: Task | None = None
    opens: str | None = None
    weight: float = 1
    ends: FilePlace | None = None
    seen: int | None = None


class Reading:
    """The steps through all files. `whole`: the files (indices) that must not be read in spans."""

    def __init__(
        self,
        experiment: Experiment,
        files: Sequence[SourceFile],
        whole: Container[int] = (),
        announce: Announce | None = None,
    ) -> None:
        self._experiment, self._files, self._whole, self._announce = experiment, files, whole, announce
        self._findings = Findings()
        self._choices = Choices(experiment, files, self._findings)

    def steps(self) -> Iterator[Step]:
        """Yield all steps; OddFileError, with the file's index, if one can't be read in spans after all."""
        project = self._experiment.project.resolve()
        for index, file in enumerate(self._files):
            in_spans = index not in self._whole and can_divide(file)
            choice = None if in_spans else self._choices.of(file)
            if choice is not None and choice.is_full:
                continue
            place = FilePlace(shown_path(file.path), self._findings)
            if self._announce:
                self._announce(f"reading {place.name}")
            name, weight = relative_name(file.path, project), file.source.weight
            yield Step(index, self._findings.drain(), opens=name, weight=weight)
            seen = choice.seen if choice else 0
            tasks = self._portions(file, place, choice) if choice else self._spans(index, file, place)
            for task in tasks:
                yield Step(index, self._findings.drain(), task)
            yield Step(index, self._findings.drain(), ends=place, seen=choice.seen - seen if choice else None)
        self._choices.finish()
        yield Step(-1, self._findings.drain())

    def _spans(self, index: int, file: SourceFile, place: FilePlace) -> Iterator[Task]:
        try:
            for span in divide_file(file):
                yield Task(file, place.name, [], span)
        except OddFileError as error:
            error.index = index
            raise

    def _portions(self, file: SourceFile, place: FilePlace, choice: Choice) -> Iterator[Task]:
        rows = read_rows(self._experiment, file, place, self._findings, choice)
        while portion := list(itertools.islice(rows, PORTION)):
            yield Task(file, place.name, portion)


def relative_name(path: Path, project: Path) -> str:
    """Return the name of a data file relative to the (resolved) project, whole if it lies elsewhere."""
    resolved = path.parent.resolve() / path.name
    return str(resolved.relative_to(project)) if resolved.is_relative_to(project) else str(path)
