"""The server's side of chat: a queue and a process per base model, as many processes as the memory holds.

All of it runs in the server's loop, except where a method says otherwise.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ftrun.engine.backends import AT_ONCE
from ftrun.engine.inference import room
from ftrun.engine.inference.chat_answer import Answer, ChatFailed
from ftrun.engine.inference.chat_queue import STOPPED_CODE, ChatQueue
from ftrun.engine.questions import Question, Texts

IDLE_SECONDS = 600.0
MOST_WAITING = 256  # questions per model, besides those that are being answered
LONGEST_PAUSE = 60  # seconds until a client should ask again: older clients obey no longer pause
UNKNOWN_PAUSE = 10  # seconds, while no answer has ended yet
SHORT_BYTES = 512 << 20  # with less memory than that, a training may need it more than an idle chat process
WARM_SHARE = 3  # a model is loaded in advance if it takes a third of the memory at most: training needs some


class ChatPool:
    """The chat queues of a server."""

    def __init__(
        self,
        folder: Path,
        *,
        idle_seconds: float = IDLE_SECONDS,
        available: Callable[[], int] = room.available,
    ) -> None:
        """Write logs to `folder`; stop processes that have been idle for `idle_seconds`; keep as many as the
        `available` memory in bytes allows.
        """
        self._folder, self._idle_seconds, self._available = folder, idle_seconds, available
        self._queues: dict[str, ChatQueue] = {}
        self._closed = False

    def ask(self, model: str, question: Question | Texts) -> Answer:
        """Ask the base model `model`.

        Raises ChatFailed (429) if too many questions to it wait.
        """
        if self._closed:
            raise ChatFailed("The engine is stopping.", status=503, code=STOPPED_CODE)
        queue = self._queue(model)
        if queue.size >= AT_ONCE + MOST_WAITING:
            raise _full(queue)
        answer = queue.ask(question)
        self._start()
        return answer

    def warm(self, model: str) -> bool:
        """Load the base model `model` if that takes a small part of the memory; return whether it is loaded
        or being loaded.
        """
        if self._closed or not (self._is_running(model) or self._fits_easily(model)):
            return False
        self._queue(model).warm()
        return True

    def at_once(self, model: str) -> int:
        """Return how many answers of the base model are generated at one time; 1 until it is loaded."""
        return self._queues[model].at_once if model in self._queues else 1

    @property
    def busy(self) -> bool:
        """Return whether there are questions without an answer; any thread may read it."""
        return any(queue.size for queue in list(self._queues.values()))

    def status(self) -> list[dict[str, Any]]:
        """Return for each model how many questions it answers, how many wait, in about how many seconds all
        will be answered (None while that is unknown), and the number format.
        """
        return [
            {
                "model": queue.model,
                "answering": queue.answering,
                "waiting": queue.size - queue.answering,
                "seconds": queue.seconds(queue.size),
                "dtype": queue.dtype,
            }
            for queue in list(self._queues.values())
        ]

    def end_idle(self, *, training: bool) -> None:
        """Stop the processes that have been idle for too long; call it now and then.

        During a training, one that was warmed for its evaluation stays, and none where memory is short.
        """
        oldest = time.monotonic() - self._idle_seconds
        short = training and self._available() < SHORT_BYTES
        for queue in list(self._queues.values()):
            if queue.size:
                continue
            if not queue.running:
                del self._queues[queue.model]
            elif training and queue.warmed and not short:
                queue.used = time.monotonic()
            elif short or queue.used < oldest:
                queue.stop()
        self._start()  # the memory may have room now

    def close(self) -> None:
        """Kill all processes; a signal handler may call it."""
        self._closed = True
        for queue in list(self._queues.values()):
            queue.close()

    async def wait_for_end(self) -> None:
        """Wait until all processes have ended, after `close`."""
        await asyncio.gather(*(queue.wait_for_end() for queue in self._queues.values()))

    def _queue(self, model: str) -> ChatQueue:
        if model not in self._queues:
            self._queues[model] = ChatQueue(model, self._folder, at_rest=self._start)
        return self._queues[model]

    def _is_running(self, model: str) -> bool:
        return model in self._queues and self._queues[model].running

    def _fits_easily(self, model: str) -> bool:
        bytes_needed = room.needed(model)
        return bytes_needed is not None and bytes_needed * WARM_SHARE <= self._free()

    def _start(self) -> None:
        """Start processes for questions that have none, the oldest first, until the memory has no room."""
        waiting = [queue for queue in self._queues.values() if queue.size and not queue.running]
        for queue in sorted(waiting, key=lambda queue: queue.since):
            if not self._has_room(queue.model):
                break
            queue.start()

    def _has_room(self, model: str) -> bool:
        """Return whether the process of `model` can start; if not, stop the one that has been idle longest.

        With no other process it always can: the sizes are estimates.
        """
        running = [queue for queue in self._queues.values() if queue.running]
        if not running or (room.needed(model) or 0) <= self._free():
            return True
        idle = [queue for queue in running if not queue.size]
        if idle and not any(queue.stopping for queue in running):
            min(idle, key=lambda queue: queue.used).stop()
        return False  # when one is at rest or has ended, `_start` is called again

    def _free(self) -> int:
        """Return the memory that is available, without what the models will take that are being loaded."""
        loading = [queue.model for queue in self._queues.values() if queue.running and not queue.loaded]
        return self._available() - sum(room.needed(model) or 0 for model in loading)


def _full(queue: ChatQueue) -> ChatFailed:
    """Return the error for one question too many: ask again when those that wait now have their turn."""
    seconds = queue.seconds(queue.size - queue.answering)
    pause = UNKNOWN_PAUSE if seconds is None else min(max(math.ceil(seconds), 1), LONGEST_PAUSE)
    return ChatFailed(
        f"The queue of {queue.model} is full ({queue.size} questions): ask again in {pause} s.",
        status=429,
        code="engine_busy",
        retry_after=pause,
    )
