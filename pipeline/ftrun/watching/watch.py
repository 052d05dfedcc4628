"""Looking at a running job until it ends: how often, for how long, and through which failures.

It creates nothing, and stops a job only where a guard of the experiment says so. What it remembers does not
grow with the number of looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ftrun.errors import FtrunError, PendingError
from ftrun.targets import TRANSIENT, Event, Job, Service
from ftrun.waiting import waiting
from ftrun.watching.stop_rules import Guard
from ftrun.workflow.context import Emit

FIRST_LOOK = 3  # events that are told to one who comes back
NEWEST = 100  # events of one look
NAMELESS = 600.0  # seconds that a finished job may be without its model's name
ENGINE_GONE = 600.0  # seconds that the engine on this machine may be out of reach
SERVER_GONE = 6 * 3600.0  # seconds that a server may be out of reach: a night without network is a night
LONGEST_RETRY_AFTER = 3600.0  # seconds; who asks for more is come back to
SHARE = 100  # a look that took 14 ms of processor time is followed by at least 1.4 s of rest
LONGEST_FOR_COST = 10.0  # seconds of such a rest
RESUME = "`ftrun resume` with this experiment lets it go on"
QUIET = 600.0  # seconds between two notes that a server is still away


@dataclass(slots=True, kw_only=True)
class Pace:
    """How long to rest between two looks: short after news, longer and longer without, in seconds.

    `credit` is processor time that looks may take before their cost makes rests longer: a job of some seconds
    is not waited for longer than it takes.
    """

    shortest: float
    longest: float
    pause: float = 0.0
    credit: float = 0.3

    def after(self, *, news: bool, left: float | None, asked: float | None, spent: float) -> float:
        """Return the next rest. `left` is until the expected end, `asked` a Retry-After, `spent` the
        processor time of the look: waiting must cost next to nothing, unless the experiment wants it so.
        """
        self.pause = self.shortest if news or not self.pause else min(self.pause * 1.5, self.longest)
        rest = self.pause
        if left is not None and left > 0:
            rest = min(rest, max(self.shortest, left))  # not long after the end
        self.credit -= spent
        if self.credit < 0:
            rest = max(rest, min(spent * SHARE, LONGEST_FOR_COST, self.longest))
        return max(rest, asked or 0.0)


@dataclass(slots=True, kw_only=True)
class Watch:
    """One job under watch. `service` gives the connection, `reconnect` a new one; `where` is the address for
    messages; `told` is called when the status changes, `looked` after each look with the seconds so far,
    `stopping` before a guard cancels. `max_wait` in seconds.
    """

    job_id: str
    service: Callable[[], Service]
    reconnect: Callable[[], Service]
    emit: Emit
    pace: Pace
    where: str = ""
    local: bool = False
    guard: Guard = field(default_factory=Guard)
    max_wait: float | None = None
    verify: Callable[[Job], None] = lambda job: None  # raises where the job under the id is another
    told: Callable[[Job], None] = lambda job: None
    looked: Callable[[Job, float], None] = lambda job, seconds: None
    stopping: Callable[[str], None] = lambda reason: None
    sleep: Callable[[float], None] = time.sleep
    stopped: str | None = None  # why a guard stopped it
    _cancelled: bool = False
    _status: str = ""
    _seen: frozenset[str] = frozenset()
    _away: float | None = None
    _noted: float = 0.0

    def until_the_end(self) -> Job:
        """Return the ended job; PendingError when it goes on without us, FtrunError when asking it failed."""
        with waiting(f"job {self.job_id} at {self.where}"):
            return self._until_the_end()

    def _until_the_end(self) -> Job:
        start, ended = time.monotonic(), None
        while True:
            used, asked, news, job = time.process_time(), None, False, None
            try:
                job, news = self._look()
                self.looked(job, time.monotonic() - start)
                self._away = None
            except FtrunError as error:
                asked = self._bear(error)
            if job is not None:
                if job.dead or (job.succeeded and job.fine_tuned_model):
                    return job
                ended = self._nameless(job, ended)
            left = job.estimated_finish - time.time() if job and job.estimated_finish else None
            spent = time.process_time() - used
            rest = self.pace.after(news=news, left=left, asked=asked, spent=spent)
            self._rest(rest, time.monotonic() - start)

    def _look(self) -> tuple[Job, bool]:
        service = self.service()
        job = service.job(self.job_id)
        self.verify(job)
        events = service.events(self.job_id, newest=NEWEST)
        news = self._tell(job, events)
        if not job.dead and not job.succeeded:
            self._stop(job, service)
        return job, news

    def _stop(self, job: Job, service: Service) -> None:
        """Cancel the job once a guard says so; a server that is away is told at the next look."""
        if self.stopped is None:
            self.stopped = self.guard.verdict()
            if self.stopped is None:
                return
            self.stopping(self.stopped)
            self.emit("note", text=f"train.stop_when: {self.stopped}; cancelling job {job.id}")
        if not self._cancelled:
            service.cancel(job.id)
            self._cancelled = True

    def _tell(self, job: Job, events: list[Event]) -> bool:
        """Tell what is new; of what was there at the first look only the end, for one who comes back."""
        fresh = [event for event in events if event.id not in self._seen]
        first, self._seen = not self._seen, frozenset(event.id for event in events)
        for event in fresh:
            self.guard.take(event.data)
        for event in fresh[-FIRST_LOOK:] if first else fresh:
            if event.data.get("step") is not None:
                self.emit("step", job_id=job.id, **_named(event))
            else:
                self.emit("job", job_id=job.id, level=event.level, text=event.message)
        changed, self._status = job.status != self._status, job.status
        if changed:
            self.told(job)
            if job.status == "paused":
                self.emit("note", text=f"job {job.id} is paused; {RESUME}")
        self.emit("waiting", job_id=job.id, status=job.status, estimated_finish=job.estimated_finish)
        return changed or bool(fresh)

    def _bear(self, error: FtrunError) -> float | None:
        """Live through a server that is away; return the seconds that it asks to wait.

        Each later look has a connection of its own: after a laptop's sleep or another network the old one
        is dead and would only be found so by a time-out.
        """
        asked = getattr(error, "retry_after", None)
        if error.code == "daily_limit" or (asked or 0.0) > LONGEST_RETRY_AFTER:
            raise self._pending(str(error), error.problem.hint) from error
        if error.code not in TRANSIENT:
            raise error
        now = time.monotonic()
        self._away = now if self._away is None else self._away
        gone = now - self._away
        if self.local and gone > ENGINE_GONE:
            raise error
        if gone > SERVER_GONE:
            raise self._pending(f"{error}, for {SERVER_GONE / 3600:.0f} hours now", None) from error
        if not gone or now - self._noted > QUIET:
            self._noted = now
            self.emit("note", text=f"{error}; the job goes on, trying again")
        if error.code != "rate_limited":
            self.reconnect()
        return asked

    def _nameless(self, job: Job, ended: float | None) -> float | None:
        """Allow the model's name to come later than success."""
        if not job.succeeded:
            return None
        now = time.monotonic()
        if ended is not None and now - ended > NAMELESS:
            raise FtrunError(f"job {job.id} succeeded, but the server names no model", code="no_model")
        return now if ended is None else ended

    def _rest(self, rest: float, waited: float) -> None:
        """Sleep; PendingError when the time to wait is over."""
        if self.max_wait is not None:
            rest = min(rest, self.max_wait - waited)
            if rest <= 0:
                hint = RESUME if self._status == "paused" else None
                raise self._pending(f"job {self.job_id} is {self._status or 'not known'}", hint)
        self.sleep(rest)

    def _pending(self, why: str, hint: str | None) -> PendingError:
        return PendingError(
            f"{why}: job {self.job_id} goes on without us",
            code="pending",
            hint=hint or "The same command goes on waiting.",
        )


def _named(event: Event) -> dict[str, object]:
    """Return a step's numbers under names that can't clash with our own."""
    return {str(name): value for name, value in event.data.items() if name not in ("kind", "job_id")}
