"""The second pass: gathered examples are divided and written, whole or not at all."""

from __future__ import annotations

import itertools
import tempfile
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path

from ftrun.cost.models import limit_of
from ftrun.data.diagnostics.findings import Findings
from ftrun.data.pipeline.corpus_checks import compare
from ftrun.data.pipeline.counting import Counts, count, write_tally
from ftrun.data.pipeline.gathered import Gathered, Spool
from ftrun.data.pipeline.gathering import Announce, gather
from ftrun.data.pipeline.generated import leave_out
from ftrun.data.pipeline.judging import judge_files, judge_method, judge_parts, note_unused_columns
from ftrun.data.pipeline.replaying import mix_in
from ftrun.data.pipeline.writing import write_files
from ftrun.data.readers.selection import copies
from ftrun.data.readers.sources import usable_files, verbatim_files
from ftrun.data.split.advice import advice, sizes, taken
from ftrun.data.split.division import TEST, TRAIN, divide
from ftrun.data.types import Origin, Prepared
from ftrun.errors import Problem
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of
from ftrun.files import make_folder, room_in
from ftrun.targets.training_rules import DEFAULT_CODE

DIGEST = 16  # bytes


def prepare(
    experiment: Experiment,
    folder: Path,
    announce: Announce | None = None,
    *,
    near_by_letters: bool = False,
    trained: bool = False,
) -> Prepared:
    """Write the prepared files into `folder`; DataError with every problem, and then nothing is written.

    `near_by_letters`: leave out near-duplicates as older versions did, to make the files of theirs again.
    `trained`: a model was trained on them already, so files that are sent as they are (`data.verbatim`) are
    written whatever is wrong with them; the check reports it.
    """
    # a check accepts what the default target can't do; a run stops there
    findings = Findings({DEFAULT_CODE: "error"})
    make_folder(folder)
    with room_in(folder), Spool(folder) as spool:
        gathered, parts = _gathered(experiment, spool, findings, announce, near_by_letters=near_by_letters)
        if not (trained and experiment.data.verbatim):
            findings.raise_errors()
        origin = _origin(experiment, gathered, parts, findings)
        files = write_files(folder, gathered, parts, origin, verbatim_files(experiment))
    counted = count(gathered, parts, origin, limit_of(experiment.target))
    write_tally(experiment, folder, {role: file.sha256 for role, file in files.items()}, counted)
    return Prepared(
        folder=folder,
        files=files,
        rows=gathered.rows,
        duplicates=gathered.duplicates,
        dropped=(gathered.duplicates if experiment.data.dedupe != "off" else 0) + gathered.near,
    )


def look_at(
    experiment: Experiment,
    findings: Findings,
    announce: Announce | None = None,
    *,
    folder: Path | None = None,
) -> Counts | None:
    """Count the good rows, and write them if there is a `folder`; the rest goes to `findings`.

    None if no row is good.
    """
    spooled = Path(tempfile.gettempdir())
    with room_in(spooled), Spool(spooled) as spool:
        gathered, parts = _gathered(experiment, spool, findings, announce)
        if not gathered:
            return None
        origin = _origin(experiment, gathered, parts, findings)
        if folder is not None:
            write_files(folder, gathered, parts, origin)
    return count(gathered, parts, origin, limit_of(experiment.target))


def _gathered(
    experiment: Experiment,
    spool: Spool,
    findings: Findings,
    announce: Announce | None,
    *,
    near_by_letters: bool = False,
) -> tuple[Gathered, bytearray]:
    """Return the good rows and the part of each."""
    judge_method(experiment, findings)
    files = usable_files(experiment, findings)
    gathered = gather(experiment, files, spool, findings, announce)
    note_unused_columns(experiment, files, findings)
    gathered.find_duplicates(drop=experiment.data.dedupe != "off")
    if experiment.data.dedupe == "near":
        _leave_out_near(gathered, by_letters=near_by_letters)
    parts = leave_out(experiment, gathered, _divided(experiment, gathered, findings), findings)
    parts = _weighted(gathered, parts)
    compare(experiment, gathered, parts)
    parts = mix_in(experiment, gathered, parts, findings, announce)
    judge_files(experiment, gathered, parts, findings)
    return gathered, parts


def _found(findings: Findings) -> Iterator[Problem]:
    """Yield what was found, with errors where the files are written in spite of them."""
    yield from (*findings.errors, *findings.warnings, *findings.notes)


def _leave_out_near(gathered: Gathered, *, by_letters: bool) -> None:
    """Leave out of the rows that are divided those that nearly repeat an earlier one that stays.

    Held-out files of their own keep all their rows. quality/similarity.py states time and memory.
    """
    from ftrun.data.quality.similarity import compared, dropped, letters_alone, near_pairs

    indices = [index for index, role in enumerate(gathered.roles) if role == TRAIN]
    texts = letters_alone if by_letters else compared

    def read(wanted: Iterable[int]) -> Iterator[tuple[str, str]]:
        return map(texts, gathered.spool.examples(wanted))

    gone = dropped(near_pairs(indices, read, by_letters=by_letters))
    if not gone:
        return
    gathered.near, gathered.near_places = len(gone), gathered.places_of(sorted(gone))
    gathered.leave_out(bytearray(index in gone for index in range(len(gathered))))


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
    strata = array("Q", (gathered.stratum_of[index] for index in mine)) if gathered.stratum_of else None
    divided = divide(
        array("Q", (gathered.rank_of[index] for index in mine)),
        asked.get("validation", 0),
        asked.get("test", 0),
        strata=strata,
        grouped=bool(split.group_by),
    )
    for index, part in zip(mine, divided, strict=True):
        parts[index] = part
    judge_parts(experiment, gathered, parts, asked, findings)
    return parts


def _weighted(gathered: Gathered, parts: bytearray) -> bytearray:
    """Note how often each example is written, leave out those that are not; return the parts of the rest."""
    if all(weight == 1 for weight in gathered.weights):
        return parts
    times = bytearray(b"\1") * len(parts)
    for index in (index for index, part in enumerate(parts) if part == TRAIN):
        weight = gathered.weights[gathered.place_of(index)[0]]
        times[index] = copies(weight, bytes(gathered.digests[index * DIGEST : (index + 1) * DIGEST]))
    unused = bytearray(count == 0 for count in times)
    if any(unused):
        gathered.leave_out(unused)
    gathered.times = bytearray(count for count in times if count)
    return bytearray(itertools.compress(parts, times))


def _origin(experiment: Experiment, gathered: Gathered, parts: bytearray, findings: Findings) -> Origin:
    grouped = experiment.data.split is not None and bool(experiment.data.split.group_by)
    held_out = (rank for rank, part in zip(gathered.rank_of, parts, strict=True) if part == TEST)
    return Origin(
        files=gathered.files,
        rows=gathered.rows,
        duplicates=gathered.duplicates,
        duplicate_places=gathered.duplicate_places,
        near=gathered.near,
        near_places=gathered.near_places,
        warnings=[{**one.as_dict(), "places": one.places} for one in _found(findings)],
        masked=dict(gathered.masked),
        replay=list(gathered.replay),
        test_groups=[f"{rank:016x}" for rank in held_out] if grouped else (),
    )
