"""Owns the calls that ask a model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx2
import openai

from ftrun.targets.api.connection import Connection, calling
from ftrun.targets.api.reading import usage_of
from ftrun.targets.service import Reply

CHAT_TIMEOUT = httpx2.Timeout(900.0, connect=10.0)  # seconds: a laptop may need minutes to load a model


class ChatCalls(Connection):
    """The calls that ask a model."""

    def chat(self, model: str, messages: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any]) -> Reply:
        """Ask `model` once."""
        start = time.monotonic()
        with calling(f"asking {model}"):
            answer = self._ask(model, messages, sampling)
            try:
                text = answer.choices[0].message.content or ""
            except (AttributeError, IndexError, TypeError):
                raise ValueError("the server's answer holds no message") from None
        return Reply(text=str(text), usage=usage_of(answer), seconds=round(time.monotonic() - start, 3))

    def chat_stream(
        self, model: str, messages: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any]
    ) -> Iterator[str]:
        """Ask `model` and yield the answer in pieces."""
        with calling(f"asking {model}"):
            for chunk in self._ask(model, messages, sampling, stream=True):
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content

    def _ask(
        self, model: str, messages: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any], **how: Any
    ) -> Any:
        """Ask; a model that was trained just now may take minutes until it is known."""
        deadline, pause = self.known_by.get(model, 0.0), 0.5
        while True:
            try:
                return self._client.chat.completions.create(
                    model=model,
                    messages=list(messages),  # type: ignore[arg-type]
                    timeout=CHAT_TIMEOUT,
                    **how,
                    **sampling,
                )
            except openai.NotFoundError:
                if time.monotonic() + pause > deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 10.0)
