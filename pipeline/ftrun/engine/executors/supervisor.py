"""What moves jobs on: validates their files, starts their processes in turn, notices those that died.

A thread of the server. It keeps nothing in memory that a later server would need: what it decides, it reads
from the store and from the locks that living processes hold.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
import traceback

from filelock import Timeout

from ftrun.engine.backends import Rejected
from ftrun.engine.child_process import start
from ftrun.engine.examples import count_examples
from ftrun.engine.executors.job_process import lock_of
from ftrun.engine.store import Store, StoredJob
from ftrun.engine.store.records import MOVING, Status
from ftrun.files import make_folder, open_to_write

MOST_RESTARTS = 3
BUSY_SECONDS, IDLE_SECONDS = 0.1, 2.0
IN_TURN: tuple[Status, ...] = ("running", "queued")
GRACE_SECONDS = 5  # for a cancelled job to end by itself


class Supervisor:
    """Moves the jobs of one store on; there must be only one for a store."""

    def __init__(self, store: Store, *, slots: int = 1) -> None:
        """Let `slots` jobs train at a time; the others wait in the queue."""
        self._store, self._slots = store, slots
        self._children: dict[str, subprocess.Popen[bytes]] = {}
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="supervisor", daemon=True)

    def start(self) -> None:
        """Begin, with what an earlier server left."""
        self._thread.start()

    def stop(self) -> None:
        """End without touching the processes of jobs: they go on by themselves."""
        self._stopped.set()
        self._wake.set()
        self._thread.join(timeout=1)

    def wake(self) -> None:
        """Look at the jobs at once: one was made or cancelled."""
        self._wake.set()

    @property
    def busy(self) -> bool:
        """Say whether a job is at work, or will be without anybody's doing."""
        return bool(self._store.jobs.with_status(*MOVING))

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wake.clear()
            try:
                self._tick()
            except Exception:  # a full disk or a bug in one round must not end the supervision of all jobs
                traceback.print_exc(file=sys.stderr)
            self._wake.wait(BUSY_SECONDS if self.busy or self._children else IDLE_SECONDS)

    def _tick(self) -> None:
        for job in self._store.jobs.with_status("validating_files"):
            self._validate(job)
        self._forget_ended()
        occupied = self._end_lingering() + self._let_rest()
        for job in self._store.jobs.with_status(*IN_TURN):
            if self._lives(job):
                occupied += 1
            elif self._store.jobs.require(job.id).status not in IN_TURN:
                continue  # it ended, and its process after it, since the list was read
            elif job.attempts > MOST_RESTARTS:
                self._give_up(job)
            elif occupied < self._slots:
                self._start(job)
                occupied += 1

    def _validate(self, job: StoredJob) -> None:
        """Read the job's files; queue it, or fail it with the line that is wrong."""
        try:
            for param, file_id in (
                ("training_file", job.training_file),
                ("validation_file", job.validation_file),
            ):
                if file_id is not None:
                    count = count_examples(self._store.files.path(file_id), param=param)
                    self._store.jobs.add_event(job.id, f"The {param} {file_id} is valid: {count} examples.")
        except Rejected as error:
            self._store.jobs.fail(job.id, code=error.code, message=str(error), param=error.param)
        except OSError as error:
            self._store.jobs.fail(job.id, code="file_not_found", message=f"{param}: {error}", param=param)
        else:
            if self._store.jobs.move(job.id, "queued", start=["validating_files"]):
                self._store.jobs.add_event(job.id, "The files are valid; the job is queued.")

    def _start(self, job: StoredJob) -> None:
        if job.attempts > 0:
            self._store.jobs.add_event(
                job.id,
                f"The job's process ended unexpectedly{self._how(job)}; starting it again from the last "
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
            )

    def _give_up(self, job: StoredJob) -> None:
        log = self._store.jobs.folder(job.id) / "job.log"
        message = (
            f"The job's process ended unexpectedly {job.attempts} times{self._how(job)}. If it was killed "
            f"for want of memory, a smaller batch_size helps. Its log is {log}."
        )
        self._store.jobs.fail(job.id, code="process_died", message=message)

    def _forget_ended(self) -> None:
        """Let go of children that have ended, of jobs that have ended."""
        for job_id, child in list(self._children.items()):
            job = self._store.jobs.require(job_id)
            if child.poll() is not None and (job.finished or job.status == "paused"):
                del self._children[job_id]

    def _end_lingering(self) -> int:
        """Kill processes of cancelled jobs that do not end by themselves; return how many still live."""
        living = 0
        for job in self._store.jobs.lingering():
            if not self._lives(job):
                self._store.jobs.note(job.id, pid=None)
                continue
            living += 1
            if job.finished_at is not None and time.time() - job.finished_at > GRACE_SECONDS:
                _kill(job.pid)
        return living

    def _let_rest(self) -> int:
        """Call jobs paused whose process has ended; return how many that are pausing still live."""
        living = 0
        for job in self._store.jobs.with_status("pausing"):
            if self._lives(job):
                living += 1
            else:
                self._store.jobs.rest(job.id)
        return living

    def _lives(self, job: StoredJob) -> bool:
        """Say whether the job has a process: a child of ours, or an earlier server's that holds its lock."""
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

    def _how(self, job: StoredJob) -> str:
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
            return  # it ended just now
