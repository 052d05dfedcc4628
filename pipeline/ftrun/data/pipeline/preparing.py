"""The second pass: gathered examples are divided and written, whole or not at all."""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import Callable
from pathlib import Path

from ftrun.cost.models import limit_of
from ftrun.data.diagnostics.findings import Findings
from ftrun.data.examples.making import RowRenderer
from ftrun.data.pipeline.corpus_checks import compare
from ftrun.data.pipeline.counting import Counted, count
from ftrun.data.pipeline.gathering import Gathered, gather
from ftrun.data.pipeline.generated import leave_out
from ftrun.data.pipeline.near_repeats import leave_out_near
from ftrun.data.pipeline.split_judgement import judge_parts
from ftrun.data.pipeline.spool import Spool
from ftrun.data.pipeline.tally import write_tally
from ftrun.data.pipeline.training_limits import judge_files, judge_method
from ftrun.data.pipeline.weights import weigh
from ftrun.data.pipeline.writing import write_files
from ftrun.data.split.advice import advice, sizes, taken
from ftrun.data.split.division import TRAIN, divide
from ftrun.data.types import Origin, Prepared
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of
from ftrun.files import make_folder, room_in
from ftrun.targets.training_rules import DEFAULT_CODE

Announce = Callable[[str], None]


def prepare(
    experiment: Experiment,
    folder: Path,
    announce: Announce | None = None,
    *,
    renderer: RowRenderer | None = None,
) -> Prepared:
    """Write the prepared files into `folder`; DataError with every problem, and then nothing is written."""
    # a check may look at what the default target can't do; a run stops there
    findings = Findings({DEFAULT_CODE: "error"})
    make_folder(folder)
    with room_in(folder), Spool(folder) as spool:
        gathered, parts = _gathered(experiment, spool, findings, announce, renderer)
        findings.raise_errors()
        origin = _origin(gathered, findings)
        prepared = _write(experiment, folder, gathered, parts, origin)
    counted = count(gathered, parts, origin, limit_of(experiment.target))
    write_tally(experiment, folder, {role: file.sha256 for role, file in prepared.files.items()}, counted)
    return prepared


def look_at(
    experiment: Experiment,
    findings: Findings,
    announce: Announce | None = None,
    *,
    folder: Path | None = None,
) -> Counted | None:
    """Count the good rows, and write them if there is a `folder`; the rest goes to `findings`.

    None if no row is good.
    """
    place = Path(tempfile.gettempdir())
    with room_in(place), Spool(place) as spool:
        gathered, parts = _gathered(experiment, spool, findings, announce, None)
        if not gathered:
            return None
        origin = _origin(gathered, findings)
        if folder is not None:
            _write(experiment, folder, gathered, parts, origin)
    return count(gathered, parts, origin, limit_of(experiment.target))


def _gathered(
    experiment: Experiment,
    spool: Spool,
    findings: Findings,
    announce: Announce | None,
    renderer: RowRenderer | None,
) -> tuple[Gathered, bytearray]:
    """Return the good rows and the part of each."""
    judge_method(experiment, findings)
    gathered = gather(experiment, spool, findings, announce, renderer)
    if experiment.data.dedupe == "near":
        leave_out_near(gathered)
    parts = leave_out(experiment, gathered, _divided(experiment, gathered, findings), findings)
    parts = weigh(gathered, parts)
    judge_files(experiment, gathered, parts, findings)
    compare(experiment, gathered, parts)
    return gathered, parts


def _divided(experiment: Experiment, gathered: Gathered, findings: Findings) -> bytearray:
    """Return the part of every gathered example, an index into SPLITS."""
    parts = bytearray(gathered.roles)
    split = experiment.data.split
    data = (index for index, role in enumerate(gathered.roles) if role == TRAIN)
    mine = array("I", (index for index in data if index not in gathered.marks))
    asked = sizes(split, len(mine))
    if split is None or not mine or not asked:
        return parts
    if sum(asked.values()) >= len(mine):
        message = f"data.split leaves none of {len(mine)} rows to train on: {taken(split, len(mine))}"
        where = place_of(experiment, "data", "split")
        findings.add("split_too_large", message, hint=advice(split, len(mine)), **where)
        return parts
    ranks, strata = (_chosen(values, mine) for values in (gathered.rank_of, gathered.stratum_of))
    divided = divide(
        ranks,
        asked.get("validation", 0),
        asked.get("test", 0),
        strata=strata or None,
        grouped=bool(split.group_by),
    )
    for index, part in zip(mine, divided, strict=True):
        parts[index] = part
    judge_parts(experiment, gathered, parts, asked, findings)
    return parts


def _chosen(values: array[int], indices: array[int]) -> array[int]:
    """Return the values at `indices`; none of none."""
    return values if len(values) in (0, len(indices)) else array("Q", (values[index] for index in indices))


def _write(
    experiment: Experiment, folder: Path, gathered: Gathered, parts: bytearray, origin: Origin
) -> Prepared:
    return Prepared(
        folder=folder,
        files=write_files(folder, gathered, parts, origin),
        rows=gathered.rows,
        duplicates=gathered.duplicates,
        dropped=(gathered.duplicates if experiment.data.dedupe != "off" else 0) + gathered.near,
    )


def _origin(gathered: Gathered, findings: Findings) -> Origin:
    return Origin(
        files=gathered.files,
        rows=gathered.rows,
        duplicates=gathered.duplicates,
        first_duplicate=gathered.first_duplicate,
        near=gathered.near,
        first_near=gathered.first_near,
        warnings=[one.as_dict() for one in (*findings.warnings, *findings.notes)],
        masked=dict(gathered.masked),
    )
