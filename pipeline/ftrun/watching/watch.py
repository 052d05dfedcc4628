"""Watching a running job until it ends: how often, for how long, and through which failures.

It creates nothing, and cancels a job only where `train.stop_when` says so. Its memory does not grow with the
number of looks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ftrun.errors import FtrunError, PendingError
from ftrun.targets import TRANSIENT, Event, Job, Service
from ftrun.waiting import waiting
from ftrun.watching.stop_rules import StopRules
from ftrun.workflow.context import Emit

FIRST_LOOK = 3  # events that are shown to a user who comes back
NEWEST = 100  # events that one look asks for
NAMELESS = 600.0  # seconds that a finished job may lack its model's name
ENGINE_GONE = 600.0  # seconds that the engine on this machine may be out of reach
SERVER_GONE = 6 * 3600.0  # seconds that a server may be out of reach: a night without network is a night
LONGEST_RETRY_AFTER = 3600.0  # seconds; a server that asks for more is left until later
SHARE = 100  # a look that took 14 ms of processor time is followed by at least 1.4 s of rest
LONGEST_FOR_COST = 10.0  # seconds of such a rest
NEAR_END = 3.0  # seconds after the expected end, an estimate in whole seconds, in which every rest is short
AGAIN = "Run the same command to resume waiting."
QUIET = 600.0  # seconds between two notes that a server is still unreachable


@dataclass(slots=True, kw_only=True)
class Pace:
    """How long to rest between two looks, in seconds: short after news, then longer and longer.

    `credit` is the processor time that looks may take before their cost makes rests longer: waiting for a job
    of a few seconds takes no longer than the job.
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
        self.credit -= spent
        if self.credit < 0:
            rest = max(rest, min(spent * SHARE, LONGEST_FOR_COST, self.longest))
        if left is not None and left > -NEAR_END:
            rest = min(rest, max(self.shortest, left))  # the end is noticed soon
        return max(rest, asked or 0.0)


@dataclass(slots=True, kw_only=True)
class Watch:
    """One watched job. `service` returns the connection, `reconnect` a new one; `where` is the address for
    messages. `verify` raises where the job under the id is another one; `on_status` is called when the status
    changes, `on_look` after each look with the seconds so far, `on_stop` before a stop rule cancels the job.
    `max_wait` is in seconds.
    """

    job_id: str
    service: Callable[[], Service]
    reconnect: Callable[[], Service]
    emit: Emit
    pace: Pace
    where: str = ""
    local: bool = False
    stop_rules: StopRules = field(default_factory=StopRules)
    max_wait: float | None = None
    resume: str = "ftrun resume CONFIG"  # the command that resumes a paused job
    verify: Callable[[Job], None] = lambda job: None
    on_status: Callable[[Job], None] = lambda job: None
    on_look: Callable[[Job, float], None] = lambda job, seconds: None
    on_stop: Callable[[str], None] = lambda reason: None
    sleep: Callable[[float], None] = time.sleep
    stopped: str | None = None  # why the stop rules stopped it
    _cancelled: bool = False
    _status: str = ""
    _seen: frozenset[str] = frozenset()
    _away: float | None = None
    _noted: float = 0.0

    def until_the_end(self) -> Job:
        """Return the ended job; PendingError when it keeps running, FtrunError when the server fails."""
        with waiting(f"job {self.job_id} at {self.where}"):
            return self._watch()

    def _watch(self) -> Job:
        start, ended = time.monotonic(), None
        while True:
            used, asked, news, job = time.process_time(), None, False, None
            try:
                job, news = self._look()
                self.on_look(job, time.monotonic() - start)
                self._away = None
            except FtrunError as error:
                asked = self._survive(error)
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
        news = self._report(job, events)
        if not job.dead and not job.succeeded:
            self._stop(job, service)
        return job, news

    def _stop(self, job: Job, service: Service) -> None:
        """Cancel the job once a stop rule says so; an unreachable server is asked again at the next look."""
        if self.stopped is None:
            self.stopped = self.stop_rules.verdict()
            if self.stopped is None:
                return
            self.on_stop(self.stopped)
            self.emit("note", text=f"train.stop_when: {self.stopped}; cancelling job {job.id}")
        if not self._cancelled:
            service.cancel(job.id)
            self._cancelled = True

    def _report(self, job: Job, events: list[Event]) -> bool:
        """Report what is new; of what there was at the first look only the end, for a user who comes back."""
        fresh = [event for event in events if event.id not in self._seen]
        first, self._seen = not self._seen, frozenset(event.id for event in events)
        for event in fresh:
            self.stop_rules.take(event.data)
        for event in fresh[-FIRST_LOOK:] if first else fresh:
            if event.data.get("step") is not None:
                self.emit("step", job_id=job.id, **_named(event))
            else:
                self.emit("job", job_id=job.id, level=event.level, text=event.message)
        changed, self._status = job.status != self._status, job.status
        if changed:
            self.on_status(job)
            if job.status == "paused":
                self.emit("note", text=f"job {job.id} is paused; `{self.resume}` resumes it")
        self.emit("waiting", job_id=job.id, status=job.status, estimated_finish=job.estimated_finish)
        return changed or bool(fresh)

    def _survive(self, error: FtrunError) -> float | None:
        """Return the seconds to wait for a server that is unreachable; raise what is not transient.

        Each later look has a connection of its own: after a laptop's sleep or on another network the old
        one is dead, which only a time-out would show.
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
            self.emit("note", text=f"{error}; the job keeps running, trying again")
        if error.code != "rate_limited":
            self.reconnect()
        return asked

    def _nameless(self, job: Job, ended: float | None) -> float | None:
        """Allow the model's name to come later than success."""
        if not job.succeeded:
            return None
        now = time.monotonic()
        if ended is not None and now - ended > NAMELESS:
            raise FtrunError(
                f"job {job.id} succeeded, but the server does not name the model", code="no_model"
            )
        return now if ended is None else ended

    def _rest(self, rest: float, waited: float) -> None:
        """Sleep; PendingError when --max-wait is over."""
        if self.max_wait is not None:
            rest = min(rest, self.max_wait - waited)
            if rest <= 0:
                hint = f"`{self.resume}` resumes it." if self._status == "paused" else None
                status = self._status or "unknown"
                raise PendingError(
                    f"Job {self.job_id} keeps running (status: {status}).", code="pending", hint=hint or AGAIN
                )
        self.sleep(rest)

    def _pending(self, why: str, hint: str | None) -> PendingError:
        return PendingError(
            f"{why}: job {self.job_id} keeps running",
            code="pending",
            hint=hint or AGAIN,
        )


def _named(event: Event) -> dict[str, object]:
    """Return a step's numbers, less names that would clash with those of the event."""
    return {str(name): value for name, value in event.data.items() if name not in ("kind", "job_id")}
