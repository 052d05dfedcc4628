"""The questions to one base model, and the process that answers them. All of it runs in the server's loop.

Every question is sent to the process at once; which answers it generates together is its own business.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ftrun.engine.backends import AT_ONCE
from ftrun.engine.child_process import start_with_pipes
from ftrun.engine.inference.chat_answer import Answer
from ftrun.engine.log import log_error
from ftrun.engine.questions import Question, Texts
from ftrun.files import make_folder, open_to_write

CRASH_CODE = "chat_process_died"
STOPPED_CODE = "engine_stopped"
LONGEST_LINE = 64 * 1024 * 1024  # bytes of a message from the process
PACE_ANSWERS = 64  # the latest ones say how fast answers end at present


class _Pace:
    """How fast answers end while there are any to generate."""

    def __init__(self) -> None:
        self._intervals = deque[float](maxlen=PACE_ANSWERS)
        self._since = 0.0

    def begin(self) -> None:
        self._since = time.monotonic()

    def answered(self) -> None:
        now = time.monotonic()
        self._intervals.append(now - self._since)
        self._since = now

    def seconds(self, answers: int) -> float | None:
        """Return how long so many answers take; None while no answer has ended."""
        if not answers:
            return 0.0
        return answers * sum(self._intervals) / len(self._intervals) if self._intervals else None


class ChatQueue:
    """The questions to one base model in their order, and the process that answers them if it runs."""

    def __init__(self, model: str, folder: Path, *, at_rest: Callable[[], None]) -> None:
        """Write the log to `folder`; `at_rest` is called when all is answered, or the process has ended."""
        self.model, self.used = model, time.monotonic()
        self.warmed = False  # whether it was loaded for questions that have not come yet
        self._folder, self._log, self._at_rest = folder, folder / "chat.log", at_rest
        self._answers: dict[str, Answer] = {}
        self._pace = _Pace()
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._pipe: asyncio.StreamWriter | None = None  # while the process takes questions
        self._ready: Mapping[str, Any] | None = None  # what it said when it had loaded the model
        self.stopping = self._closed = False

    @property
    def size(self) -> int:
        """Return the number of questions that have no whole answer yet."""
        return len(self._answers)

    @property
    def since(self) -> float:
        """Return when the oldest question came that has no whole answer yet."""
        return min((answer.since for answer in self._answers.values()), default=math.inf)

    @property
    def running(self) -> bool:
        """Return whether there is a process."""
        return self._task is not None

    @property
    def loaded(self) -> bool:
        """Return whether the process has loaded the model."""
        return self._ready is not None

    @property
    def at_once(self) -> int:
        """Return how many answers the process generates at one time; 1 while it has not said so."""
        return 1 if self._ready is None else int(self._ready.get("at_once", AT_ONCE))

    @property
    def answering(self) -> int:
        """Return how many answers are being generated."""
        return 0 if self._ready is None else min(self.size, self.at_once)

    @property
    def dtype(self) -> str | None:
        """Return the number format in which the model was loaded; None if it is not, or has none."""
        return None if self._ready is None else self._ready.get("dtype")

    def seconds(self, answers: int) -> float | None:
        """Return about how long `answers` answers take; None while that is unknown."""
        return self._pace.seconds(answers)

    def ask(self, question: Question | Texts) -> Answer:
        """Add a question."""
        answer = Answer(question, self._cancel)
        self.warmed, self.used = False, time.monotonic()
        if not self._answers:
            self._pace.begin()
        self._answers[answer.id] = answer
        self._send(answer)
        return answer

    def warm(self) -> None:
        """Let the process be there for questions to come."""
        self.warmed, self.used = True, time.monotonic()
        if self._task is None:
            self.start()

    def start(self) -> None:
        """Start a process and ask it what has been asked."""
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """Kill the process; questions that come until it has ended wait for the next one."""
        self.stopping, self._pipe = True, None
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                self._process.kill()

    def close(self) -> None:
        """Kill the process for good; a signal handler may call this."""
        self._closed = True
        self.stop()

    async def wait_for_end(self) -> None:
        """Wait until the process has ended."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        """Run one process to its end."""
        fatal: Mapping[str, Any] | None = None
        code: int | None = None
        try:
            fatal, code = await self._answer_all()
        except Exception as error:  # such as a full disk: whoever waits must get a message
            log_error(error)
            fatal = _error(f"The process that answers for {self.model} failed: {error}.")
            self.stop()
        self._task = self._process = self._pipe = self._ready = None
        self.stopping = False
        self._settle(fatal, code)
        self._at_rest()

    async def _answer_all(self) -> tuple[Mapping[str, Any] | None, int]:
        """Return what the process said why it can't answer at all, if it did, and its exit code."""
        make_folder(self._folder, mode=0o700)
        with open_to_write(self._log, "ab+", mode=0o600) as log:
            process = await start_with_pipes(
                "ftrun.engine.inference.chat_worker",
                self.model,
                folder=self._folder,
                log=log,
                longest_line=LONGEST_LINE,
            )
        self._process = process
        assert process.stdout is not None
        if self.stopping:
            process.kill()
        else:
            self._pipe = process.stdin
            for answer in self._answers.values():
                self._send(answer)
        fatal = None
        async for line in process.stdout:
            if not line.endswith(b"\n"):
                break  # it was killed while it wrote
            fatal = self._take(json.loads(line)) or fatal
        self._pipe = None
        return fatal, await process.wait()

    def _take(self, message: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """Pass on a message of the process; return the error that ends it."""
        self.used = time.monotonic()
        if "fatal" in message:
            return dict(message["fatal"])
        if "ready" in message:
            self._ready = message["ready"]
            self._pace.begin()
            return None
        answer = self._answers.get(message["id"])
        if answer is not None:
            answer.put(message)
            if "done" in message or "error" in message:
                self._pace.answered()
                self._remove(answer.id)
        return None

    def _remove(self, name: str) -> None:
        del self._answers[name]
        if not self._answers:
            self._at_rest()

    def _send(self, answer: Answer) -> None:
        if self._pipe is not None:
            answer.asked += 1
            self._write(answer.request)

    def _cancel(self, name: str) -> None:
        if name in self._answers:
            self._write({"cancel": name})
            self._remove(name)

    def _write(self, message: Mapping[str, Any]) -> None:
        pipe = self._pipe  # which a signal handler may take away meanwhile
        if pipe is not None and not pipe.is_closing():  # else `_run` is about to notice
            pipe.write(json.dumps(message).encode() + b"\n")

    def _settle(self, fatal: Mapping[str, Any] | None, code: int | None) -> None:
        """End the answers that the process left, except those that can be asked once more."""
        left, self._answers = list(self._answers.values()), {}
        for answer in left:
            if self._closed:
                stopped = _error("The engine was stopped before it answered.", code=STOPPED_CODE)
                answer.put({"error": {**stopped, "status": 503}})
            elif fatal is not None:
                answer.put({"error": fatal})
            elif answer.begun or answer.asked > 1:
                answer.put({"error": self._crash(code)})
            else:
                answer.forget()
                self._answers[answer.id] = answer

    def _crash(self, code: int | None) -> dict[str, Any]:
        if code == -signal.SIGKILL:
            message = (
                f"The process that answers for {self.model} was killed (SIGKILL), most likely because memory "
                "ran out: close other programs, use a smaller base model or ask fewer questions at once. The "
                f"next request starts a new one. Its log is {self._log}."
            )
        else:
            message = (
                f"The process that answers for {self.model} ended unexpectedly "
                f"(code {code}); the next request starts a new one. Its log is {self._log}."
            )
        return _error(message)


def _error(message: str, *, code: str = CRASH_CODE) -> dict[str, Any]:
    return {"status": 500, "message": message, "code": code, "param": None}
