"""The calls about models: list, show and delete them, and ask one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import httpx2
import openai
from openai.types.chat import ChatCompletionChunk

from ftrun.targets.api.connection import Connection, calling, every
from ftrun.targets.api.failures import as_error, retry_after
from ftrun.targets.api.reading import model_of, reply_of
from ftrun.targets.limits import limits_of
from ftrun.targets.refusals import FILTERED, adapt, as_shown, asked_as, changed, refused
from ftrun.targets.service import RemoteModel, Reply
from ftrun.waiting import waiting

CHAT_TIMEOUT = httpx2.Timeout(900.0, connect=10.0)  # seconds: a laptop may need minutes to load a model
MANY_TIMEOUT = httpx2.Timeout(3600.0, connect=10.0)  # of many questions at once one waits for others
BUSY = "engine_busy"  # the code of a 429 of the engine on this machine, whose queue is full
BUSY_SECONDS = 900.0  # that a question is tried for while the engine is busy

REFUSED = (400, 403, 405, 422, 501)  # how servers answer a parameter that they don't take
Answer = TypeVar("Answer")
Send = Callable[[dict[str, Any], httpx2.Timeout], Answer]


class ModelCalls(Connection):
    """The calls about models."""

    def models(self) -> list[RemoteModel]:
        """Return the models of this account."""
        with calling("listing models"):
            return [model_of(raw) for raw in every(self._client.models.list())]

    def model(self, name: str) -> RemoteModel:
        """Return the model; NotFoundError if the server doesn't have it."""
        with calling(f"asking for model {name}"):
            return model_of(self._client.models.retrieve(name))

    def delete_model(self, name: str) -> None:
        """Delete a tuned model."""
        with calling(f"deleting model {name}"):
            self._client.models.delete(name)

    def chat(
        self,
        model: str,
        messages: Sequence[Mapping[str, Any]],
        sampling: Mapping[str, Any],
        *,
        tools: Sequence[Mapping[str, Any]] = (),
        once: bool = False,
    ) -> Reply:
        """Ask `model`, which may call `tools`. With `once` nothing is tried again after a refusal for a limit
        or a lost answer: whoever asks does.
        """
        asked = {**sampling, "tools": list(tools)} if tools else sampling
        start = time.monotonic()
        with calling(f"asking {model}"):
            response = self._ask(model, messages, asked, partial(self._post, once=once))
            seconds = round(time.monotonic() - start, 3)
            return reply_of(response.content, seconds, limits_of(response.headers))

    def chat_stream(
        self, model: str, messages: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any]
    ) -> Iterator[str]:
        """Ask `model` and yield the answer in pieces."""
        with calling(f"asking {model}"):
            answer = self._ask(model, messages, {**sampling, "stream": True}, self._create)
            response = answer.response if isinstance(answer, openai.Stream) else answer
            if isinstance(answer, openai.Stream) and not _is_whole(response):
                yield from _pieces(answer)
            else:
                said = reply_of(response.read(), 0.0)
                yield as_shown(said.text, said.refusal)

    def _post(self, body: dict[str, Any], timeout: httpx2.Timeout, *, once: bool) -> httpx2.Response:
        """Ask for an answer as a whole, and return it as it came: the SDK would copy what is sent, and make
        objects of the answer, key by key, which takes longer than all the rest.
        """
        options: openai.RequestOptions = {"timeout": timeout}
        if once:
            options["max_retries"] = 0
        try:
            return self._client.post("/chat/completions", cast_to=httpx2.Response, body=body, options=options)
        except openai.BadRequestError as error:
            if error.code != FILTERED:
                raise
            return error.response  # the question was withheld, which is how the model answers it

    def _create(
        self, body: dict[str, Any], timeout: httpx2.Timeout
    ) -> openai.Stream[ChatCompletionChunk] | httpx2.Response:
        """Ask for an answer in pieces, or as a whole where the server refuses `stream`."""
        if "stream" not in body:
            return self._post(body, timeout, once=False)
        answer: openai.Stream[ChatCompletionChunk] = self._client.chat.completions.create(
            **body, timeout=timeout
        )
        return answer

    def _ask(
        self, model: str, messages: Sequence[Mapping[str, Any]], asked: Mapping[str, Any], send: Send[Answer]
    ) -> Answer:
        """Ask; a parameter that the server refuses is renamed or left out from then on, if it can be."""
        changes = self.changes.setdefault(model, {})
        while True:  # at most once per parameter: each is changed once
            sent = changed(asked, changes)
            try:
                return self._ask_known({"model": model, "messages": list(messages), **sent}, send)
            except openai.APIStatusError as error:
                if error.status_code not in REFUSED:
                    raise
                name, unsupported = refused(error.body, sent)
                with self._adapting:  # other threads may have asked the same
                    if changed(asked, changes) != sent or (name and unsupported and adapt(changes, name)):
                        continue
                    wrong = name and asked_as(name, changes)
                raise as_error(error, f"asking {model}", parameter=wrong) from error

    def _ask_known(self, body: dict[str, Any], send: Send[Answer]) -> Answer:
        """Ask; a model that was trained just now may take minutes until it answers, and the engine on this
        machine may be busy for longer than the SDK tries.
        """
        timeout = CHAT_TIMEOUT if self.at_once == 1 else MANY_TIMEOUT
        patient, pause = time.monotonic() + BUSY_SECONDS, 0.5
        while True:
            try:
                return send(body, timeout)
            except openai.NotFoundError:
                if time.monotonic() + pause > self.known_by.get(body["model"], 0.0):
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 10.0)
            except openai.RateLimitError as error:
                seconds = retry_after(error) or 1.0
                if error.code != BUSY or time.monotonic() + seconds > patient:
                    raise
                with waiting("the engine on this machine to take another question"):
                    time.sleep(seconds)


def _is_whole(response: httpx2.Response) -> bool:
    """Return whether a server ignored `stream`."""
    return "json" in response.headers.get("Content-Type", "")


def _pieces(chunks: Iterable[Any]) -> Iterator[str]:
    """Yield the pieces of an answer as people see it: a refusal begins with its mark."""
    refusing = False
    for chunk in chunks:
        if not chunk.choices:
            continue
        choice = chunk.choices[0]
        if choice.delta.content:
            yield choice.delta.content
        elif refused := getattr(choice.delta, "refusal", None):
            yield refused if refusing else as_shown(refused, "model")
            refusing = True
        if choice.finish_reason == FILTERED:
            yield as_shown("", FILTERED)
