"""Who owns what at a target: its files, jobs and models, and this project's states that know them. Deletes
nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ftrun.cost.availability import Ends, ends_of
from ftrun.cost.models import base_model
from ftrun.errors import FtrunError
from ftrun.experiment.target import Target
from ftrun.state import State, StateStore
from ftrun.state.notes import file_notes
from ftrun.targets import Job, RemoteFile, RemoteModel, Service, same_account
from ftrun.targets.lifetimes import server_ends

OUR_FILE = re.compile(r"(?P<name>[a-z0-9._-]{1,64})-(?:train|validation)-[0-9a-f]{16,64}\.jsonl")
SPEC = "ftrun_spec"
FRESH = 24 * 3600.0  # seconds after its upload that a file may wait for its job


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryEntry:
    """One thing at the target. `owner`: the experiment and target whose state knows it; `made_by`: the
    experiment that made it by its name or metadata, `ftrun` where only that is known. Times are Unix seconds.
    """

    kind: str
    id: str
    name: str | None = None
    status: str | None = None
    model: str | None = None
    bytes: int | None = None
    created_at: int | None = None
    owner: str | None = None
    made_by: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as in `ls --json`."""
        shown = {
            name: getattr(self, name) for name in ("id", "name", "status", "model", "bytes", "created_at")
        }
        return {**shown, **self.facts, "owner": self.owner, "made_by": self.made_by}


@dataclass(slots=True, kw_only=True)
class Owners:
    """What the states of a project know, by id: `experiment/target`. `coming`: parts of the names of files
    that a run is uploading right now; `notes`: states that can't be read.
    """

    of: dict[str, str] = field(default_factory=dict)
    specs: dict[str, str] = field(default_factory=dict)
    names: set[str] = field(default_factory=set)
    coming: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def add(self, state: State) -> None:
        """Add what a state knows."""
        owner = f"{state.experiment}/{state.target}"
        self.names.add(state.experiment)
        self.coming.update(sha[:16] for sha in state.upload_intents)
        self.of.update((upload.file_id, owner) for upload in state.uploads.values())
        for spec, job in state.jobs.items():
            self.specs[spec] = owner
            self.of[job.job_id] = owner
            if job.fine_tuned_model:
                self.of[job.fine_tuned_model] = owner


def owners(runs: Path, identity: Mapping[str, Any]) -> Owners:
    """Return what the states below `runs` know of the account or store `identity`."""
    found = Owners()
    for path in sorted(runs.glob("*/*/state.json")):
        try:
            state = StateStore(path.parent).load()
        except FtrunError as error:
            found.notes.append(str(error))
            found.names.add(path.parent.parent.name)
            continue
        if state is not None and same_account(state.identity, identity):
            found.add(state)
        elif state is not None:
            found.names.add(state.experiment)
    return found


def entries(service: Service, kind: str, known: Owners, target: Target) -> Iterator[InventoryEntry]:
    """Yield what the target has of `kind`: files, jobs or models."""
    if kind == "files":
        yield from (file_entry(file, known) for file in service.files())
    elif kind == "jobs":
        yield from (job_entry(job, known) for job in service.jobs())
    else:
        tuned = {job.fine_tuned_model: job for job in service.jobs() if job.fine_tuned_model}
        listed = service.models()
        by_id = {model.id: model for model in listed}
        for model in listed:
            job = tuned.get(model.id)
            yield model_entry(model, job, known, model_ends(target, model, job, by_id))


def file_entry(file: RemoteFile, known: Owners) -> InventoryEntry:
    """Return the entry of a file."""
    made = OUR_FILE.fullmatch(file.name)
    return InventoryEntry(
        kind="file",
        id=file.id,
        name=file.name,
        status=file.status,
        bytes=file.bytes,
        created_at=file.created_at,
        owner=known.of.get(file.id),
        made_by=made["name"] if made else None,
        facts={"purpose": file.purpose, "expires_at": file.expires_at},
    )


def job_entry(job: Job, known: Owners) -> InventoryEntry:
    """Return the entry of a job."""
    return InventoryEntry(
        kind="job",
        id=job.id,
        name=job.suffix,
        status=job.status,
        model=job.model,
        created_at=job.created_at,
        owner=_owner(job, known),
        made_by=_maker(job),
        facts={"fine_tuned_model": job.fine_tuned_model, "training_file": job.training_file},
    )


def model_ends(
    target: Target, model: RemoteModel | None, job: Job | None, listed: Mapping[str, RemoteModel]
) -> Ends:
    """Return when a model of the target ends: one that is listed, or what a job made, which may not be. What
    is `listed` says it of the model that it was tuned from, too.
    """
    name = model.id if model is not None else str(job and job.fine_tuned_model)
    base = job.model if job is not None else base_model(name)
    if base == name:
        return ends_of(target, replace(server_ends(model), with_tuned=True), model=name)
    return ends_of(target, server_ends(model, server_ends(listed.get(base))), model=name, base=base)


def model_entry(
    model: RemoteModel, job: Job | None, known: Owners, ends: Ends | None = None
) -> InventoryEntry:
    """Return the entry of a model; `job` is the one that made it."""
    owner = known.of.get(model.id) or (_owner(job, known) if job else None)
    return InventoryEntry(
        kind="model",
        id=model.id,
        created_at=model.created_at,
        owner=owner,
        made_by=_maker(job) if job else None,
        facts={
            "owned_by": model.owned_by,
            "shutdown_date": model.shutdown_date,
            **({} if ends is None else ends.dates()),
            "tuned": job is not None or model.id.startswith("ft:"),
        },
    )


def _owner(job: Job, known: Owners) -> str | None:
    """Return whose job it is; its spec key says it, as an id may have been given again."""
    spec = job.metadata.get(SPEC)
    return known.of.get(job.id) if spec is None else known.specs.get(spec)


def _maker(job: Job) -> str | None:
    return job.metadata.get("ftrun_experiment") or ("ftrun" if SPEC in job.metadata else None)


def unowned(files: Iterable[InventoryEntry], jobs: Iterable[Job], known: Owners) -> Iterator[InventoryEntry]:
    """Yield the files that an experiment of this project uploaded and that nothing uses any longer.

    Files of other projects and people are not ours. Files that a running job reads, or that a run is
    uploading right now, are in use.
    """
    used: set[str | None] = set()
    for job in jobs:
        if not (job.succeeded or job.dead):
            used |= {job.training_file, job.validation_file}
    for entry in files:
        coming = any(sha in (entry.name or "") for sha in known.coming)
        if entry.owner is None and entry.made_by in known.names and entry.id not in used and not coming:
            yield entry


def fresh(files: Iterable[InventoryEntry]) -> dict[str, str]:
    """Return the files that a run of another clone may be about to use, by id, and why that may be so.

    That clone's state is unknown here; what it has just uploaded belongs to no job yet.
    """
    now = time.time()
    noted = {note.made for note in file_notes() if now - note.intent.at < FRESH}
    reasons = {}
    for entry in files:
        if entry.id in noted:
            reasons[entry.id] = "a run of yours uploaded it within the last 24 hours"
        elif entry.created_at is None:
            reasons[entry.id] = "the server does not say when it was uploaded"
        elif now - entry.created_at < FRESH:
            reasons[entry.id] = "it was uploaded within the last 24 hours"
    return reasons
