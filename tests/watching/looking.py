"""A service that only tells how its job is, by a script, and a watch over it that does not rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ftrun.targets import Event, Job
from ftrun.watching.watch import Pace, Watch

Look = Callable[[int], Job]


class Looking:
    """A service that answers by the number of the look; every other call is an error."""

    def __init__(self, look: Look, events: Callable[[int], list[Event]] = lambda number: []) -> None:
        self.look, self.of, self.looks, self.connections = look, events, 0, 1
        self.cancelled = False

    def job(self, job_id: str) -> Job:
        """Return the job, or raise what the script raises."""
        self.looks += 1
        return self.look(self.looks)

    def events(self, job_id: str, *, newest: int = 50) -> list[Event]:
        """Return the events of this look."""
        return self.of(self.looks)[-newest:]

    def cancel(self, job_id: str) -> Job:
        """Cancel."""
        self.cancelled = True
        return job("cancelled")


def job(status: str = "running", **more: Any) -> Job:
    """Return a job."""
    return Job(id="j", status=status, model="m", training_file="f", **more)


DONE = {"status": "succeeded", "fine_tuned_model": "ft:m"}


def watch_of(service: Looking, sleeps: list[float] | None = None, **more: Any) -> Watch:
    """Return a watch whose rests are only noted."""

    def again() -> Any:
        service.connections += 1
        return service

    how: Mapping[str, Any] = {
        "emit": lambda kind, **data: None,
        "pace": Pace(shortest=1.0, longest=30.0),
        "sleep": (lambda seconds: None) if sleeps is None else sleeps.append,
        **more,
    }
    connected: Any = service
    return Watch(job_id="j", service=lambda: connected, reconnect=again, **how)
