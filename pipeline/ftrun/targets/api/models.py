"""The calls about models: list, show and delete them, and ask one."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import httpx2
import openai
from openai.types.chat import ChatCompletion

from ftrun.targets.api.connection import Connection, calling, every
from ftrun.targets.api.failures import as_error, retry_after
from ftrun.targets.api.reading import model_of, usage_of
from ftrun.targets.refusals import FILTERED, adapt, as_shown, asked_as, changed, refused
from ftrun.targets.service import RemoteModel, Reply
from ftrun.waiting import waiting

CHAT_TIMEOUT = httpx2.Timeout(900.0, connect=10.0)  # seconds: a laptop may need minutes to load a model
MANY_TIMEOUT = httpx2.Timeout(3600.0, connect=10.0)  # of many questions at once one waits for others
BUSY = "engine_busy"  # the code of a 429 of the engine on this machine, whose queue is full
BUSY_SECONDS = 900.0  # that a question is tried for while the engine is busy

REFUSED = (400, 403, 405, 422, 501)  # how servers answer a parameter that they don't take


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

    def chat(self, model: str, messages: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any]) -> Reply:
        """Ask `model` once."""
        start = time.monotonic()
        with calling(f"asking {model}"):
            answer = self._ask(model, messages, sampling)
            text, refusal = _text(answer)
        cut = getattr(answer.choices[0], "finish_reason", None) == "length"
        seconds = round(time.monotonic() - start, 3)
        return Reply(text=text, usage=usage_of(answer), seconds=seconds, cut=cut, refusal=refusal)

    def chat_stream(
        self, model: str, messages: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any]
    ) -> Iterator[str]:
        """Ask `model` and yield the answer in pieces."""
        with calling(f"asking {model}"):
            answer = self._ask(model, messages, {**sampling, "stream": True})
            if isinstance(answer, openai.Stream) and "json" in answer.response.headers.get(
                "Content-Type", ""
            ):
                answer = ChatCompletion.construct(
                    **json.loads(answer.response.read())
                )  # `stream` was ignored
            if not isinstance(answer, openai.Stream):
                text, refusal = _text(answer)
                yield as_shown(text, refusal)
                return
            yield from _pieces(answer)

    def _ask(self, model: str, messages: Sequence[Mapping[str, Any]], asked: Mapping[str, Any]) -> Any:
        """Ask; a parameter that the server refuses is renamed or left out from then on, if it can be."""
        changes = self.changes.setdefault(model, {})
        while True:  # at most once per parameter: each is changed once
            sent = changed(asked, changes)
            try:
                return self._ask_known(model, messages, sent)
            except openai.APIStatusError as error:
                if error.status_code not in REFUSED:
                    raise
                name, unsupported = refused(error.body, sent)
                with self._adapting:  # other threads may have asked the same
                    if changed(asked, changes) != sent or (name and unsupported and adapt(changes, name)):
                        continue
                    wrong = name and asked_as(name, changes)
                raise as_error(error, f"asking {model}", parameter=wrong) from error

    def _ask_known(self, model: str, messages: Sequence[Mapping[str, Any]], sent: Mapping[str, Any]) -> Any:
        """Ask; a model that was trained just now may take minutes until it answers, and the engine on this
        machine may be busy for longer than the SDK tries.
        """
        timeout = CHAT_TIMEOUT if self.at_once == 1 else MANY_TIMEOUT
        patient, pause = time.monotonic() + BUSY_SECONDS, 0.5
        while True:
            try:
                return self._client.chat.completions.create(
                    model=model,
                    messages=list(messages),  # type: ignore[arg-type]
                    timeout=timeout,
                    **sent,
                )
            except openai.NotFoundError:
                if time.monotonic() + pause > self.known_by.get(model, 0.0):
                    raise
                time.sleep(pause)
                pause = min(pause * 2, 10.0)
            except openai.RateLimitError as error:
                seconds = retry_after(error) or 1.0
                if error.code != BUSY or time.monotonic() + seconds > patient:
                    raise
                with waiting("the engine on this machine to take another question"):
                    time.sleep(seconds)


def _text(answer: Any) -> tuple[str, str | None]:
    """Return the text of a whole answer and who refused to give one; ValueError if it has no message."""
    try:
        choice = answer.choices[0]
        said, refused = str(choice.message.content or ""), getattr(choice.message, "refusal", None)
    except (AttributeError, IndexError, TypeError):
        raise ValueError("the server's answer has no message") from None
    if getattr(choice, "finish_reason", None) == FILTERED:
        return said, FILTERED
    return (refused, "model") if not said and isinstance(refused, str) and refused else (said, None)


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
