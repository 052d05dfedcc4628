"""The promise about generated rows: they are trained on or left out, and never held out.

One that rewords a row is left out unless that row is unchanged in the training split: a paraphrase of a
held-out row would give its answer away.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ftrun.data.diagnostics.findings import FilePlace, Findings
from ftrun.data.pipeline.gathered import Gathered
from ftrun.data.pipeline.gathering import relative_name
from ftrun.data.readers.rows import Choices, read_rows
from ftrun.data.readers.sources import usable_files
from ftrun.data.split.division import TRAIN
from ftrun.data.types import Row, row_digest
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path

Place = tuple[str, int]  # file relative to the project, line


def source_rows(experiment: Experiment) -> Iterator[tuple[str, Row]]:
    """Yield the good rows of `data.sources` with their files, relative to the project."""
    project = experiment.project.resolve()
    findings = Findings()  # they were reported when the data were prepared
    files = usable_files(experiment, findings)
    choices = Choices(experiment, files, findings)
    for file in files:
        if file.role == "data" and not choices.of(file).is_full:
            name = relative_name(file.path, project)
            place = FilePlace(shown_path(file.path), findings)
            for row in read_rows(experiment, file, place, choices.of(file)):
                yield name, row


def leave_out(experiment: Experiment, gathered: Gathered, parts: bytearray, findings: Findings) -> bytearray:
    """Forget the generated rows whose seed is not trained on, with a warning; return the parts of the rest.

    One in a held-out file of its own is an error.
    """
    for index in gathered.marks:
        if parts[index] != TRAIN:
            message = "a generated row is in a file of held-out rows"
            file, line = gathered.place(index)
            findings.add("generated_held_out", message, once=True, file=file, line=line)
    wanted = {mark.seed for mark in gathered.marks.values() if mark.seed is not None}
    if not wanted:
        return parts
    found = _seeds(experiment, wanted)
    present = _parts_at({place for places in found.values() for place in places}, gathered, parts)
    held_out, gone = [], []
    for index, mark in gathered.marks.items():
        if mark.seed is None:
            continue
        where = [present[place] for place in found.get(mark.seed, ()) if place in present]
        if any(part != TRAIN for part in where):
            held_out.append(index)
        elif not where:
            gone.append(index)
    return _without(gathered, parts, findings, held_out, gone)


def _seeds(experiment: Experiment, wanted: set[str]) -> dict[str, list[Place]]:
    found: dict[str, list[Place]] = {}
    for file, row in source_rows(experiment):
        if row.mark is None and (digest := row_digest(row.values)) in wanted:
            found.setdefault(digest, []).append((file, row.line))
    return found


def _parts_at(places: set[Place], gathered: Gathered, parts: Sequence[int]) -> Mapping[Place, int]:
    found: dict[Place, int] = {}
    for index, part in enumerate(parts):
        file, line = gathered.place_of(index)
        place = (gathered.files[file], line)
        if place in places and index not in gathered.marks:
            found[place] = max(part, found.get(place, TRAIN))
    return found


def _without(
    gathered: Gathered, parts: bytearray, findings: Findings, held_out: list[int], gone: list[int]
) -> bytearray:
    count = len(held_out) + len(gone)
    if not count:
        return parts
    reasons = [f"{len(held_out)} reword rows that are held out now"] if held_out else []
    reasons += [f"{len(gone)} reword rows that were changed or are gone"] if gone else []
    file, line = gathered.place(min((*held_out, *gone)))
    message = f"{count} generated row{'s are' if count > 1 else ' is'} left out: {', '.join(reasons)}"
    findings.add("generated_left_out", message, file=file, line=line)
    dropped = bytearray(len(parts))
    for index in (*held_out, *gone):
        dropped[index] = 1
    gathered.leave_out(dropped)
    return bytearray(part for part, left in zip(parts, dropped, strict=True) if not left)
