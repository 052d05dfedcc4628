"""Where jobs run. Everything else in the engine knows an `Executor` only; today there is one kind.

`supervisor` runs each job in a process of its own on this machine, `job_process` is that process, and
`reporting` writes what happens in it to the store.
"""

from __future__ import annotations

from typing import Protocol

from ftrun.engine.store import Store


class Executor(Protocol):
    """Runs the jobs of a store, from `queued` to their end."""

    def start(self) -> None:
        """Begin, with the jobs that an earlier server left."""
        ...

    def stop(self) -> None:
        """Stop looking at jobs; those that are running keep running."""
        ...

    def wake(self) -> None:
        """Look at the jobs at once: one was created, cancelled, paused or resumed."""
        ...

    @property
    def busy(self) -> bool:
        """Return whether a job is running, or will run without anyone doing anything."""
        ...


def executor_for(store: Store) -> Executor:
    """Return the executor of a store's jobs."""
    from ftrun.engine.executors.supervisor import Supervisor

    return Supervisor(store)
