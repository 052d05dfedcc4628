"""What is left of an account of tuned models: of each its end, its data, what of it is saved here, and where
it could be trained again, at which price.

The server is asked for three lists (jobs, files, models), side by side, and for nothing else.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

from ftrun.concurrency import concurrently
from ftrun.cost.availability import Ends, existing_customers_note, is_known, service_of
from ftrun.cost.models import base_model
from ftrun.cost.price_table import price_of, unknown_price
from ftrun.errors import FtrunError
from ftrun.experiment import providers
from ftrun.experiment.places import shown_path
from ftrun.experiment.target import Target
from ftrun.files import refuse_file
from ftrun.protocol.spec import default_epochs
from ftrun.runner.importing.fetching import JOURNAL, Patience, all_files, all_jobs, origin_of
from ftrun.runner.importing.names import known_imports
from ftrun.runner.inventory import model_ends
from ftrun.state import State, StateStore
from ftrun.targets import Job, NotFoundError, RemoteFile, RemoteModel, Service, same_account
from ftrun.targets.service import NOT_ALLOWED

MILLION = 1_000_000
BYTES_PER_TOKEN = 4  # of JSON lines, where only the size of a file is known
BYTES_PER_EXAMPLE = 2_000  # the same, for the number of epochs that `auto` means
NOT_LISTED = (*NOT_ALLOWED, "not_found", "refused")  # codes of servers that don't give a list
HERE = Target(name="local", provider="local", model="smollm2-135m-instruct")
ONLY_REINFORCEMENT = "bedrock"
RUNS = ("runs", "imported/runs")
CONFIGS = ("configs", "imported/configs")

Data = Literal["imported", "there", "gone", "unknown"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a model could be trained again: `usd` None: the price is unknown, which `note` explains. `model`
    None: that service has no model of the same name.
    """

    target: str
    provider: str
    model: str | None = None
    usd: float | None = None
    note: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as in `import --list --json`."""
        return {name: getattr(self, name) for name in ("target", "provider", "model", "usd", "note")}


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
        ends = {name: value for name, value in self.ends.as_dict().items() if name != "model"}
        return {
            "job_id": self.job.id,
            "model": self.model,
            "base": self.job.model,
            "status": self.job.status,
            "created_at": self.job.created_at,
            **ends,
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
    only counted. `known` says what of it the last uses are from.
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
        return [_total(places) for places in found.values()]


def _total(places: Sequence[Destination]) -> Destination:
    priced = [one.usd for one in places if one.usd is not None]
    missing = len(places) - len(priced)
    first = places[0]
    note = f"{missing} without a price" if missing and priced else first.note if missing else None
    usd = round(sum(priced), 2) if priced else None
    return Destination(target=first.target, provider=first.provider, usd=usd, note=note)


@dataclass(slots=True, kw_only=True)
class Saved:
    """What of an account is saved here: files that were imported, experiment files by job id, dates of
    recorded answers and of last uses by model.
    """

    files: set[str] = field(default_factory=set)
    experiments: dict[str, str] = field(default_factory=dict)
    recorded: dict[str, str] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)

    def note_use(self, model: str, day: str) -> None:
        """Note that a model answered on a day."""
        self.used[model] = max(day, self.used.get(model, ""))


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
        could_go=() if data == "gone" else tuple(_destinations(job, target, tokens, places)),
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


def _destinations(
    job: Job, target: Target, tokens: int | None, places: Sequence[Target]
) -> Iterator[Destination]:
    """Yield where a job could be done again."""
    if places:
        yield from (_priced(place, tokens) for place in places)
        return
    yield _priced(HERE, tokens)
    for name, entry in providers.table()["services"].items():
        if name in ("openai", service_of(target), target.provider):
            continue
        if name == ONLY_REINFORCEMENT and job.method != "reinforcement":
            continue
        model = base_model(job.model)
        azure = Target(name=name, provider=name, model=model)
        same = model if is_known(azure) else None
        if name == "azure" and same is None:
            continue
        note = existing_customers_note(azure) or f"the prices of {entry['title']} are not known here"
        yield Destination(target=name, provider=name, model=same, note=note)


def _priced(place: Target, tokens: int | None) -> Destination:
    price, note = price_of(place), unknown_price(place)
    if place.provider == "local":
        usd, note = 0.0, "free, on this machine"
    elif price is None or tokens is None:
        usd, note = None, note or "how much was trained is unknown"
    else:
        usd = round(tokens * price.train / MILLION, 4)
        note = existing_customers_note(place)
    return Destination(target=place.name, provider=place.provider, model=place.model, usd=usd, note=note)


def saved_here(folder: Path, identity: Mapping[str, Any]) -> Saved:
    """Return what is saved in the current folder and in `folder`, where an import goes."""
    refuse_file(folder / JOURNAL)
    known = known_imports(folder / "configs")
    experiments = {job_id: shown_path(one.path) for job_id, one in known.items()}
    saved = Saved(experiments=experiments, files=_imported_files(folder, identity))
    configs = dict.fromkeys((*(Path(one).resolve() for one in CONFIGS), (folder / "configs").resolve()))
    for one in configs:
        for path in filter(Path.is_file, sorted((one / "rescued").glob("*.json"))):
            _read_manifest(path, saved)
    runs = dict.fromkeys((*(Path(one).resolve() for one in RUNS), (folder / "runs").resolve()))
    for path in (path for one in runs for path in sorted(one.glob("*/*/state.json")) if path.is_file()):
        with contextlib.suppress(FtrunError):
            state = StateStore(path.parent).load() if _was_evaluated(path) else None
            if state is not None and same_account(state.identity, identity):
                _read_state(state, saved)
    return saved


def _was_evaluated(path: Path) -> bool:
    """Return whether a state has scores, so that it is worth being verified: imported ones have none."""
    try:
        return bool(json.loads(path.read_bytes())["stages"]["evaluate"]["result"]["metrics"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def _imported_files(folder: Path, identity: Mapping[str, Any]) -> set[str]:
    """Return the ids of the files that were imported and are still in the folder."""
    found: set[str] = set()
    try:
        lines = (folder / JOURNAL).read_bytes().splitlines()
    except OSError:
        return found
    there = {path.stem for path in (folder / "configs" / "data").glob("*")}
    for line in lines:
        with contextlib.suppress(ValueError, TypeError, KeyError):
            given = json.loads(line)
            if given["origin"] == origin_of(identity) and given["sha256"] in there:
                found.add(str(given["file_id"]))
    return found


def _read_manifest(path: Path, saved: Saved) -> None:
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, RecursionError):
        about = json.loads(path.read_bytes())
        model, day = str(about["model"]), date.fromisoformat(str(about["date"])[:10]).isoformat()
        if (path.parent / f"{path.stem}.jsonl").is_file():
            saved.recorded[model] = shown_path(path.parent / f"{path.stem}.jsonl")
            saved.note_use(model, day)


def _read_state(state: State, saved: Saved) -> None:
    """Note when the model that was evaluated last answered."""
    record, waited = state.stages.get("evaluate"), state.stages.get("wait")
    if record is None or waited is None or not record.finished_at or not record.result.get("metrics"):
        return
    model = waited.result.get("fine_tuned_model")
    if isinstance(model, str):
        saved.note_use(model, record.finished_at[:10])


def elsewhere(targets: Iterable[Target], source: Target) -> list[Target]:
    """Return the targets that are not at the server where the models are."""
    where = (source.provider, source.base_url, source.endpoint)
    return [
        one for one in targets if (one.provider, one.base_url, one.endpoint) != where and not one.rehearses
    ]
