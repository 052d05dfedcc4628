"""Tally.json: the numbers that the first pass found, next to the prepared files that they apply to.

If they no longer apply (another model, changed files, a lost file), the prepared files are counted again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ftrun.cost.models import encoding_of, family, limit_of
from ftrun.data.pipeline.corpus_checks import compare
from ftrun.data.pipeline.counting import Counts, count
from ftrun.data.pipeline.gathering import Gathered, gather_written
from ftrun.data.pipeline.spool import Spool
from ftrun.data.quality.checks import CHECKS_VERSION, check_options
from ftrun.data.readers.sources import Role
from ftrun.data.types import SOURCES, Origin, read_origin
from ftrun.errors import DataError
from ftrun.experiment.model import Experiment
from ftrun.files import room_in, sha256_file, write_json
from ftrun.protocol.spec import SPLITS

OWN_ROLE: dict[str, Role] = {"train": "data", "validation": "validation", "test": "test"}
TALLY = "tally.json"
MOST = 255  # copies of an example; the schema allows a weight of 100
COUNT_VERSION = 3  # raise it when the same files would give other numbers


def write_tally(experiment: Experiment, folder: Path, hashes: dict[str, str], counted: Counts) -> None:
    """Keep the numbers of the prepared files that have these SHA-256."""
    write_json(folder / TALLY, {"holds for": _key(experiment, hashes), **counted.as_dict()})


def read_tally(experiment: Experiment, folder: Path) -> Counts:
    """Return the numbers of the prepared files of `folder`, counted again if the kept ones don't apply.

    DataError if the files are not there or damaged.
    """
    hashes = {role: sha256_file(path) for role, path in _present(folder)}
    if "train" not in hashes:
        hint = "Run `ftrun run CONFIG`."
        raise DataError(f"{folder} has no prepared files", code="not_prepared", hint=hint)
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        kept = json.loads((folder / TALLY).read_bytes())
        if kept["holds for"] == _key(experiment, hashes):
            return Counts.from_dict(kept)
    return _recount(experiment, folder)


def _key(experiment: Experiment, hashes: dict[str, str]) -> dict[str, Any]:
    return {
        "count version": COUNT_VERSION,
        "checks version": CHECKS_VERSION,
        "check options": check_options(experiment),
        "encoding": encoding_of(experiment.target).name,
        "family": family(experiment.target.model),
        "limit": limit_of(experiment.target),
        "sha256": hashes,
    }


def _present(folder: Path) -> Iterator[tuple[str, Path]]:
    paths = ((role, folder / f"{role}.jsonl") for role in SPLITS)
    return ((role, path) for role, path in paths if path.is_file())


def _recount(experiment: Experiment, folder: Path) -> Counts:
    origin, places = _origin(folder)
    place = Path(tempfile.gettempdir())
    with room_in(place), Spool(place) as spool:
        files = {OWN_ROLE[role]: path for role, path in _present(folder)}
        gathered = gather_written(experiment, spool, files)
        located = [place for role, _ in _present(folder) for place in places[role]]
        if len(located) == len(gathered):
            gathered.locate(origin.files, located)
            _fold(gathered)
        else:  # without sources.jsonl the places are those of the prepared files
            origin = dataclasses.replace(origin, files=gathered.files, first_duplicate=None)
        compare(experiment, gathered, gathered.roles)
        return count(gathered, gathered.roles, origin, limit_of(experiment.target))


def _origin(folder: Path) -> tuple[Origin, dict[str, list[tuple[int, int]]]]:
    origin, by_role = Origin(), {role: list[tuple[int, int]]() for role in SPLITS}
    damaged = (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError)
    with contextlib.suppress(*damaged), (folder / SOURCES).open("rb") as file:
        origin, places = read_origin(file)
        for role, index, line in places:
            by_role[role].append((index, line))
    return origin, by_role


def _fold(gathered: Gathered) -> None:
    """Take examples of one place that follow one another, as a weight writes them, for one."""
    places = itertools.pairwise(gathered.place_of(index) for index in range(len(gathered)))
    again = bytearray(itertools.chain((0,), (one == next_one for one, next_one in places)))
    if not any(again):
        return
    times = bytearray()
    for repeats in again:
        if repeats and times[-1] < MOST:
            times[-1] += 1
        elif not repeats:
            times.append(1)
    gathered.leave_out(again)
    gathered.times = times
