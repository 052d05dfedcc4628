"""How fast one service is asked: how many requests run at one time, and when the next may begin.

The number grows while the service takes what it gets, falls at once to what it took when it refuses one
(HTTP 429), and is halved when nothing but errors comes back. Pauses are those that the service asks for, in
Retry-After or in its rate limits' headers; where it asks for none they grow from try to try. Nobody polls:
a thread sleeps until its turn or until something changes.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from ftrun.concurrency import StoppedError
from ftrun.targets.errors import ServiceError
from ftrun.targets.limits import LONGEST_RESET, RateLimit, RateLimits

FIRST = 8  # requests at one time that a service gets before anything is known about it
MOST = 50  # requests at one time, unless the experiment file says otherwise
CERTAIN = 50  # that are asked at one time from the start where the file names a larger number
TRIES = 8  # of one request whose answers are lost, as each may be billed
ROUNDS = 6  # in which nothing but errors came back, until the service counts as broken
REFUSING = 900.0  # seconds for which a service may refuse everything for a limit
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 8.0  # seconds: where the service asks for none
PATIENT = 5  # refusals of one request after which the pauses that the service asks for count as too short
GROWTH = 3  # by how much the number grows per answer until the service's limit is known: fourfold per round
REGROWTH = 0.1  # by how much it grows, per full round, after that
WAITS = ("rate_limited", "queue_full")  # codes of refusals that pass by waiting


@dataclass(slots=True, kw_only=True)
class Ending:
    """Whether one of those that share a pace asks nothing more."""

    stopped: bool = False


@dataclass(slots=True, kw_only=True)
class Turn:
    """A request's turn: when it began, among how many, and how often it was refused and lost so far. `ending`
    is that of whoever asks.
    """

    ending: Ending = field(default_factory=Ending)
    began: float = 0.0
    among: int = 0
    refused: int = 0
    lost: int = 0


class Pace:
    """The pace at which one service is asked; any number of threads may use it."""

    def __init__(self, most: int, *, first: int = FIRST) -> None:
        self.most, self._number, self._known = max(1, most), float(max(1, min(first, most))), math.inf
        self._changed, self._stopped = threading.Condition(), False
        self._running, self._most_running, self._paused_until = 0, 0, 0.0
        self.answers = 0  # that came
        self._left: dict[str, tuple[int, float]] = {}  # what the service takes until then, by kind
        self._last_answer, self._last_drop, self._bad_rounds = time.monotonic(), 0.0, 0

    @property
    def number(self) -> int:
        """Return how many requests may run at one time now."""
        return max(1, int(self._number))

    @property
    def running(self) -> int:
        """Return how many requests run."""
        return self._running

    @property
    def pause(self) -> float:
        """Return for how many seconds from now no request may begin."""
        return max(0.0, self._blocked_until(0) - time.monotonic())

    def begin(self, turn: Turn, tokens: int) -> None:
        """Return when a request of about so many tokens may begin; StoppedError after `stop`."""
        with self._changed:
            while not self._stopped and not turn.ending.stopped:
                now = time.monotonic()
                until = self._blocked_until(tokens)
                if self._running < self.number and until <= now:
                    break
                self._changed.wait(until - now if until > now else None)
            if self._stopped or turn.ending.stopped:
                raise StoppedError
            self._running += 1
            self._most_running = max(self._most_running, self._running)
            turn.began, turn.among = time.monotonic(), self._running
            self._take("requests", 1)
            self._take("tokens", tokens)

    def rest(self, seconds: float, ending: Ending | None = None) -> None:
        """Return after `seconds`, or when nothing more is asked."""
        until, ending = time.monotonic() + seconds, ending or Ending()
        with self._changed:
            while not (self._stopped or ending.stopped) and (left := until - time.monotonic()) > 0:
                self._changed.wait(left)

    def skipped(self) -> None:
        """Note that a request was not sent after all, or that its error says nothing about the pace."""
        with self._changed:
            self._ended()

    def stop(self, ending: Ending | None = None) -> None:
        """Let no further request begin, or none of those who have this `ending`."""
        with self._changed:
            if ending is None:
                self._stopped = True
            else:
                ending.stopped = True
            self._changed.notify_all()

    def answered(self, limits: RateLimits) -> None:
        """Note that an answer came."""
        with self._changed:
            used = self._most_running * 2 > self._number  # answers alone don't show that it takes more
            self._ended()
            self.answers += 1
            self._last_answer, self._bad_rounds = time.monotonic(), 0
            if used and self._number < self.most:
                if self._number < self._known:
                    grown = min(self._number + GROWTH, self._known)
                else:
                    grown = self._number + REGROWTH / self._number
                self._number = min(grown, float(self.most))
            self._heed(limits)

    def failed(self, turn: Turn, error: ServiceError) -> float:
        """Note an error; return after how many seconds the request is tried again, or raise the error."""
        with self._changed:
            self._ended()
            self._heed(error.limits)
            if error.code in WAITS:
                return self._refused(turn, error)
            if error.code in ("unreachable", "api_error", "unreadable_answer"):
                return self._lost(turn, error)
        raise error

    def _ended(self) -> None:
        self._running -= 1
        self._changed.notify_all()

    def _refused(self, turn: Turn, error: ServiceError) -> float:
        """Fall to the number that the service took."""
        now, turn.refused = time.monotonic(), turn.refused + 1
        asked = error.retry_after if error.retry_after is not None else error.limits.pause
        late = now - self._last_answer > REFUSING and turn.refused > 1
        if late or (asked is not None and asked > LONGEST_RESET):
            raise error
        if turn.began > self._last_drop:  # one of those that began since: the others were on their way
            self._known, self._last_drop = max(1.0, self._number / 2), now
        self._number = max(1.0, min(self._number, turn.among - 1.0))
        if asked:
            pause = max(asked, _growing(turn.refused - PATIENT)) if turn.refused > PATIENT else asked
            self._paused_until = max(self._paused_until, now + pause)
            return 0.0
        pause = _growing(turn.refused)
        if self._running == 0:  # it took none
            self._paused_until = max(self._paused_until, now + pause)
        return pause

    def _lost(self, turn: Turn, error: ServiceError) -> float:
        """Try again, unless that was tried often or nothing but errors comes back."""
        now, turn.lost = time.monotonic(), turn.lost + 1
        if turn.began > max(self._last_drop, self._last_answer):  # nothing came since the last one was lost
            self._bad_rounds, self._last_drop = self._bad_rounds + 1, now
            if self._bad_rounds > 1:
                self._known = self._number = max(1.0, self._number / 2)
                self._paused_until = max(self._paused_until, now + _growing(self._bad_rounds))
        asked = error.retry_after or 0.0
        if turn.lost >= TRIES or self._bad_rounds >= ROUNDS or asked > LONGEST_RESET:
            raise error
        self._paused_until = max(self._paused_until, now + asked)
        return max(asked, _growing(turn.lost))

    def _heed(self, limits: RateLimits) -> None:
        """Keep what an answer's headers say; what it doesn't say, or says without an end, limits nothing."""
        now = time.monotonic()
        for kind, limit in (("requests", limits.requests), ("tokens", limits.tokens)):
            self._keep(kind, limit, now)

    def _keep(self, kind: str, limit: RateLimit, now: float) -> None:
        if limit.left is None or limit.reset is None:
            self._left.pop(kind, None)
        else:
            self._left[kind] = limit.left, now + limit.reset

    def _take(self, kind: str, number: int) -> None:
        if kind in self._left:
            left, until = self._left[kind]
            self._left[kind] = max(0, left - number), until

    def _blocked_until(self, tokens: int) -> float:
        """Return when a request of so many tokens may begin at the earliest."""
        until = self._paused_until
        for kind, needed in (("requests", 1), ("tokens", max(1, tokens))):
            left, reset = self._left.get(kind, (needed, 0.0))
            # where nothing runs nothing else will free anything: the service decides
            if left < needed and (self._running or left == 0):
                until = max(until, reset)
        return until


class Paces:
    """The paces that several askers share, one per service."""

    def __init__(self) -> None:
        self._lock, self._paces = threading.Lock(), dict[Hashable, Pace]()

    def of(self, service: Hashable, make: Callable[[], Pace]) -> Pace:
        """Return the pace of that service; the first who asks makes it."""
        with self._lock:
            if service not in self._paces:
                self._paces[service] = make()
            return self._paces[service]


def _growing(tries: int) -> float:
    """Return the pause after so many tries, in seconds."""
    return float(min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** (tries - 1)))
