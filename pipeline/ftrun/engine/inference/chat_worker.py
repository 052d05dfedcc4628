"""The process that answers for one base model: `python -m ftrun.engine.inference.chat_worker MODEL`.

JSON lines: {"id", "messages", "adapter", "sampling"} or {"cancel": id} come in on stdin; {"id", "piece"},
then {"id", "done": usage} or {"id", "error": {…}} go out on stdout, {"ready": {"at_once", "dtype"}} when the
model is loaded, {"fatal": {…}} if it can't be. It ends when stdin is closed, so it never outlives its server.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from ftrun.engine.backends import ChatModel, Rejected, Sampling, Usage, backend_for
from ftrun.errors import FtrunError, UserError

Send = Callable[[Mapping[str, Any]], None]


class _Requests:
    """The requests from stdin, read by a thread so that a cancellation is noticed during an answer."""

    def __init__(self, lines: IO[bytes]) -> None:
        self.waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self.cancelled: set[str] = set()
        threading.Thread(target=self._read, args=(lines,), daemon=True).start()

    def _read(self, lines: IO[bytes]) -> None:
        for line in lines:
            request = json.loads(line)
            if "cancel" in request:
                self.cancelled.add(request["cancel"])
            else:
                self.waiting.put(request)
        os._exit(0)  # the server has gone: don't finish an answer that nobody reads


def main(model: str) -> int:
    """Load `model` and answer requests until stdin closes; 1 if it can't be loaded."""
    send = _private_stdout()
    requests = _Requests(sys.stdin.buffer)
    try:
        chat = backend_for(model).open_chat(model)
    except Exception as error:  # whatever it is, the server must get a message
        send({"fatal": _in_words(error)})
        return 1
    send({"ready": {"at_once": 1, "dtype": None}})
    while True:
        _answer(chat, requests.waiting.get(), requests.cancelled, send)


def _answer(chat: ChatModel, request: dict[str, Any], cancelled: set[str], send: Send) -> None:
    name, usage = request["id"], Usage()
    adapter = Path(request["adapter"]) if request["adapter"] else None
    sampling = Sampling(**{**request["sampling"], "stop": tuple(request["sampling"]["stop"])})
    try:
        for piece in chat.answer(request["messages"], adapter=adapter, sampling=sampling, usage=usage):
            if name in cancelled:
                break
            send({"id": name, "piece": piece})
        send({"id": name, "done": asdict(usage)})
    except Exception as error:  # one bad request must not end the worker
        send({"id": name, "error": _in_words(error)})
    cancelled.discard(name)


def _in_words(error: Exception) -> dict[str, Any]:
    """Return an error for the API: a 400 if the caller can fix it, else a 500."""
    if isinstance(error, Rejected):
        return {"status": 400, "message": str(error), "code": error.code, "param": error.param}
    if isinstance(error, FtrunError):
        message = " ".join(filter(None, (str(error), error.problem.hint)))
        status = 400 if isinstance(error, UserError) else 500
        return {"status": status, "message": message, "code": error.code, "param": None}
    traceback.print_exc()
    return {"status": 500, "message": f"{type(error).__name__}: {error}", "code": None, "param": None}


def _private_stdout() -> Send:
    """Reserve stdout for our messages: what libraries print goes to the log."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)

    def send(message: Mapping[str, Any]) -> None:
        out.write(json.dumps(message).encode() + b"\n")
        out.flush()

    return send


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
