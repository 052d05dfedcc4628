"""The names of imported experiments, and what an earlier import has left: nothing of others is taken."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.errors import FtrunError
from ftrun.experiment import read_document
from ftrun.experiment.nodes import find, get_in
from ftrun.scaffold.naming import ascii_name
from ftrun.targets import Job

ENDS = (8, 16, 40)  # letters of a job's id that tell it from others of the same suffix, fewest first
LONGEST = 64
SHA256 = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownImport:
    """The experiment file of a job that was imported before. `data` are the paths of its data files."""

    path: Path
    name: str
    target: str
    job_id: str
    fine_tuned_model: str | None
    missing: tuple[str, ...]
    data: tuple[Path, ...]


def known_imports(configs: Path) -> dict[str, KnownImport]:
    """Return what was imported into a folder before, by job id."""
    found: dict[str, KnownImport] = {}
    for path in sorted(configs.glob("*.yaml")):
        one = _known(path)
        # of copies, the one whose name is its file's is ours
        if one is not None and (one.job_id not in found or one.name == path.stem):
            found[one.job_id] = one
    return found


def _known(path: Path) -> KnownImport | None:
    """Return what a file says of the job that it was imported from, None if it was not imported."""
    try:
        if path.is_symlink() or not path.is_file() or b"imported" not in path.read_bytes():
            return None
        document = read_document(path)
    except (FtrunError, OSError):
        return None
    given, node = get_in(document.data, "imported"), find(document.root, ("imported", "job_id"))
    if not isinstance(given, Mapping) or node is None or node.file != document.path:
        return None  # one that extends an imported one is another experiment
    job_id, model, missing = given.get("job_id"), given.get("fine_tuned_model"), given.get("missing")
    if not isinstance(job_id, str):
        return None
    return KnownImport(
        path=path,
        name=str(document.data.get("name")),
        target=_target(document.data),
        job_id=job_id,
        fine_tuned_model=model if isinstance(model, str) else None,
        missing=tuple(map(str, missing)) if isinstance(missing, list) else (),
        data=tuple(path.parent / one for one in _data_paths(document.data)),
    )


def _target(data: Any) -> str:
    targets = get_in(data, "targets")
    only = next(iter(targets), "") if isinstance(targets, Mapping) else ""
    return str(data.get("target") or only)


def _data_paths(data: Any) -> Iterator[str]:
    """Yield the paths of data files that are named by their content, as an import names them."""
    for place in (("data", "sources"), ("data", "split", "validation")):
        listed = get_in(data, *place)
        for one in listed if isinstance(listed, list) else ():
            path = one.get("path") if isinstance(one, Mapping) else None
            if isinstance(path, str) and SHA256.fullmatch(Path(path).stem):
                yield path


def is_taken(name: str, job_id: str, configs: Path, runs: Path) -> bool:
    """Return whether an experiment of that name, which is not this job's, is in the way."""
    files = [configs / f"{name}{ending}" for ending in (".yaml", ".yml")]
    if any(path.is_symlink() or path.exists() for path in files):
        return True
    states = [*(runs / name).glob("*/state.json")]
    return any(in_json(job_id) not in _bytes(path) for path in states)


def in_json(job_id: str) -> bytes:
    """Return a job's id as a state file has it."""
    return json.dumps(job_id, ensure_ascii=False).encode(errors="surrogatepass")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


@dataclass(slots=True, kw_only=True)
class JobNames:
    """Gives jobs their names, the oldest first, so that the same account gets the same names each time."""

    configs: Path
    runs: Path
    given: set[str]  # lower case, as some file systems have it

    def name_for(self, job: Job) -> tuple[str | None, str | None]:
        """Return a free name and, where the better one is taken by something else, that one; no name if none
        is free.
        """
        slug = ascii_name(_spoken(job))
        wanted = [f"{slug[: LONGEST - size - 1]}-{end}" for size, end in _ends(job.id)]
        if job.suffix and slug:
            wanted.insert(0, slug)
        other = None
        for name in wanted:
            if name in self.given:
                continue
            if not is_taken(name, job.id, self.configs, self.runs):
                self.given.add(name)
                return name, other
            other = other or name
        return None, other or wanted[0]


def _spoken(job: Job) -> str:
    """Return the text that the name is made of: the suffix, else the base's name."""
    return job.suffix or job.model.rpartition("/")[2] or "job"


def _ends(job_id: str) -> Iterator[tuple[int, str]]:
    """Yield the end of a job's id in several lengths, and at last a hash of it."""
    letters = re.sub("[^a-z0-9]", "", job_id.lower().removeprefix("ftjob"))
    for size in ENDS:
        if letters:
            yield size, letters[-size:]
    yield 16, hashlib.sha256(job_id.encode()).hexdigest()[:16]
