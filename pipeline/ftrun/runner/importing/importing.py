"""The import: which jobs, what of them is fetched, and in which order they become experiments."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ftrun.concurrency import Lane, in_lanes
from ftrun.data.pipeline.workers import WorkerPool
from ftrun.errors import FtrunError
from ftrun.experiment.places import shown_path
from ftrun.files import digest, make_folder, refuse_file, refuse_links, refuse_special_files
from ftrun.processes import worker_count
from ftrun.redaction import hide, hide_in
from ftrun.runner.importing.committing import Committer, clean
from ftrun.runner.importing.fetching import Fetched, Fetcher, FetchTask, all_jobs
from ftrun.runner.importing.file_store import JOURNAL, EditedError, FileStore, StoredFile, origin_of
from ftrun.runner.importing.jobs import recipe_of, why_not
from ftrun.runner.importing.names import JobNames, KnownImport, in_json, known_imports
from ftrun.runner.importing.patience import OutOfReachError, Patience
from ftrun.runner.importing.pending import PendingJob, needs_of
from ftrun.runner.importing.recording import FetchedJob, RecordResult, record
from ftrun.runner.importing.results import FailedJob, ImportedJob, ImportResult
from ftrun.runner.importing.writing import Draft, schema_line
from ftrun.runner.session import runs_folder
from ftrun.state.ignore import write_gitignore
from ftrun.state.locks import held_by_user
from ftrun.targets import Job, NotFoundError, Service
from ftrun.waiting import waiting

AT_ONCE = 8  # calls, where the target says nothing else
ALONE = 24  # jobs after which it pays to start processes that write experiments
MOST_WORKERS = 4
TUNED = "ft:"  # how the names of tuned models begin
QUIET = 2.0  # seconds until progress is shown
ENDINGS = {"training_file": ".jsonl", "validation_file": ".jsonl", "result_file": ".csv"}
LAST = "the last experiments to be written"
HOW = "Wait for it, or import into another folder: --out DIR."


Progress = Callable[[int, int, float], None]  # jobs done, of how many, seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportSource:
    """Where jobs are imported from: a connected service, its target as a file has it, whose ids these are."""

    service: Service
    target: str
    mapping: Mapping[str, Any]
    identity: Mapping[str, Any]
    local: bool
    at_once: int | None
    where: str


def import_jobs(
    source: ImportSource, folder: Path, ids: Sequence[str] | None, *, progress: Progress | None = None
) -> ImportResult:
    """Import the jobs of these ids, None: all of the account, into `folder`.

    DecisionError if another import works there. What can't be imported is in the result.
    """
    what = "another import into this folder is running"
    refuse_links(folder)
    refuse_file(folder / JOURNAL)
    refuse_special_files(folder / "runs")
    with held_by_user(f"import-{digest(str(folder))[:32]}", what=what, wait=False, hint=HOW):
        return _Import(source, folder, progress).run(ids)


class _Import:
    def __init__(self, source: ImportSource, folder: Path, progress: Progress | None) -> None:
        self._source, self._folder, self._progress = source, folder, progress
        self._configs = folder / "configs"
        self._data = self._configs / "data"
        self._runs = runs_folder(self._configs / "x.yaml", None)
        self._patience, self._begun = Patience(), time.monotonic()
        origin = origin_of(source.identity)
        self._commits = Committer[tuple[PendingJob, RecordResult]](folder / JOURNAL)
        self._store = FileStore(
            folder=self._data, journal=folder / JOURNAL, origin=origin, note=self._commits.note
        )
        self._result = ImportResult(folder=folder)
        self._pending: dict[str, PendingJob] = {}  # by job id
        self._recording: deque[tuple[PendingJob, Future[RecordResult]]] = deque()
        self._pool: WorkerPool | None = None
        self._total = 0

    def run(self, ids: Sequence[str] | None) -> ImportResult:
        """Import, and return what came of it."""
        known = known_imports(self._configs)
        jobs = self._jobs(ids, known)
        names = JobNames(
            configs=self._configs, runs=self._runs, given={one.name.lower() for one in known.values()}
        )
        ordered = sorted(jobs, key=lambda one: (one.created_at or 0, one.id))
        for job in ordered:
            self._take(job, known.get(job.id), names)
        if self._pending:
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

    def _take(self, job: Job, known: KnownImport | None, names: JobNames) -> None:
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
        self._pending[job.id] = PendingJob(
            job=job, name=name, known=known, notes=notes, needs=dict(needs_of(job))
        )

    def _is_whole(self, known: KnownImport) -> bool:
        """Return whether everything of an earlier import is still there."""
        state = self._runs / known.name / known.target / "state.json"
        try:
            recorded = in_json(known.job_id) in state.read_bytes()
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
        wanted = self._tasks()
        self._total = len(self._pending)
        with ExitStack() as stack:
            if len(self._pending) > ALONE and worker_count() > 1:
                self._pool = stack.enter_context(WorkerPool(min(worker_count(), MOST_WORKERS)))
            stack.enter_context(self._commits)
            gone: OutOfReachError | None = None
            try:
                if every:
                    fetcher.list_files()
                self._fetch(fetcher, wanted)
            except OutOfReachError as error:
                gone = error
            with waiting(LAST):
                self._finish()
                self._commits.finish()
            self._take_placed()
            if gone is not None:
                for one in self._pending.values():
                    self._fail(one.job, gone.code, str(gone))
                self._result.notes.append(gone.problem.hint or "")

    def _tasks(self) -> dict[FetchTask, list[PendingJob]]:
        """Return for which jobs each thing is to be fetched, in the order of the jobs."""
        wanted: dict[FetchTask, list[PendingJob]] = {}
        for one in self._pending.values():
            for task in one.needs.values():
                wanted.setdefault(task, []).append(one)
        return wanted

    def _fetch(self, fetcher: Fetcher, wanted: Mapping[FetchTask, list[PendingJob]]) -> None:
        came = 0

        def what() -> str:
            if came == len(wanted):
                return LAST
            trying = f", {self._patience.trying} being retried" if self._patience.trying else ""
            return f"{self._source.where}: {came} of {len(wanted)} answers{trying}"

        for task, fetched in self._in_lanes(list(wanted), fetcher.do, what):
            came += 1
            for one in wanted[task]:
                self._give(one, task, fetched)
            self._finish(wait=False)

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

    def _give(self, one: PendingJob, task: FetchTask, fetched: Fetched) -> None:
        """Give a job what came for it; the last thing makes it an experiment."""
        if one.job.id not in self._pending:
            return  # it has failed
        if fetched.error is not None and not fetched.gone:
            del self._pending[one.job.id]
            self._fail(one.job, fetched.error.code, str(fetched.error))
            return
        one.take(task, fetched)
        if one.is_complete:
            self._begin(one)

    def _begin(self, one: PendingJob) -> None:
        fetched = self._fetched(one)
        if self._pool is not None:
            self._recording.append((one, self._pool.submit(record, fetched)))
        else:
            self._place(one, record(fetched))

    def _finish(self, *, wait: bool = True) -> None:
        """Take the results of experiments that are written; `wait`: of all."""
        while self._recording and (wait or self._recording[0][1].done()):
            assert self._pool is not None
            one, future = self._recording.popleft()
            self._place(one, self._pool.result(future))
        self._take_placed()

    def _place(self, one: PendingJob, recorded: RecordResult) -> None:
        """Let an experiment that is written get its name."""
        if recorded.staged is None:
            self._recorded(one, recorded)
        else:
            self._commits.place((one, recorded), recorded.staged, self._config(one))

    def _take_placed(self) -> None:
        """Take the experiments that have their names by now."""
        for (one, recorded), error in self._commits.placed():
            if error is not None:
                recorded = RecordResult(code=error.code, message=str(error))
            self._recorded(one, recorded)

    def _recorded(self, one: PendingJob, recorded: RecordResult) -> None:
        del self._pending[one.job.id]
        if recorded.code is not None:
            self._fail(one.job, recorded.code, recorded.message or "")
        else:
            files = tuple(shown_path(path) for path in self._paths(one))
            self._result.imported.append(
                ImportedJob(
                    job_id=one.job.id,
                    config=shown_path(self._config(one)),
                    files=files,
                    fine_tuned_model=one.job.fine_tuned_model,
                    missing=one.missing(),
                    notes=(*one.notes, *one.reasons(), *recorded.notes),
                )
            )
        if self._progress is not None and time.monotonic() - self._begun > QUIET:
            done = self._total - len(self._pending)
            self._progress(done, self._total, time.monotonic() - self._begun)

    def _config(self, one: PendingJob) -> Path:
        return one.known.path if one.known is not None else self._configs / f"{one.name}.yaml"

    def _paths(self, one: PendingJob) -> Iterator[Path]:
        for name, ending in ENDINGS.items():
            file = one.value(name)
            if isinstance(file, StoredFile):
                yield self._store.path(file.sha256, ending)

    def _fetched(self, one: PendingJob) -> FetchedJob:
        config, training = self._config(one), one.value("training_file")
        recipe = recipe_of(one.job, local=self._source.local)
        one.notes += recipe.notes
        result = one.value("result_file")
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
            validation=None if training is None else one.value("validation_file"),
            missing=one.missing(),
            date=datetime.now(UTC).strftime("%Y-%m-%d"),
            schema=schema_line(self._configs),
        )
        return FetchedJob(
            draft=draft,
            config=config,
            runs=self._runs,
            identity=self._source.identity,
            metrics=metrics,
            events=tuple(hide_in(one.value("events") or ())),
            checkpoints=tuple(hide_in(one.value("checkpoints") or ())),
            existing=one.known is not None,
        )


def _taken(configs: Path, name: str) -> str:
    return f"the name {name} is taken by something else ({shown_path(configs / f'{name}.yaml')})"
