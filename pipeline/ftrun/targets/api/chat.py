"""Owns the calls that ask a model."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx2
import openai

from ftrun.errors import FtrunError
from ftrun.targets.api.connection import Connection
from ftrun.targets.failures import as_error
from ftrun.targets.service import Reply

CHAT_TIMEOUT = httpx2.Timeout(900.0, connect=10.0)  # seconds: a laptop may need minutes to load a model


class ChatCalls(Connection):
    """The calls that ask a model."""

    def chat(self, model: str, messages: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any]) -> Reply:
        """Ask `model` once."""
        start = time.monotonic()
        try:
            answer: Any = self._client.chat.completions.create(
                model=model,
                messages=list(messages),  # type: ignore[arg-type]
                timeout=CHAT_TIMEOUT,
                **sampling,
            )
            text = answer.choices[0].message.content or ""
        except (openai.OpenAIError, ValueError) as error:
            raise as_error(error, f"asking {model}") from error
        except (AttributeError, IndexError, TypeError) as error:
            raise FtrunError(f"asking {model}: the server's answer holds no message") from error
        usage = answer.usage
        counts = {
            "prompt_tokens": getattr(usage, "prompt_tokens", 0) or 0,
            "completion_tokens": getattr(usage, "completion_tokens", 0) or 0,
        }
        return Reply(text=text, usage=counts, seconds=round(time.monotonic() - start, 3))

    def chat_stream(
        self, model: str, messages: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any]
    ) -> Iterator[str]:
        """Ask `model` and yield the answer in pieces."""
        try:
            stream: Any = self._client.chat.completions.create(
                model=model,
                messages=list(messages),  # type: ignore[arg-type]
                stream=True,
                timeout=CHAT_TIMEOUT,
                **sampling,
            )
            for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content
        except (openai.OpenAIError, ValueError, httpx2.HTTPError) as error:
            raise as_error(error, f"asking {model}") from error
