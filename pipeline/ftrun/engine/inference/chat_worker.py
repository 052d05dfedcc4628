"""The process that answers for one base model: `python -m ftrun.engine.inference.chat_worker MODEL`.

JSON lines come in on stdin: a Question, Texts or {"cancel": id}. On stdout go out {"ready": {"at_once",
"dtype"}} when the model is loaded, {"id", "piece", "scores", "calls"} or {"id", "vectors"} (those that are
new), then {"id", "done": usage} or {"id", "error": {…}}, and {"fatal": {…}} if the model can't be loaded. It
ends when stdin is closed, so it never outlives its server.

A thread reads stdin, so that the end of the server is noticed at any time; one encodes the questions; the
main thread generates.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import IO

from ftrun.engine.backends import ChatModel, backend_for
from ftrun.engine.inference.embeddings import Embeddings
from ftrun.engine.inference.worker_messages import Message, Send, in_words
from ftrun.engine.questions import Progress, Question


def main(model: str) -> int:
    """Load `model` and answer questions until stdin closes; 1 if it can't be loaded."""
    send, lines = _private_stdout(), queue.SimpleQueue[bytes]()
    threading.Thread(target=_receive, args=(sys.stdin.buffer, lines), daemon=True).start()
    try:
        chat = backend_for(model).open_chat(model)
    except Exception as error:  # whatever it is, the server must get a message
        send({"fatal": in_words(error)})
        sys.stderr.flush()
        os._exit(1)  # Python would abort: the thread is reading stdin
    # a server of ftrun 0.1, which may have started this process, looks for an id in every message
    send({"id": "", "ready": {"at_once": chat.at_once, "dtype": chat.dtype}})
    submitted, embeddings = threading.Event(), Embeddings(send)
    arguments = (chat, embeddings, lines, submitted, send)
    threading.Thread(target=_submit, args=arguments, daemon=True).start()
    while True:
        submitted.wait()
        submitted.clear()
        while chat.busy or embeddings.busy:
            embeddings.step()
            for progress in chat.step() if chat.busy else ():
                _report(progress, send)


def _receive(stdin: IO[bytes], lines: queue.SimpleQueue[bytes]) -> None:
    for line in stdin:
        lines.put(line)
    os._exit(0)  # the server has gone: don't finish answers that nobody reads


def _submit(
    chat: ChatModel,
    embeddings: Embeddings,
    lines: queue.SimpleQueue[bytes],
    submitted: threading.Event,
    send: Send,
) -> None:
    while True:
        message = json.loads(lines.get())
        if "cancel" in message:
            chat.cancel(message["cancel"])
            embeddings.cancel(message["cancel"])
            continue
        try:
            if "embed" in message:
                adapter = Path(message["adapter"]) if message["adapter"] else None
                embeddings.submit(message["id"], chat.embed(message["embed"], adapter))
            else:
                chat.submit(Question.from_message(message))
        except Exception as error:  # one bad request must not end the process
            send({"id": message["id"], "error": in_words(error)})
        submitted.set()


def _report(progress: Progress, send: Send) -> None:
    if part := progress.as_part():
        send({"id": progress.id, **part})
    if progress.error is not None:
        send({"id": progress.id, "error": in_words(progress.error)})
    elif progress.usage is not None:
        send({"id": progress.id, "done": asdict(progress.usage)})


def _private_stdout() -> Send:
    """Reserve stdout for our messages: what libraries print goes to the log."""
    out, lock = os.fdopen(os.dup(1), "wb"), threading.Lock()
    os.dup2(2, 1)

    def send(message: Message) -> None:
        line = json.dumps(message).encode() + b"\n"
        with lock:
            out.write(line)
            out.flush()

    return send


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
