"""Requests for embeddings in the process of a chat model: computed in turns, between the steps of answers."""

from __future__ import annotations

import base64
import time
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ftrun.engine.inference.worker_messages import Send, in_words

TURN_SECONDS = 0.05  # after which answers that are being generated get their next token

Embedded = tuple[Sequence[float], int]  # a vector, and the number of tokens of its text


@dataclass(slots=True)
class _Request:
    """A request: what computes it, how many tokens it had so far, and the vectors that were not sent."""

    computed: Iterator[Embedded]
    tokens: int = 0
    vectors: list[str] = field(default_factory=list)


class Embeddings:
    """The requests that have not ended, oldest first."""

    def __init__(self, send: Send) -> None:
        """Send vectors, ends and errors with `send`."""
        self._send = send
        self._requests: dict[str, _Request] = {}

    def submit(self, name: str, computed: Iterator[Embedded]) -> None:
        """Add a request, from any thread; what it iterates over is used by that of `step`."""
        self._requests[name] = _Request(computed)

    def cancel(self, name: str) -> None:
        """Give up a request, from any thread."""
        self._requests.pop(name, None)

    @property
    def busy(self) -> bool:
        """Return whether a step has something to do."""
        return bool(self._requests)

    def step(self) -> None:
        """Compute embeddings of the oldest request for about TURN_SECONDS, and send them."""
        name, request = next(iter(list(self._requests.items())), (None, None))
        if name is None or request is None:
            return
        try:
            ended = self._compute(request)
        except Exception as error:  # one bad request must not end the process
            self._send({"id": name, "error": in_words(error)})
            self.cancel(name)
            return
        self._send({"id": name, "vectors": request.vectors})
        request.vectors = []
        if ended:
            self._send({"id": name, "done": {"prompt_tokens": request.tokens}})
            self.cancel(name)

    def _compute(self, request: _Request) -> bool:
        """Compute the next embeddings; return whether they were the last ones."""
        end = time.monotonic() + TURN_SECONDS
        for vector, tokens in request.computed:
            request.tokens += tokens
            request.vectors.append(base64.b64encode(array("f", vector).tobytes()).decode())
            if time.monotonic() > end:
                return False
        return True
