"""What moves jobs on: it tells a job that ended by itself from one that died."""

from __future__ import annotations

from pathlib import Path

from ftrun.engine.executors.supervisor import Supervisor
from ftrun.engine.store import JobRecord, Store
from ftrun.engine.store.jobs import NewJob


class Slow(Supervisor):
    """Held up between reading the list of jobs and looking at a process: the job succeeds meanwhile."""

    def _lives(self, job: JobRecord) -> bool:
        self._store.jobs.move(job.id, "succeeded")
        return False


def test_a_job_that_succeeds_while_it_is_looked_at_did_not_die(tmp_path: Path) -> None:
    """On a busy machine a process may end in order between two looks: that is told as no death."""
    store = Store(tmp_path)
    new = NewJob(
        model="rehearsal",
        training_file="file-1",
        validation_file=None,
        hyperparameters={},
        seed=1,
        suffix=None,
        metadata=None,
    )
    job = store.jobs.create(new)
    store.jobs.note(job.id, status="running", attempts=1)
    Slow(store)._tick()
    told = [event.message for event in store.jobs.events(job.id, limit=9, after=None).records]
    assert not [message for message in told if "unexpectedly" in message]
    assert store.jobs.require(job.id).attempts == 1
    store.close()
