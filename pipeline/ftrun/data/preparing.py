"""Owns the second pass: gathered examples are divided and written, whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from ftrun.data.examples import RowRenderer
from ftrun.data.findings import Findings
from ftrun.data.gather import Gathered, gather
from ftrun.data.prepared import ROLES, SOURCES, Origin, Prepared, PreparedFile, origin_lines
from ftrun.data.sources import place_of
from ftrun.data.split import TEST, TRAIN, VALIDATION, divide
from ftrun.data.split_advice import advice, sizes, taken
from ftrun.data.split_judge import judge_parts
from ftrun.experiment.model import Experiment
from ftrun.files import atomic_writer, sync_folder

Announce = Callable[[str], None]
OWN = {"data": TRAIN, "validation": VALIDATION, "test": TEST}


def prepare(
    experiment: Experiment,
    folder: Path,
    announce: Announce | None = None,
    *,
    renderer: RowRenderer | None = None,
) -> Prepared:
    """Write the prepared files into `folder`; DataError with every problem, and then nothing is written."""
    findings = Findings()
    prepared = prepare_good(experiment, folder, findings, announce, renderer=renderer, despite_errors=False)
    findings.raise_errors()
    assert prepared is not None
    return prepared


def prepare_good(
    experiment: Experiment,
    folder: Path,
    findings: Findings,
    announce: Announce | None = None,
    *,
    renderer: RowRenderer | None = None,
    despite_errors: bool = True,
) -> Prepared | None:
    """Write the good rows into `folder` and return the facts; the rest goes to `findings`.

    None, and nothing written, if there are no good rows, or errors and not `despite_errors`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as spool:
        gathered = gather(experiment, spool, findings, announce, renderer)
        roles = _divided(experiment, gathered, findings)
        if (findings.failed and not despite_errors) or not gathered.roles:
            return None
        return _write(experiment, folder, gathered, roles, findings)


def _divided(experiment: Experiment, gathered: Gathered, findings: Findings) -> bytearray:
    """Return the index into ROLES of every gathered example."""
    roles = bytearray(OWN[role] for role in gathered.roles)
    split = experiment.data.split
    mine = array("Q", (index for index, role in enumerate(gathered.roles) if role == "data"))
    asked = sizes(split, len(mine))
    if split is None or not mine or not asked:
        return roles
    if sum(asked.values()) >= len(mine):
        message = f"data.split leaves none of {len(mine)} rows to train on: {taken(split, len(mine))}"
        where = place_of(experiment, "data", "split")
        findings.add("split_too_large", message, hint=advice(split, len(mine)), **where)
        return roles
    ranks, strata = (_chosen(values, mine) for values in (gathered.rank_of, gathered.stratum_of))
    parts = divide(
        ranks,
        asked.get("validation", 0),
        asked.get("test", 0),
        strata=strata or None,
        grouped=bool(split.group_by),
    )
    for index, part in zip(mine, parts, strict=True):
        roles[index] = part
    judge_parts(experiment, gathered, roles, asked, findings)
    return roles


def _chosen(values: array[int], indices: array[int]) -> array[int]:
    """Return the values at `indices`; none of none."""
    return values if len(values) in (0, len(indices)) else array("Q", (values[index] for index in indices))


class _Writer:
    """One prepared file while it is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.hash, self.bytes, self.examples = file, hashlib.sha256(), 0, 0

    def write(self, line: bytes) -> None:
        self.file.write(line)
        self.hash.update(line)
        self.bytes += len(line)
        self.examples += 1

    def facts(self, path: Path) -> PreparedFile:
        return PreparedFile(path=path, sha256=self.hash.hexdigest(), bytes=self.bytes, examples=self.examples)


def _write(
    experiment: Experiment, folder: Path, gathered: Gathered, roles: bytearray, findings: Findings
) -> Prepared:
    paths = {role: folder / f"{role}.jsonl" for role in ROLES}
    present = [role for index, role in enumerate(ROLES) if index == TRAIN or index in roles]
    with contextlib.ExitStack() as stack:
        writers = {role: _Writer(stack.enter_context(atomic_writer(paths[role]))) for role in present}
        sidecar = stack.enter_context(atomic_writer(folder / SOURCES))
        gathered.spool.seek(0)
        for role, line in zip(roles, gathered.spool, strict=True):
            writers[ROLES[role]].write(line)
        sidecar.writelines(_origin(gathered, roles, findings))
    for stale in set(ROLES) - set(present):
        paths[stale].unlink(missing_ok=True)
    sync_folder(folder)
    return Prepared(
        folder=folder,
        files={role: writer.facts(paths[role]) for role, writer in writers.items()},
        rows=gathered.rows,
        duplicates=gathered.duplicates,
        dropped=gathered.duplicates if experiment.data.dedupe == "exact" else 0,
    )


def _origin(gathered: Gathered, roles: bytearray, findings: Findings) -> Iterator[bytes]:
    origin = Origin(
        files=gathered.files,
        rows=gathered.rows,
        duplicates=gathered.duplicates,
        first_duplicate=gathered.first_duplicate,
        warnings=[one.as_dict() for one in (*findings.warnings, *findings.notes)],
    )
    places = (
        (ROLES[role], gathered.file_of[index], gathered.line_of[index]) for index, role in enumerate(roles)
    )
    return origin_lines(origin, places)
