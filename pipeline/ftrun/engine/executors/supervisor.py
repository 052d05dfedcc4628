"""Run jobs on this machine: validate their files, start their processes in turn, notice those that died.

It is a thread of the server. It keeps nothing in memory that a later server would need: it decides by the
store and by the locks that running processes hold.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time

from filelock import Timeout

from ftrun.engine.backends import Rejected
from ftrun.engine.child_process import start
from ftrun.engine.examples import count_examples, rows_of
from ftrun.engine.executors.job_process import lock_of
from ftrun.engine.log import log, log_error
from ftrun.engine.store import Store, StoredJob
from ftrun.engine.store.records import MOVING, Status
from ftrun.files import is_disk_full, make_folder, open_to_write

MOST_RESTARTS = 3
BUSY_SECONDS, IDLE_SECONDS, FAULTY_SECONDS = 0.1, 2.0, 5.0
IN_TURN: tuple[Status, ...] = ("running", "queued")
GRACE_SECONDS = 5  # that a cancelled job has to end by itself


class Supervisor:
    """Run the jobs of a store, each in its own process; a store must have only one supervisor."""

    def __init__(self, store: Store, *, slots: int = 1) -> None:
        """Train up to `slots` jobs at a time; the others wait in the queue."""
        self._store, self._slots = store, slots
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin, with the jobs that an earlier server left."""
        self._thread.start()

    def stop(self) -> None:
        """Stop without touching the processes of jobs, which keep running."""
        self._stopped.set()
        self._wake.set()
        self._thread.join(timeout=1)

    def wake(self) -> None:
        """Look at the jobs at once: one was created, cancelled, paused or resumed."""
        self._wake.set()

    @property
    def busy(self) -> bool:
        """Return whether a job is running, or will run without anyone doing anything."""
        return self._store.jobs.count(*MOVING) > 0

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            try:
                self._tick()
                pause = BUSY_SECONDS if self.busy or self._children else IDLE_SECONDS
            except Exception as error:  # a full disk or a bug in one round must not stop all jobs
                if is_disk_full(error):
                    log(f"The disk is full, so jobs wait: {error}.")
                else:
                    log_error(error)
                pause = FAULTY_SECONDS
            self._wake.wait(pause)

    def _tick(self) -> None:
        for job in self._store.jobs.with_status("validating_files"):
            self._validate(job)
        self._forget_ended()
        occupied = self._end_lingering() + self._settle_paused()
        for job in self._store.jobs.in_turn(self._slots):
            if self._is_running(job):
                occupied += 1
            elif self._store.jobs.require(job.id).status not in IN_TURN:
                continue  # the job and then its process ended since the list was read
            elif job.attempts > MOST_RESTARTS:
                self._give_up(job)
            elif occupied < self._slots:
                self._start(job)
                occupied += 1

    def _validate(self, job: StoredJob) -> None:
        """Read the job's files; queue the job, or fail it with the line that is wrong."""
        rows = rows_of(job.model, job.method)
        try:
            for param, file_id in (
                ("training_file", job.training_file),
                ("validation_file", job.validation_file),
            ):
                if file_id is not None:
                    count = count_examples(self._store.files.path(file_id), param=param, row=rows)
                    self._store.jobs.add_event(job.id, f"The {param} {file_id} is valid: {count} examples.")
        except Rejected as error:
            self._store.jobs.fail(job.id, code=error.code, message=str(error), param=error.param)
        except OSError as error:
            if is_disk_full(error):
                raise
            self._store.jobs.fail(job.id, code="file_not_found", message=f"{param}: {error}", param=param)
        else:
            if self._store.jobs.move(job.id, "queued", start=["validating_files"]):
                self._store.jobs.add_event(job.id, "The files are valid; the job is queued.")

    def _start(self, job: StoredJob) -> None:
        if job.attempts > 0:
            self._store.jobs.add_event(
                job.id,
                f"The job's process ended unexpectedly{self._how_it_ended(job)}; restarting it from the last "
                f"checkpoint (restart {job.attempts} of {MOST_RESTARTS}).",
                level="warn",
            )
        self._store.jobs.note(job.id, attempts=job.attempts + 1)
        folder = self._store.jobs.folder(job.id)
        make_folder(folder, mode=0o700)
        with open_to_write(folder / "job.log", "ab+", mode=0o600) as log:
            self._children[job.id] = start(
                "ftrun.engine.executors.job_process",
                str(self._store.home),
                job.id,
                folder=folder,
                log=log,
                own_session=True,
                keep_memory=True,
            )

    def _give_up(self, job: StoredJob) -> None:
        log = self._store.jobs.folder(job.id) / "job.log"
        message = (
            f"The job's process ended unexpectedly {job.attempts} times{self._how_it_ended(job)}. If it ran "
            f"out of memory, a smaller batch_size helps. Its log is {log}."
        )
        self._store.jobs.fail(job.id, code="process_died", message=message)

    def _forget_ended(self) -> None:
        """Forget the child processes of jobs that have ended or are paused."""
        for job_id, child in list(self._children.items()):
            job = self._store.jobs.require(job_id)
            if child.poll() is not None and (job.finished or job.status == "paused"):
                del self._children[job_id]

    def _end_lingering(self) -> int:
        """Kill processes of cancelled jobs that do not end by themselves; return how many still run."""
        living = 0
        for job in self._store.jobs.lingering():
            if not self._is_running(job):
                self._store.jobs.note(job.id, pid=None)
                continue
            living += 1
            if job.finished_at is not None and time.time() - job.finished_at > GRACE_SECONDS:
                _kill(job.pid)
        return living

    def _settle_paused(self) -> int:
        """Mark pausing jobs as paused when their process has ended; return how many still run."""
        living = 0
        for job in self._store.jobs.with_status("pausing"):
            if self._is_running(job):
                living += 1
            else:
                self._store.jobs.settle_pause(job.id)
        return living

    def _is_running(self, job: StoredJob) -> bool:
        """Return whether the job has a process: our child, or an earlier server's that holds its lock."""
        child = self._children.get(job.id)
        if child is not None:
            return child.poll() is None
        folder = self._store.jobs.folder(job.id)
        if not folder.exists():
            return False
        try:
            with lock_of(folder).acquire(timeout=0):
                return False
        except Timeout:
            return True

    def _how_it_ended(self, job: StoredJob) -> str:
        """Return how a child of ours ended, in words."""
        child = self._children.get(job.id)
        code = child.poll() if child is not None else None
        if code is None or code == 0:
            return ""
        return f" ({signal.Signals(-code).name})" if code < 0 else f" (exit code {code})"


def _kill(pid: int | None) -> None:
    """Kill a job's process and what it started; it leads a session of its own."""
    if pid is not None:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # it has just ended
