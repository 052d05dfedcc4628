"""The import: which jobs, what of them is fetched, and in which order they become experiments."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from ftrun.concurrency import Lane, in_lanes
from ftrun.data.pipeline.workers import WorkerPool
from ftrun.errors import FtrunError
from ftrun.experiment.places import shown_path
from ftrun.files import digest, make_folder, refuse_links
from ftrun.processes import worker_count
from ftrun.redaction import hide, hide_in
from ftrun.runner.importing.committing import Committer
from ftrun.runner.importing.fetching import (
    JOURNAL,
    EditedError,
    Fetched,
    Fetcher,
    OutOfReachError,
    Patience,
    Store,
    Task,
    all_jobs,
    clean,
    origin_of,
)
from ftrun.runner.importing.jobs import MISSING_WORDS, recipe_of, why_not
from ftrun.runner.importing.names import KnownImport, Names, known_imports
from ftrun.runner.importing.recording import Order, Recorded, record
from ftrun.runner.importing.writing import Draft, StoredFile, schema_line
from ftrun.runner.session import runs_folder
from ftrun.state.ignore import write_gitignore
from ftrun.state.locks import held_by_user
from ftrun.targets import Job, NotFoundError, Service
from ftrun.waiting import waiting

AT_ONCE = 8  # calls, where the target says nothing else
ALONE = 24  # jobs after which it pays to start processes that write experiments
MOST_WORKERS = 4
QUIET = 2.0  # seconds until progress is shown
EXPECTED = ("job_failed", "job_cancelled", "job_unfinished")  # nothing went wrong here
TUNED = "ft:"  # how the names of tuned models begin
ENDINGS = {"training_file": ".jsonl", "validation_file": ".jsonl", "result_file": ".csv"}
LAST = "the last experiments to be written"
HOW = "Wait for it, or import into another folder: --out DIR."


class Progress(Protocol):
    """Shows how far the import is."""

    def __call__(self, done: int, of: int, seconds: float) -> None:
        """Show it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where jobs are imported from: a connected service, its target as a file has it, whose ids these are."""

    service: Service
    target: str
    mapping: Mapping[str, Any]
    identity: Mapping[str, Any]
    local: bool
    at_once: int | None
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedJob:
    """A job that is an experiment now, or was before."""

    job_id: str
    config: str
    files: tuple[str, ...]
    fine_tuned_model: str | None
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return it as in `import --json`."""
        return {
            "job_id": self.job_id,
            "config": self.config,
            "files": list(self.files),
            "fine_tuned_model": self.fine_tuned_model,
            "missing": list(self.missing),
            "notes": list(self.notes),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedJob:
    """A job that was not imported, and why; `status` is the provider's."""

    job_id: str
    message: str
    code: str
    status: str | None = None

    @property
    def expected(self) -> bool:
        """Return whether nothing went wrong here: the job has no model to import (yet)."""
        return self.code in EXPECTED

    def as_dict(self) -> dict[str, Any]:
        """Return it as in `import --json`."""
        return {"job_id": self.job_id, "message": self.message, "code": self.code, "status": self.status}


@dataclass(slots=True, kw_only=True)
class ImportResult:
    """What an import did."""

    folder: Path
    imported: list[ImportedJob] = field(default_factory=list)
    skipped: list[ImportedJob] = field(default_factory=list)
    failed: list[FailedJob] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """Return it as in `import --json`."""
        return {
            **{name: [one.as_dict() for one in getattr(self, name)] for name in ("imported", "skipped")},
            "failed": [one.as_dict() for one in self.failed],
            "notes": self.notes,
        }


@dataclass(slots=True, kw_only=True)
class _Open:
    """A job on its way: what it needs, and what came of that."""

    job: Job
    name: str
    known: KnownImport | None
    notes: list[str]
    needs: dict[str, Task]  # by what it is to the job: training_file, validation_file, result_file, …
    came: dict[str, Fetched] = field(default_factory=dict)


def import_jobs(
    source: Source, folder: Path, ids: Sequence[str] | None, *, progress: Progress | None = None
) -> ImportResult:
    """Import the jobs of these ids, None: all of the account, into `folder`.

    DecisionError if another import works there. What can't be imported is in the result.
    """
    what = "another import into this folder is going on"
    refuse_links(folder)
    with held_by_user(f"import-{digest(str(folder))[:32]}", what=what, wait=False, hint=HOW):
        return _Import(source, folder, progress).run(ids)


class _Import:
    def __init__(self, source: Source, folder: Path, progress: Progress | None) -> None:
        self._source, self._folder, self._progress = source, folder, progress
        self._configs = folder / "configs"
        self._data = self._configs / "data"
        self._runs = runs_folder(self._configs / "x.yaml", None)
        self._patience, self._begun = Patience(), time.monotonic()
        origin = origin_of(source.identity)
        self._commits = Committer[tuple[_Open, Recorded]](folder / JOURNAL)
        self._store = Store(
            folder=self._data, journal=folder / JOURNAL, origin=origin, note=self._commits.note
        )
        self._result = ImportResult(folder=folder)
        self._open: dict[str, _Open] = {}  # by job id
        self._recording: deque[tuple[_Open, Future[Recorded]]] = deque()
        self._pool: WorkerPool | None = None
        self._total = 0

    def run(self, ids: Sequence[str] | None) -> ImportResult:
        """Import, and return what came of it."""
        known = known_imports(self._configs)
        jobs = self._jobs(ids, known)
        names = Names(
            configs=self._configs, runs=self._runs, given={one.name.lower() for one in known.values()}
        )
        ordered = sorted(jobs, key=lambda one: (one.created_at or 0, one.id))
        for job in ordered:
            self._take(job, known.get(job.id), names)
        if self._open:
            self._fetch_and_record(every=ids is None)
        order = {job.id: place for place, job in enumerate(ordered)}
        for found in (self._result.imported, self._result.failed):
            found.sort(key=lambda one: order.get(one.job_id, -1))
        self._result.seconds = time.monotonic() - self._begun
        return self._result

    # which jobs

    def _jobs(self, ids: Sequence[str] | None, known: Mapping[str, KnownImport]) -> list[Job]:
        """Return the jobs to look at; of ids, those that are imported already are asked nobody about."""
        if ids is None:
            return all_jobs(self._source.service, self._patience)
        asked = []
        for job_id in dict.fromkeys(self._named(ids)):
            one = known.get(job_id)
            if one is not None and self._is_whole(one):
                self._skip(one)
            else:
                asked.append(job_id)
        found: list[Job] = []
        for _, job in self._in_lanes(asked, self._job, lambda: f"the jobs at {self._source.where}"):
            found += [job] if job is not None else []
        return found

    def _named(self, ids: Sequence[str]) -> list[str]:
        """Return the ids, those of jobs in place of the names of their models."""
        if not any(one.startswith(TUNED) for one in ids):
            return list(ids)
        jobs = all_jobs(self._source.service, self._patience)
        known = {str(one.fine_tuned_model): one.id for one in jobs}
        return [known.get(one, one) for one in ids]

    def _job(self, job_id: str) -> Job | None:
        try:
            return self._patience.call(lambda: self._source.service.job(job_id))
        except NotFoundError:
            message = "this account has no such job: it was deleted, or belongs to another project or key"
            self._result.failed.append(FailedJob(job_id=job_id, message=message, code="no_such_job"))
        except FtrunError as error:
            if error.code in ("wrong_key", "unreachable"):
                raise
            self._result.failed.append(FailedJob(job_id=job_id, message=str(error), code=error.code))
        return None

    def _take(self, job: Job, known: KnownImport | None, names: Names) -> None:
        """Decide what becomes of a job: skipped, failed, or to be fetched."""
        if known is not None and self._is_whole(known):
            self._skip(known)
            return
        reason = why_not(job)
        if reason is not None:
            self._fail(job, *reason)
            return
        name, other = (known.name, None) if known is not None else names.name_for(job)
        if name is None:
            self._fail(job, "name_taken", _taken(self._configs, str(other)))
            return
        notes = [] if other is None else [f"{_taken(self._configs, other)}; this one is called {name}"]
        self._open[job.id] = _Open(job=job, name=name, known=known, notes=notes, needs=dict(_needs(job)))

    def _is_whole(self, known: KnownImport) -> bool:
        """Return whether everything of an earlier import is still there."""
        state = self._runs / known.name / known.target / "state.json"
        try:
            recorded = f'"{known.job_id}"'.encode() in state.read_bytes()
        except OSError:
            return False
        return recorded and all(path.exists() for path in known.data)

    def _skip(self, known: KnownImport) -> None:
        notes = []
        for path in known.data:
            try:
                self._store.refuse_edited(path)
            except EditedError as error:
                notes.append(f"{error}; it stays as it is")
        self._result.skipped.append(
            ImportedJob(
                job_id=known.job_id,
                config=shown_path(known.path),
                files=tuple(map(shown_path, known.data)),
                fine_tuned_model=known.fine_tuned_model,
                missing=known.missing,
                notes=tuple(notes),
            )
        )

    def _fail(self, job: Job, code: str, message: str) -> None:
        failed = FailedJob(job_id=job.id, message=message, code=code, status=job.status)
        self._result.failed.append(failed)

    # fetching

    def _fetch_and_record(self, *, every: bool) -> None:
        for folder in (self._data, self._runs):
            make_folder(folder)
        for folder in (self._folder, self._configs, self._data, self._runs):
            clean(folder)
        write_gitignore(self._runs, (self._source.target,) if self._source.local else ())
        self._store.read()
        fetcher = Fetcher(self._source.service, self._patience, self._store, look=not every)
        tasks, wanted = self._tasks()
        self._total = len(self._open)
        with ExitStack() as stack:
            if len(self._open) > ALONE and worker_count() > 1:
                self._pool = stack.enter_context(WorkerPool(min(worker_count(), MOST_WORKERS)))
            stack.enter_context(self._commits)
            gone: OutOfReachError | None = None
            try:
                if every:
                    fetcher.list_files()
                self._fetch(fetcher, tasks, wanted)
            except OutOfReachError as error:
                gone = error
            with waiting(LAST):
                self._finish(self._recording)
                self._commits.finish()
            self._take_placed()
            if gone is not None:
                for one in self._open.values():
                    self._fail(one.job, gone.code, str(gone))
                self._result.notes.append(gone.problem.hint or "")

    def _tasks(self) -> tuple[list[Task], dict[Task, list[_Open]]]:
        """Return what is to be fetched, each thing once, in the order of the jobs; and for which jobs."""
        wanted: dict[Task, list[_Open]] = {}
        for one in self._open.values():
            for task in one.needs.values():
                wanted.setdefault(task, []).append(one)
        return list(wanted), wanted

    def _fetch(self, fetcher: Fetcher, tasks: list[Task], wanted: Mapping[Task, list[_Open]]) -> None:
        came = 0

        def what() -> str:
            if came == len(tasks):
                return LAST
            trying = f", {self._patience.trying} tried again" if self._patience.trying else ""
            return f"{self._source.where}: {came} of {len(tasks)} answers{trying}"

        for task, fetched in self._in_lanes(tasks, fetcher.do, what):
            came += 1
            for one in wanted[task]:
                self._give(one, task, fetched)
            self._finish(self._recording, wait=False)

    def _in_lanes(
        self,
        items: Sequence[Any],
        call: Callable[[Any], Any],
        what: Callable[[], str],
    ) -> Iterator[tuple[Any, Any]]:
        lane = Lane(
            items=items,
            call=call,
            at_once=self._source.at_once or AT_ONCE,
            stop=self._patience.stop,
        )
        try:
            for came in in_lanes([lane], what=what):
                yield from came
        finally:
            self._patience = self._patience.renewed()

    # recording

    def _give(self, one: _Open, task: Task, fetched: Fetched) -> None:
        """Give a job what came for it; the last thing makes it an experiment."""
        if one.job.id not in self._open:
            return  # it has failed
        if fetched.error is not None and not fetched.gone:
            del self._open[one.job.id]
            self._fail(one.job, fetched.error.code, str(fetched.error))
            return
        for name, needed in one.needs.items():
            if needed == task:
                one.came[name] = fetched
        if one.needs.keys() == one.came.keys():
            self._begin(one)

    def _begin(self, one: _Open) -> None:
        order = self._order(one)
        if self._pool is not None:
            self._recording.append((one, self._pool.submit(record, order)))
        else:
            self._place(one, record(order))

    def _finish(self, recording: deque[tuple[_Open, Future[Recorded]]], *, wait: bool = True) -> None:
        """Take the results of experiments that are written; `wait`: of all."""
        while recording and (wait or recording[0][1].done()):
            assert self._pool is not None
            one, future = recording.popleft()
            self._place(one, self._pool.result(future))
        self._take_placed()

    def _place(self, one: _Open, recorded: Recorded) -> None:
        """Let an experiment that is written get its name."""
        if recorded.staged is None:
            self._recorded(one, recorded)
        else:
            self._commits.place((one, recorded), recorded.staged, self._config(one))

    def _take_placed(self) -> None:
        """Take the experiments that have their names by now."""
        for (one, recorded), error in self._commits.placed():
            if error is not None:
                recorded = Recorded(code=error.code, message=str(error))
            self._recorded(one, recorded)

    def _recorded(self, one: _Open, recorded: Recorded) -> None:
        del self._open[one.job.id]
        if recorded.code is not None:
            self._fail(one.job, recorded.code, recorded.message or "")
        else:
            missing = tuple(_missing(one))
            files = tuple(shown_path(path) for path in self._paths(one))
            self._result.imported.append(
                ImportedJob(
                    job_id=one.job.id,
                    config=shown_path(self._config(one)),
                    files=files,
                    fine_tuned_model=one.job.fine_tuned_model,
                    missing=missing,
                    notes=(*one.notes, *_reasons(one), *recorded.notes),
                )
            )
        if self._progress is not None and time.monotonic() - self._begun > QUIET:
            done = self._total - len(self._open)
            self._progress(done, self._total, time.monotonic() - self._begun)

    def _config(self, one: _Open) -> Path:
        return one.known.path if one.known is not None else self._configs / f"{one.name}.yaml"

    def _paths(self, one: _Open) -> Iterator[Path]:
        for name, ending in ENDINGS.items():
            file = _value(one, name)
            if isinstance(file, StoredFile):
                yield self._store.path(file.sha256, ending)

    def _order(self, one: _Open) -> Order:
        config, training = self._config(one), _value(one, "training_file")
        recipe = recipe_of(one.job, local=self._source.local)
        one.notes += recipe.notes
        result = _value(one, "result_file")
        metrics = None
        if isinstance(result, StoredFile):
            metrics = hide(self._store.path(result.sha256, ".csv").read_text(encoding="utf-8"))
        draft = Draft(
            name=one.name,
            target=self._source.target if one.known is None else one.known.target,
            mapping=self._source.mapping,
            job=replace(one.job, document=hide_in(dict(one.job.document))),
            recipe=recipe,
            training=training,
            validation=None if training is None else _value(one, "validation_file"),
            missing=tuple(_missing(one)),
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            schema=schema_line(self._configs),
        )
        return Order(
            draft=draft,
            config=config,
            runs=self._runs,
            identity=self._source.identity,
            metrics=metrics,
            events=tuple(hide_in(_value(one, "events") or ())),
            checkpoints=tuple(hide_in(_value(one, "checkpoints") or ())),
            existing=one.known is not None,
        )


def _taken(configs: Path, name: str) -> str:
    return f"the name {name} is taken by something else ({shown_path(configs / f'{name}.yaml')})"


def _needs(job: Job) -> Iterator[tuple[str, Task]]:
    """Yield what must be fetched of a job."""
    if job.training_file:
        yield "training_file", Task(kind="file", id=job.training_file)
    if job.validation_file:
        yield "validation_file", Task(kind="file", id=job.validation_file)
    if job.result_files:
        yield "result_file", Task(kind="result", id=job.result_files[0])
    yield "events", Task(kind="events", id=job.id)
    yield "checkpoints", Task(kind="checkpoints", id=job.id)


def _value(one: _Open, name: str) -> Any:
    return one.came[name].value if name in one.came else None


def _missing(one: _Open) -> Iterator[str]:
    """Yield what of a job is missing; every job has a training file, even one whose server names none."""
    if "training_file" not in one.needs:
        yield "training_file"
    yield from (name for name in one.needs if one.came[name].error is not None)


def _reasons(one: _Open) -> Iterator[str]:
    """Yield why something is missing."""
    if "training_file" not in one.needs:
        yield "the server names no training file: nothing can be trained again"
    for name, fetched in one.came.items():
        if fetched.error is not None:
            yield f"{MISSING_WORDS[name]} is missing: {fetched.error}"
