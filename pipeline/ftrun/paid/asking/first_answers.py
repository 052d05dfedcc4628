"""One question goes first where nothing is known of a model: what it refuses is then learned once, and not by
every question that is asked at the same time.
"""

from __future__ import annotations

import time
from threading import Condition

from ftrun.concurrency import StoppedError

LONGEST = 5.0  # seconds: refusals come at once, while an answer may take long


Asked = tuple[str | None, str]  # a target of the file (None: the experiment's), and a model there


class FirstAnswers:
    """The first answers of models; any number of threads may use it. Before the `leader`, one of them, has
    answered nobody else is asked.
    """

    def __init__(self, leader: Asked | None = None) -> None:
        self._changed, self._stopped, self._leader = Condition(), False, leader
        self._until: dict[Asked, float] = {}  # by model: when the others wait no longer

    def wait(self, model: Asked) -> None:
        """Return at once for a model's first question, for others once it is answered or takes long;
        StoppedError after `stop`.
        """
        with self._changed:
            while not self._stopped and self._leader not in (None, model):
                self._changed.wait()
            if self._stopped:
                raise StoppedError
            if model not in self._until:
                self._until[model] = time.monotonic() + LONGEST
                return
            while not self._stopped and (left := self._until[model] - time.monotonic()) > 0:
                self._changed.wait(left)
            if self._stopped:
                raise StoppedError

    def came(self, model: Asked) -> None:
        """Note that an answer of the model is kept."""
        with self._changed:
            self._until[model] = time.monotonic()
            if model == self._leader:
                self._leader = None
            self._changed.notify_all()

    def stop(self) -> None:
        """Let nobody wait any longer."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
