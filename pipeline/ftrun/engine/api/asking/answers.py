"""Several answers to one request, generated at the same time."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from ftrun.engine.api.asking.sampling import repeated
from ftrun.engine.api.asking.streaming import unless_gone
from ftrun.engine.api.errors import ApiError
from ftrun.engine.api.lookup import find_answering
from ftrun.engine.api.services import Services
from ftrun.engine.inference.chat_answer import Answer, ChatFailed, Part
from ftrun.engine.questions import Constraint, Question, Sampling, Tools

News = tuple[int, Part | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """Messages that a model is asked to continue, and how."""

    model: str
    messages: Sequence[Mapping[str, Any]]
    sampling: Sampling
    tools: Tools | None
    constraint: Constraint | None


class Answers:
    """Answers that are being generated: take the next part of any of them, or the whole of all."""

    def __init__(self, use: Services, base: str, questions: Sequence[Question]) -> None:
        """Ask all `questions` of the base model `base`. Raises ChatFailed if the queue can't take all."""
        self._answers: list[Answer] = []
        self._news = asyncio.Event()
        self._ready = deque[int]()
        try:
            for question in questions:
                answer = use.chats.ask(base, question)
                answer.news = self._news
                self._answers.append(answer)
        except BaseException:
            self.close()
            raise
        self._open = list(range(len(self._answers)))

    async def next_part(self) -> News | None:
        """Wait for the next part of any answer: its index and the part, which is None at its end.

        None when all have ended. Raises ChatFailed if one of them fails.
        """
        while self._open and not self._ready:
            self._ready += [index for index in self._open if self._answers[index].ready]
            if not self._ready:
                self._news.clear()
                await self._news.wait()
        if not self._ready:
            return None
        index = self._ready.popleft()
        part = await self._answers[index].next_part()
        if part is None:
            self._open.remove(index)
        return index, part

    async def wholes(self) -> list[Part]:
        """Wait for the end of all answers and return each. Raises ChatFailed if one of them fails."""
        return [await answer.whole() for answer in self._answers]

    @property
    def usages(self) -> list[Mapping[str, Any]]:
        """Return the `usage` of each answer; empty while it has not ended."""
        return [answer.usage for answer in self._answers]

    def close(self) -> None:
        """Give up what has not ended."""
        for answer in self._answers:
            answer.close()


def ask(use: Services, base: str, questions: Sequence[Question]) -> Answers:
    """Ask all `questions` of the base model `base`. Raises ApiError (429) if the queue can't take all."""
    with refused():
        return Answers(use, base, questions)


async def ask_chat(use: Services, request: Conversation, n: int = 1) -> Answers:
    """Ask for `n` answers to a conversation. Raises ApiError."""
    base, adapter = await run_in_threadpool(find_answering, use, request.model)
    question = Question(
        messages=request.messages,
        adapter=adapter,
        sampling=request.sampling,
        tools=request.tools,
        constraint=request.constraint,
    )
    return ask(use, base, repeated(question, n))


async def first_part(http: Request, answers: Answers, names: Mapping[str, str] | None = None) -> News | None:
    """Wait for the first part of a stream: until then an error still gets its own status."""
    try:
        with refused(names):
            return await unless_gone(http, answers.next_part())
    except BaseException:
        answers.close()
        raise


def refusal(error: ChatFailed, names: Mapping[str, str] | None = None) -> ApiError:
    """Return the API's error for an answer that failed; `names` has what the request calls a parameter."""
    return ApiError(
        str(error),
        status=error.status,
        code=error.code,
        param=(names or {}).get(error.param or "", error.param),
        retry_after=error.retry_after,
    )


@contextlib.contextmanager
def refused(names: Mapping[str, str] | None = None) -> Iterator[None]:
    """Raise the API's error for an answer that fails in the block."""
    try:
        yield
    except ChatFailed as error:
        raise refusal(error, names) from error


def usage_object(answers: Answers, n: int = 1) -> dict[str, int]:
    """Return the `usage` of a chat or completion; a prompt counts once for its `n` answers."""
    usages = answers.usages
    prompt = sum(usage["prompt_tokens"] for usage in usages[::n])
    completion = sum(usage["completion_tokens"] for usage in usages)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }
