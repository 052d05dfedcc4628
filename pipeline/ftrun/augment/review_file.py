"""The review file, and the training file of its approved rows.

Both are written whole. A person may edit the review file by hand; every change reads it again first.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from ftrun.augment.entries import ReviewEntry, Status
from ftrun.augment.row_texts import Fields, RowTexts
from ftrun.data.readers.sources import REVIEW_ENDING
from ftrun.errors import DataError, DecisionError, UsageError
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.files import anchored, delete, file_lock, make_folder, refuse_file, write_atomic

LOCK_SECONDS = 10.0


class ReviewFile:
    """The proposed rows of one experiment, and the file that its approved rows go into."""

    def __init__(self, experiment: Experiment, row_texts: RowTexts, locks: Path) -> None:
        self.training = training_path(experiment)
        self.path = self.training.with_name(self.training.name.removesuffix(".jsonl") + REVIEW_ENDING)
        refuse_file(self.path)
        self._row_texts, self._lock = row_texts, locks / "review.lock"

    def entries(self) -> list[ReviewEntry]:
        """Return the entries; DataError names the line of one that can't be read."""
        if not self.path.exists():
            return []
        found: dict[str, ReviewEntry] = {}
        for number, line in enumerate(self.path.read_text(encoding="utf-8-sig").split("\n"), 1):
            if line.strip():
                entry = self._entry(line, number)
                if entry.id in found:
                    raise self._wrong(number, f"the id {entry.id!r} is duplicated")
                found[entry.id] = entry
        return list(found.values())

    def _entry(self, line: str, number: int) -> ReviewEntry:
        try:
            return ReviewEntry.of(json.loads(line))
        except (ValueError, TypeError, RecursionError) as error:
            raise self._wrong(number, str(error)) from error

    def _wrong(self, line: int, message: str) -> DataError:
        hint = "Fix the line, or restore the file from git. Nothing was changed."
        where = shown_path(self.path)
        return DataError(
            f"this is not an entry of a review file: {message}",
            code="review_file",
            file=where,
            line=line,
            hint=hint,
        )

    def add(self, entries: Sequence[ReviewEntry]) -> list[ReviewEntry]:
        """Add the entries that are not there yet, and return those."""

        def added(there: list[ReviewEntry]) -> list[ReviewEntry]:
            known = {entry.id for entry in there}
            return [*there, *(entry for entry in entries if entry.id not in known)]

        with self._changed(added) as (before, after):
            return after[len(before) :]

    def decide(self, ids: Sequence[str], status: Status) -> list[ReviewEntry]:
        """Give entries a status; UsageError for an unknown id, DataError for one that lacks its answer."""

        def decided(there: list[ReviewEntry]) -> list[ReviewEntry]:
            unknown = set(ids) - {entry.id for entry in there}
            if unknown:
                hint = "`ftrun review CONFIG --list` shows the ids."
                raise UsageError(f"there is no entry {sorted(unknown)[0]!r}", code="unknown_id", hint=hint)
            return [self.judged(entry, status) if entry.id in ids else entry for entry in there]

        with self._changed(decided) as (_, after):
            return [entry for entry in after if entry.id in ids]

    def save(self, name: str, version: str, status: Status, new: Fields) -> ReviewEntry:
        """Write one entry's status and texts; DecisionError if it is not the `version` that was shown."""

        def saved(there: list[ReviewEntry]) -> list[ReviewEntry]:
            entry = next((one for one in there if one.id == name), None)
            if entry is None or entry.version != version:
                message = "somebody else changed this row in the meantime: reload the page"
                raise DecisionError(message, code="changed_meanwhile")
            if set(new) != set(entry.new):
                raise UsageError("the texts are not those of this row", code="wrong_texts")
            changed = self.judged(dataclasses.replace(entry, new=new), status)
            return [changed if one is entry else one for one in there]

        with self._changed(saved) as (_, after):
            return next(entry for entry in after if entry.id == name)

    def judged(self, entry: ReviewEntry, status: Status) -> ReviewEntry:
        """Return the entry with a status; DataError where a row to be approved lacks a text."""
        if status == "approved" and (missing := self._row_texts.missing(entry.new)):
            raise DataError(
                f"{entry.id} has no {' and no '.join(missing)} yet, so it can't be approved",
                code="no_answer",
                hint=f"Write it on the page (`ftrun review CONFIG`) or into {shown_path(self.path)}.",
            )
        return dataclasses.replace(entry, status=status)

    def write_training_file(self) -> int:
        """Write the approved rows, and return how many; without any the file is deleted."""
        with self._changed(lambda there: there) as (entries, _):
            return sum(entry.status == "approved" for entry in entries)

    @contextlib.contextmanager
    def _changed(
        self, change: Callable[[list[ReviewEntry]], list[ReviewEntry]]
    ) -> Iterator[tuple[list[ReviewEntry], list[ReviewEntry]]]:
        """Read, change and write both files while nobody else does; yield the entries before and after."""
        make_folder(self._lock.parent)
        with file_lock(self._lock, timeout=LOCK_SECONDS):
            before = self.entries()
            after = change(before)
            for entry in after:
                self.judged(entry, entry.status)  # also one that was edited by hand
            if after != before:
                write_atomic(self.path, "".join(entry.line() + "\n" for entry in after))
            self._write_approved(after)
        yield before, after

    def _write_approved(self, entries: Sequence[ReviewEntry]) -> None:
        rows = [entry.row(self._row_texts) for entry in entries if entry.status == "approved"]
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        if not rows:
            delete(self.training)
        elif not self.training.exists() or self.training.read_text(encoding="utf-8") != text:
            write_atomic(self.training, text)


