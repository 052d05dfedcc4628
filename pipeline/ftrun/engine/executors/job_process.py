"""The process of one job, started as `python -m ftrun.engine.executors.job_process HOME JOB_ID`.

It holds a lock, which the kernel frees however it dies: this is how a server, even a later one, knows. It
never starts or watches other jobs.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from filelock import FileLock, Timeout

from ftrun.engine.backends import Cancelled, Paused, Rejected, TrainingJob, backend_for
from ftrun.engine.examples import count_examples, rows_of
from ftrun.engine.executors.reporting import JobReport
from ftrun.engine.log import log, log_error
from ftrun.engine.store import Store, StoredJob
from ftrun.engine.store.records import RESTING
from ftrun.errors import FtrunError
from ftrun.files import file_lock, is_disk_full, make_folder
from ftrun.protocol.spec import default_epochs

FULL_SECONDS = 5  # until a full disk is tried again
LOCK_SECONDS = 2  # a server that checks whether the lock is free holds it for a moment


def lock_of(folder: Path) -> FileLock:
    """Return the lock that the process of the job in `folder` holds while it runs."""
    return file_lock(folder / "process.lock", mode=0o600)


def run_job(home: Path, job_id: str) -> None:
    """Train the job, unless another process does or it has ended; write every outcome to the store."""
    store = Store(home)
    try:
        with lock_of(store.jobs.folder(job_id)).acquire(timeout=LOCK_SECONDS):
            job = store.jobs.require(job_id)
            if not job.finished and job.status not in RESTING:
                _train_with_room(store, job)
    except Timeout:
        log(f"Another process is running job {job_id}.")
    finally:
        store.close()


def _train_with_room(store: Store, job: StoredJob) -> None:
    """Train the job; while the disk is full, wait, and resume from the last checkpoint."""
    waited = False
    while True:
        try:
            store.jobs.note(job.id, pid=os.getpid())
            if waited:
                store.jobs.add_event(job.id, "The disk was full: the job waited for room.", level="warn")
            _train(store, job)
            return
        except Exception as error:
            if not is_disk_full(error):
                raise
            log(f"The disk is full, so the job waits: {error}.")
            waited = True
        time.sleep(FULL_SECONDS)
        job = store.jobs.require(job.id)
        if job.finished or job.status in RESTING:  # `pausing` is settled by the supervisor
            return


def _train(store: Store, job: StoredJob) -> None:
    """Call the backend, and end the job with whatever it returns or raises, save a full disk."""
    report = JobReport(store, job)
    try:
        report.succeeded(backend_for(job.model).train(_training_job(store, job), report))
    except Cancelled:
        store.jobs.cancel(job.id)
    except Paused:
        store.jobs.settle_pause(job.id)
    except Rejected as error:
        store.jobs.fail(job.id, code=error.code, message=str(error), param=error.param)
    except FtrunError as error:
        message = " ".join(filter(None, (str(error), error.problem.hint)))
        store.jobs.fail(job.id, code=error.code, message=message)
    except Exception as error:  # a bug: the job must fail with a reason, not hang
        if is_disk_full(error):
            raise
        log_error(error)
        log = store.jobs.folder(job.id) / "job.log"
        message = f"Training failed with {type(error).__name__}: {error}. Details are in {log}."
        store.jobs.fail(job.id, code="server_error", message=message)


def _training_job(store: Store, job: StoredJob) -> TrainingJob:
    training = _content(store, job.training_file, "training_file")
    validation = _content(store, job.validation_file, "validation_file") if job.validation_file else None
    hyperparameters = dict(job.hyperparameters)
    if hyperparameters["n_epochs"] == "auto":
        rows = rows_of(job.model, job.method)
        examples = count_examples(training, param="training_file", row=rows)
        hyperparameters["n_epochs"] = default_epochs(examples)
    work = store.jobs.folder(job.id) / "work"
    make_folder(work)
    return TrainingJob(
        id=job.id,
        model=job.model,
        training_file=training,
        validation_file=validation,
        hyperparameters=hyperparameters,
        seed=job.seed,
        work=work,
        adapter=_adapter(store, job),
        method=job.method,
        dtype=job.dtype,
    )


def _adapter(store: Store, job: StoredJob) -> Path | None:
    if job.continue_from is None:
        return None
    model = store.models.get(job.continue_from)
    if model is None:
        raise Rejected(f"The model {job.continue_from} was deleted.", code="model_not_found", param="model")
    return model.path


def _content(store: Store, file_id: str, param: str) -> Path:
    if store.files.get(file_id) is None:
        raise Rejected(
            f"The {param} {file_id} was deleted or has expired.", code="file_not_found", param=param
        )
    return store.files.path(file_id)


if __name__ == "__main__":
    run_job(Path(sys.argv[1]), sys.argv[2])
