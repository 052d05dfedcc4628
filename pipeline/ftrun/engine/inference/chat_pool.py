"""The server's side of chat: one worker process per base model, started on demand, stopped when idle."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ftrun.engine.backends import Sampling
from ftrun.engine.child_process import start
from ftrun.files import make_folder, open_to_write

IDLE_SECONDS = 600.0
MOST_WORKERS = (
    2  # loaded models take memory: above this the one that was idle for the longest time is stopped
)
CRASH_CODE = "chat_process_died"


class ChatFailed(Exception):
    """There is no answer; `status` is the HTTP status."""

    def __init__(self, message: str, *, status: int, code: str | None, param: str | None) -> None:
        """Keep the fields of the API's error."""
        super().__init__(message)
        self.status, self.code, self.param = status, code, param


class Answer:
    """An answer that is being generated; iterate over its pieces, then read `usage`."""

    def __init__(self, worker: _ChatProcess) -> None:
        """Wait for the messages of `worker`."""
        self.id = uuid.uuid4().hex
        self.usage: Mapping[str, Any] = {}
        self._worker = worker
        self._messages: queue.SimpleQueue[Mapping[str, Any]] = queue.SimpleQueue()
        self._ended = False

    def put(self, message: Mapping[str, Any]) -> None:
        """Add a message from the worker."""
        self._messages.put(message)

    def next_piece(self) -> str | None:
        """Wait for the next piece; None at the end. Raises ChatFailed."""
        message = self._messages.get()
        if "piece" in message:
            return str(message["piece"])
        self._ended = True
        if "error" in message:
            raise ChatFailed(message["error"].pop("message"), **message["error"])
        self.usage = message["done"]
        return None

    def pieces(self) -> Iterator[str]:
        """Yield the pieces to the end. Raises ChatFailed."""
        while (piece := self.next_piece()) is not None:
            yield piece

    def close(self) -> None:
        """Cancel the rest of the answer."""
        if not self._ended:
            self._worker.cancel(self.id)


class _ChatProcess:
    """A worker process, and the thread that passes its messages on to the answers that wait for them."""

    def __init__(self, model: str, folder: Path) -> None:
        self.used, self.dead = time.monotonic(), False
        self._model, self._answers = model, dict[str, Answer]()
        self._lock = threading.Lock()
        make_folder(folder, mode=0o700)
        self._log = folder / "chat.log"
        with open_to_write(self._log, "ab+", mode=0o600) as log:
            self._process: subprocess.Popen[bytes] = start(
                "ftrun.engine.inference.chat_worker", model, folder=folder, log=log, pipes=True
            )
        threading.Thread(target=self._read, name=f"chat {model}", daemon=True).start()

    @property
    def idle(self) -> bool:
        return not self._answers

    @property
    def answering(self) -> int:
        return len(self._answers)

    def ask(self, request: Mapping[str, Any]) -> Answer:
        answer = Answer(self)
        with self._lock:
            self.used = time.monotonic()
            if self.dead:
                answer.put({"error": self._crash()})
                return answer
            self._answers[answer.id] = answer
        self._write({"id": answer.id, **request})
        return answer

    def cancel(self, name: str) -> None:
        with self._lock:
            self._answers.pop(name, None)
        self._write({"cancel": name})

    def kill(self) -> None:
        self._process.kill()

    def _write(self, message: Mapping[str, Any]) -> None:
        pipe = self._process.stdin
        assert pipe is not None
        line = json.dumps(message).encode() + b"\n"
        with (
            self._lock,
            contextlib.suppress(BrokenPipeError, ValueError),
        ):  # `_read` ends the answers that wait
            pipe.write(line)
            pipe.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        fatal = None
        for line in self._process.stdout:
            message = json.loads(line)
            if "fatal" in message:
                fatal = message["fatal"]
            elif "ready" not in message:
                self._deliver(message)
        self._process.wait()
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self._process.stdin.close()
        with self._lock:
            self.dead, left = True, list(self._answers.values())
            self._answers.clear()
        for answer in left:
            answer.put({"error": dict(fatal or self._crash())})

    def _deliver(self, message: Mapping[str, Any]) -> None:
        with self._lock:
            self.used = time.monotonic()
            answer = self._answers.get(message["id"])
            if "piece" not in message:
                self._answers.pop(message["id"], None)
        if answer is not None:
            answer.put(message)

    def _crash(self) -> dict[str, Any]:
        message = (
            f"The process that answers for {self._model} ended unexpectedly "
            f"(code {self._process.returncode}); the next request starts a new one. Its log is {self._log}."
        )
        return {"status": 500, "message": message, "code": CRASH_CODE, "param": None}


class ChatPool:
    """The chat workers of a server."""

    def __init__(self, folder: Path, *, idle_seconds: float = IDLE_SECONDS) -> None:
        """Write logs to `folder`; stop workers that have been idle for `idle_seconds`."""
        self._folder, self._idle_seconds = folder, idle_seconds
        self._workers: dict[str, _ChatProcess] = {}
        self._lock = threading.Lock()

    def ask(
        self, model: str, messages: Sequence[Mapping[str, Any]], *, adapter: Path | None, sampling: Sampling
    ) -> Answer:
        """Ask the base model `model`, with the adapter in the folder `adapter` if given."""
        request = {
            "messages": list(messages),
            "adapter": None if adapter is None else str(adapter),
            "sampling": asdict(sampling),
        }
        with self._lock:
            return self._worker(model).ask(request)

    def warm(self, model: str) -> bool:
        """Start the worker of the base model `model`; return whether it is loading, or loaded already."""
        with self._lock:
            self._worker(model)
        return True

    def status(self) -> list[dict[str, Any]]:
        """Return for each worker its model, and how many questions it answers."""
        return [
            {"model": model, "answering": worker.answering, "waiting": 0, "seconds": None}
            for model, worker in list(self._workers.items())
        ]

    @property
    def busy(self) -> bool:
        """Return whether an answer is being generated."""
        return any(not worker.idle for worker in list(self._workers.values()))

    def end_idle(self) -> None:
        """Stop the workers that have been idle for too long; call it now and then."""
        oldest = time.monotonic() - self._idle_seconds
        with self._lock:
            for model, worker in list(self._workers.items()):
                if worker.dead or (worker.idle and worker.used < oldest):
                    self._end(model)

    def close(self) -> None:
        """Kill all workers; takes no lock, so that a signal handler may call it."""
        for worker in list(self._workers.values()):
            worker.kill()

    def _worker(self, model: str) -> _ChatProcess:
        worker = self._workers.get(model)
        if worker is None or worker.dead:
            self._make_room()
            worker = self._workers[model] = _ChatProcess(model, self._folder)
        return worker

    def _make_room(self) -> None:
        idle = [(worker.used, model) for model, worker in self._workers.items() if worker.idle]
        if len(self._workers) >= MOST_WORKERS and idle:
            self._end(min(idle)[1])

    def _end(self, model: str) -> None:
        self._workers.pop(model).kill()