def training_path(experiment: Experiment) -> Path:
    """Return where approved rows go; UsageError if it is outside the project or not a file of ftrun."""
    given = experiment.data.augment.path
    path = anchored(
        given or _beside_the_data(experiment) / f"{experiment.name}.augmented.jsonl", experiment.project
    )
    refuse_file(path)
    if not path.resolve().is_relative_to(experiment.project.resolve()):
        message = f"{shown_path(path)} is outside the project {shown_path(experiment.project)}"
        raise UsageError(message, code="outside_project", hint="Fix `data.augment.path`.")
    if path.exists() and not _is_ours(path):
        raise UsageError(
            f"{shown_path(path)} contains rows that ftrun did not write",
            code="not_ours",
            hint="Set `data.augment.path` to another file: this one would be overwritten.",
        )
    return path


def _is_ours(path: Path) -> bool:
    from ftrun.data.types import MARK

    with path.open(encoding="utf-8", errors="replace") as lines:
        return all(f'"{MARK}"' in line for line in lines if line.strip())


def _beside_the_data(experiment: Experiment) -> Path:
    source = experiment.data.sources[0]
    folder = (source.base / source.path).parent if source.path else source.base
    while glob.has_magic(str(folder)):
        folder = folder.parent
    return folder if folder.resolve().is_relative_to(experiment.project.resolve()) else experiment.file.parent


def yaml_line(experiment: Experiment, training: Path) -> str | None:
    """Return the line for `data.sources` that makes the file a source; None if it is one."""
    from ftrun.data.diagnostics.findings import Findings
    from ftrun.data.readers.sources import usable_files

    if any(file.path.resolve() == training.resolve() for file in usable_files(experiment, Findings())):
        return None
    name = os.path.relpath(training.resolve(), experiment.file.parent.resolve())
    return (
        f"- {{path: {name}}}"
        if name.isascii() and " " not in name
        else f"- {{path: {json.dumps(name, ensure_ascii=False)}}}"
    )


def as_json(entry: ReviewEntry) -> Mapping[str, object]:
    """Return an entry as the page and `--json` show it."""
    return {**json.loads(entry.line()), "version": entry.version}
