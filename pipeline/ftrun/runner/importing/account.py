"""What is left of an account of tuned models: of each its end, its data, what of it is saved here, and where
it could be trained again, at which price.

The server is asked for three lists (jobs, files, models), side by side, and for nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from ftrun.concurrency import concurrently
from ftrun.cost.availability import Ends
from ftrun.errors import FtrunError
from ftrun.experiment.target import Target
from ftrun.protocol.spec import default_epochs
from ftrun.runner.importing.destinations import Destination, destinations, total_of
from ftrun.runner.importing.fetching import all_files, all_jobs
from ftrun.runner.importing.patience import Patience
from ftrun.runner.importing.saved import Saved
from ftrun.runner.inventory import model_ends
from ftrun.targets import Job, NotFoundError, RemoteFile, RemoteModel, Service
from ftrun.targets.service import NOT_ALLOWED

BYTES_PER_TOKEN = 4  # of JSON lines, where only the size of a file is known
BYTES_PER_EXAMPLE = 2_000  # the same, for the number of epochs that `auto` means
NOT_LISTED = (*NOT_ALLOWED, "not_found", "refused")  # codes of servers that don't give a list

Data = Literal["imported", "there", "gone", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TunedModel:
    """A tuned model of the account. `last_used` is the date of the newest answer that is known here;
    `validation` None: the job had no such file; `listed` None: the server lists no models; `gone`: not
    listed, though its end is to come, or not known. `tokens` were
    trained; `estimated`: that is from the size of the file. Without its data it can go nowhere.
    """

    job: Job
    model: str
    ends: Ends
    last_used: str | None
    training: Data
    validation: Data | None
    imported: str | None
    recorded: str | None
    listed: bool | None
    gone: bool
    tokens: int | None
    estimated: bool
    could_go: tuple[Destination, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as in `import --list --json`."""
        return {
            "job_id": self.job.id,
            "model": self.model,
            "base": self.job.model,
            "status": self.job.status,
            "created_at": self.job.created_at,
            **self.ends.dates(),
            "listed": self.listed,
            "last_used": self.last_used,
            "data": {"training": self.training, "validation": self.validation},
            "imported": self.imported,
            "answers_recorded": self.recorded,
            "trained_tokens": self.job.trained_tokens,
            "could_go": [one.as_dict() for one in self.could_go],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """The tuned models of an account, those that end first before the others. `failed` and `running` jobs are
    only counted.
    """

    target: str
    date: str
    models: tuple[TunedModel, ...]
    failed: int
    running: int
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the document of `import --list --json`."""
        return {
            "target": self.target,
            "date": self.date,
            "models": [one.as_dict() for one in self.models],
            "failed_jobs": self.failed,
            "running_jobs": self.running,
            "totals": [one.as_dict() for one in self.totals()],
            "notes": list(self.notes),
        }

    def totals(self) -> list[Destination]:
        """Return, by destination, what training there everything whose data are not gone would cost; `note`
        says what is not in it.
        """
        found: dict[str, list[Destination]] = {}
        for one in self.models:
            for place in one.could_go:
                found.setdefault(place.target, []).append(place)
        return [total_of(places) for places in found.values()]


def account_of(
    service: Service,
    target: Target,
    saved: Saved,
    *,
    places: Sequence[Target] = (),
    day: date,
) -> Account:
    """Return what is at a target. `places`: where models could go; none: the engine on this machine, and the
    services that ftrun knows.
    """
    notes: list[str] = []
    jobs, files, models = _lists(service, notes)
    listed = {one.id: one for one in models} if models else None  # an empty list says nothing
    tuned = [job for job in jobs if job.fine_tuned_model and job.succeeded]
    found = [_tuned(job, target, listed, files, saved, places, day) for job in tuned]
    found.sort(key=lambda one: (_last_day(one), one.job.created_at or 0, one.job.id))
    if found:
        notes.insert(
            0, "no server says when a model was last used; only answers that were recorded here are known"
        )
    return Account(
        target=target.name,
        date=day.isoformat(),
        models=tuple(found),
        failed=sum(job.dead for job in jobs),
        running=len(jobs) - len(tuned) - sum(job.dead for job in jobs),
        notes=tuple(notes),
    )


def _last_day(one: TunedModel) -> str:
    """Return the day to sort by: what is gone already, or has no end, comes last."""
    end = one.ends.answers
    return "9999" if one.gone or end is None else end.day.isoformat()


def _lists(
    service: Service, notes: list[str]
) -> tuple[list[Job], dict[str, RemoteFile] | None, list[RemoteModel] | None]:
    """Return jobs, files by id, and models; None for a list that the server doesn't give."""
    patience = Patience()
    calls: dict[str, Callable[[], list[Any] | None]] = {
        "jobs": lambda: all_jobs(service, patience),
        "files": lambda: _given(lambda: all_files(service, patience), "files", notes),
        "models": lambda: _given(lambda: patience.call(service.models), "models", notes),
    }
    came = concurrently(
        lambda name: calls[name](), calls, at_once=len(calls), what=lambda how: f"lists: {how}", of=len(calls)
    )
    found = dict(came)
    files = found["files"]
    return found["jobs"] or [], None if files is None else {one.id: one for one in files}, found["models"]


def _given(read: Callable[[], list[Any]], what: str, notes: list[str]) -> list[Any] | None:
    try:
        return read()
    except FtrunError as error:
        if error.code not in NOT_LISTED and not isinstance(error, NotFoundError):
            raise
        notes.append(f"the server gives no list of {what}: {error}")
        return None


def _tuned(
    job: Job,
    target: Target,
    listed: Mapping[str, RemoteModel] | None,
    files: Mapping[str, RemoteFile] | None,
    saved: Saved,
    places: Sequence[Target],
    day: date,
) -> TunedModel:
    model, data = str(job.fine_tuned_model), _data(job.training_file, files, saved)
    there = listed.get(model) if listed is not None else None
    tokens, estimated = _tokens(job, files)
    ends = model_ends(target, there, job, listed or {})
    missing = listed is not None and there is None
    return TunedModel(
        job=job,
        model=model,
        ends=ends,
        last_used=saved.used.get(model),
        training=data,
        validation=_data(job.validation_file, files, saved) if job.validation_file else None,
        imported=saved.experiments.get(job.id),
        recorded=saved.recorded.get(model),
        listed=None if listed is None else not missing,
        gone=missing and (ends.answers is None or ends.answers.days(day) > 0),
        tokens=tokens,
        estimated=estimated,
        could_go=() if data == "gone" else tuple(destinations(job, target, tokens, places)),
    )


def _data(file_id: str, files: Mapping[str, RemoteFile] | None, saved: Saved) -> Data:
    if file_id in saved.files:
        return "imported"
    if files is None:
        return "unknown"
    found = files.get(file_id)
    return "gone" if found is None or found.refused else "there"


def _tokens(job: Job, files: Mapping[str, RemoteFile] | None) -> tuple[int | None, bool]:
    """Return how many tokens were trained, in all epochs, and whether that is an estimate; None: unknown."""
    if job.trained_tokens:
        return job.trained_tokens, False
    file = (files or {}).get(job.training_file)
    if file is None or not file.bytes:
        return None, False
    given = job.hyperparameters.get("n_epochs")
    usual = default_epochs(file.bytes // BYTES_PER_EXAMPLE)
    epochs = given if isinstance(given, int) and not isinstance(given, bool) else usual
    return file.bytes // BYTES_PER_TOKEN * epochs, True
