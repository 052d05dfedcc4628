"""Why a row has no example: which rule of the experiment left it out.

Reads the data again, under one rule after the other; writes nothing. For one row that a user asks about.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ftrun.data.diagnostics.findings import FilePlace, Findings
from ftrun.data.pipeline.gathered import Gathered, Spool
from ftrun.data.pipeline.gathering import gather
from ftrun.data.quality.similarity import compared, dropped, near_pairs
from ftrun.data.readers.rows import Choices, read_rows
from ftrun.data.readers.sources import SourceFile, usable_files
from ftrun.data.split.division import TRAIN
from ftrun.data.split.duplicates import WIDTH, repeated
from ftrun.data.types import Row
from ftrun.errors import Problem
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of, shown_path

CODE = "no_example"
FREE: dict[str, Any] = {"where": None, "sample": None, "limit": None, "group_by": (), "order_by": None}
LISTED = 5  # names of files
NO_ROW = "no row starts at that line"


def why_left_out(experiment: Experiment, name: str, line: int) -> Problem:
    """Return the rule that left out the row at `line` of the file that messages call `name` (or end with)."""
    files = usable_files(experiment, Findings())
    mine = [file for file in files if _is_called(file, name)]
    if not mine:
        listed = ", ".join(list(dict.fromkeys(shown_path(file.path) for file in files))[:LISTED])
        return _problem(f"no example came from {name}:{line}: no source reads that file", f"Files: {listed}.")
    found: Problem | None = None
    for file in mine:  # the same file may be in several sources
        found = _why(experiment, files, file, line)
        if found.code == CODE and not found.message.endswith(NO_ROW):
            break
    assert found is not None
    return found


def _why(experiment: Experiment, files: Sequence[SourceFile], file: SourceFile, line: int) -> Problem:
    row = f"{shown_path(file.path)}:{line}"
    rows = _lines(experiment, files, file)
    if line not in rows:
        return _no_row(file, line, sorted(rows))
    source = file.source
    steps: tuple[tuple[str, str], ...] = (
        ("where", f"no example came from {row}: `where` is not true for it"),
        ("group_by", f"no example came from {row}: it is part of a conversation of several rows"),
        ("sample", f"no example came from {row}: it is not in the `sample` of the source"),
        ("limit", f"no example came from {row}: the `limit` of the source was reached before it"),
    )
    kept: dict[str, Any] = dict(FREE)
    for key, message in steps:
        kept[key] = getattr(source, key)
        if key == "group_by":
            kept["order_by"] = source.order_by
        if kept[key] and line not in _lines(experiment, files, file, **kept):
            hint = _first_row_hint(experiment, files, file, line) if key == "group_by" else None
            return _problem(message, hint, **place_of(experiment, *source.key, key))
    return _of_gathered(experiment, files, file, line)


def _no_row(file: SourceFile, line: int, lines: Sequence[int]) -> Problem:
    name = shown_path(file.path)
    message = f"no example came from {name}:{line}: {NO_ROW}"
    before = max((one for one in lines if one < line), default=None)
    if not lines:
        return _problem(message, f"{name} has no row that can be read.")
    if before is None:
        return _problem(message, f"The first row starts at line {lines[0]}: --row {name}:{lines[0]}")
    if before == lines[-1]:
        return _problem(message, f"The last row starts at line {before}: --row {name}:{before}")
    return _problem(
        message, f"The row around it, or before it, starts at line {before}: --row {name}:{before}"
    )


def _lines(
    experiment: Experiment, files: Sequence[SourceFile], file: SourceFile, **rules: Any
) -> dict[int, Row]:
    """Return the rows of `file`, by their lines, that its source chooses by these rules alone."""
    source = replace(file.source, **{**FREE, **rules})
    changed = [replace(one, source=source) for one in files if one.source.key == source.key]
    findings = Findings()
    choices = Choices(experiment, changed, findings)
    found: dict[int, Row] = {}
    for one in changed:
        place = FilePlace(shown_path(one.path), findings)
        rows = () if choices.of(one).is_full else read_rows(experiment, one, place, choices.of(one))
        for row in rows:
            if one.path == file.path:
                found[row.line] = row
    return found


def _first_row_hint(
    experiment: Experiment, files: Sequence[SourceFile], file: SourceFile, line: int
) -> str | None:
    """Return where the conversation of a row starts, which is the place of its example."""
    source = file.source
    rules = {"where": source.where, "group_by": source.group_by, "order_by": source.order_by}
    for start, conversation in _lines(experiment, files, file, **rules).items():
        if line in conversation.lines:
            return f"The conversation is named by its first row: --row {shown_path(file.path)}:{start}"
    return "No conversation has it: its group is blank, or lacks an answer. `ftrun check` says more."


def _of_gathered(experiment: Experiment, files: Sequence[SourceFile], file: SourceFile, line: int) -> Problem:
    """Return what happened to the example of a row that its source chose."""
    folder = Path(tempfile.gettempdir())
    with Spool(folder) as spool:
        gathered = gather(experiment, files, spool, Findings())
        place = (shown_path(file.path), line)
        problem = _repeats(experiment, gathered, place)
    if problem is not None:
        return problem
    source, row = file.source, f"{place[0]}:{line}"
    if source.weight < 1:
        message = f"no example came from {row}: `weight: {source.weight:g}` of the source leaves it out"
        return _problem(message, None, **place_of(experiment, *source.key, "weight"))
    message = f"no example came from {row}: it can't be used"
    return _problem(message, "`ftrun check` says what is wrong with it.")


def _repeats(experiment: Experiment, gathered: Gathered, place: tuple[str, int]) -> Problem | None:
    """Return which earlier row the one at `place` repeats, and the rule that leaves it out."""
    row = f"{place[0]}:{place[1]}"
    rule = place_of(experiment, "data", "dedupe")
    index = _index(gathered, place)
    if index is None:
        return None
    digest = _digest(gathered, index)
    marks = repeated(gathered.digests, gathered.roles)
    if experiment.data.dedupe != "off" and marks[index]:
        same = (one for one in range(index) if gathered.roles[one] == gathered.roles[index])
        first = next(one for one in same if _digest(gathered, one) == digest)
        earlier = ":".join(map(str, gathered.place(first)))
        message = f"no example came from {row}: it makes the same example as {earlier}, which is used"
        return _problem(message, "`data.dedupe: off` keeps repeated rows.", **rule)
    if experiment.data.dedupe == "near":
        gathered.find_duplicates(drop=True)
        near = _near(gathered, place)
        if near is not None:
            message = f"no example came from {row}: it nearly repeats {near}, which is used"
            return _problem(message, "`data.dedupe: exact` leaves out only rows that are the same.", **rule)
    if _index(gathered, place) in gathered.marks:
        message = f"no example came from {row}: it rewords a row that is held out, was changed or is gone"
        return _problem(message, "`ftrun augment` can reword today's training rows.")
    return None


def _near(gathered: Gathered, place: tuple[str, int]) -> str | None:
    index = _index(gathered, place)
    indices = [one for one, role in enumerate(gathered.roles) if role == TRAIN]
    pairs = near_pairs(indices, lambda wanted: map(compared, gathered.spool.examples(wanted)))
    gone = dropped(pairs)
    if index not in gone:
        return None
    kept = min(earlier for later, earlier in pairs if later == index and earlier not in gone)
    return ":".join(map(str, gathered.place(kept)))


def _index(gathered: Gathered, place: tuple[str, int]) -> int | None:
    return next((one for one in range(len(gathered)) if gathered.place(one) == place), None)


def _digest(gathered: Gathered, index: int) -> bytes:
    return bytes(gathered.digests[index * WIDTH : (index + 1) * WIDTH])


def _is_called(file: SourceFile, name: str) -> bool:
    shown = shown_path(file.path)
    return shown == name or shown.endswith(f"/{name}") or str(file.path) == name


def _problem(message: str, hint: str | None, **where: Any) -> Problem:
    return Problem(message, code=CODE, hint=hint, **where)
