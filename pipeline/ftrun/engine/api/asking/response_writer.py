"""The `response` object of /v1/responses, and the events by which it grows."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

from ftrun.engine.api.asking.items import ID_LENGTH, new_item, output_text
from ftrun.engine.api.asking.response_request import ResponseRequest
from ftrun.engine.api.asking.scores import token_logprobs
from ftrun.engine.inference.chat_answer import Part
from ftrun.engine.store.records import random_name

Event = dict[str, Any]


class ResponseWriter:
    """A response that grows by the parts of an answer; each step yields the API's events."""

    def __init__(self, request: ResponseRequest) -> None:
        """Begin a response without output."""
        self._with_scores = request.sampling.top_logprobs is not None
        self._output: list[dict[str, Any]] = []
        self._message: dict[str, Any] | None = None  # the last item, while its text may grow
        self._scores: list[Mapping[str, Any]] = []  # of tokens whose text has not come yet
        self._number = 0
        self._response: dict[str, Any] = {
            "id": f"resp_{random_name(ID_LENGTH)}",
            "object": "response",
            "created_at": int(time.time()),
            "completed_at": None,
            "status": "in_progress",
            "error": None,
            "incomplete_details": None,
            "model": request.model,
            "usage": None,
            **request.echo,
        }

    @property
    def response(self) -> dict[str, Any]:
        """Return the response as it is now."""
        return {**self._response, "output": list(self._output)}

    def begin(self) -> Iterator[Event]:
        """Yield the events before any output."""
        yield self._event("response.created", response=self.response)
        yield self._event("response.in_progress", response=self.response)

    def add(self, part: Part) -> Iterator[Event]:
        """Add a part of the answer: its text, then its calls."""
        if self._with_scores:
            self._scores += part.scores
        if part.text or (self._message is not None and self._scores):
            yield from self._add_text(part.text)
        for call in part.calls:
            yield from self._end_message("completed")
            yield from self._add_call(call)
            self._scores.clear()  # of a call's tokens: only texts have them

    def end(self, usage: Mapping[str, Any]) -> Iterator[Event]:
        """End the response; an answer without any output is an empty text."""
        cut = usage["finish_reason"] == "length"
        if not self._output:
            yield from self._add_text("")
        status = "incomplete" if cut else "completed"
        yield from self._end_message(status)
        self._response |= {
            "status": status,
            "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
            "completed_at": None if cut else int(time.time()),
            "usage": _usage(usage),
        }
        yield self._event(f"response.{status}", response=self.response)

    def fail(self, message: str) -> Event:
        """End the response with an error."""
        self._response |= {"status": "failed", "error": {"code": "server_error", "message": message}}
        return self._event("response.failed", response=self.response)

    def _add_text(self, more: str) -> Iterator[Event]:
        if self._message is None:
            self._message = new_item("msg", type="message", role="assistant", content=[])
            self._output.append(self._message)
            yield self._event("response.output_item.added", item={**self._message, "content": []})
            text = output_text()
            self._message["content"].append(text)
            yield self._event("response.content_part.added", content_index=0, part={**text, "logprobs": []})
        text = self._message["content"][0]
        text["text"] += more
        scores = token_logprobs(self._scores)
        self._scores.clear()
        text["logprobs"] += scores
        if more or scores:
            yield self._event(
                "response.output_text.delta",
                content_index=0,
                delta=more,
                logprobs=[_without_bytes(score) for score in scores],
            )

    def _end_message(self, status: str) -> Iterator[Event]:
        if self._message is None:
            return
        text = self._message["content"][0]
        scores = [_without_bytes(score) for score in text["logprobs"]]
        yield self._event("response.output_text.done", content_index=0, text=text["text"], logprobs=scores)
        yield self._event("response.content_part.done", content_index=0, part=text)
        self._message["status"] = status
        yield self._event("response.output_item.done", item=self._message)
        self._message = None

    def _add_call(self, call: Mapping[str, Any]) -> Iterator[Event]:
        item = new_item(
            "fc", type="function_call", call_id=f"call_{random_name(24)}", name=call["name"], arguments=""
        )
        self._output.append(item)
        yield self._event("response.output_item.added", item={**item})
        yield self._event("response.function_call_arguments.delta", delta=call["arguments"])
        item |= {"arguments": call["arguments"], "status": "completed"}
        yield self._event("response.function_call_arguments.done", arguments=call["arguments"])
        yield self._event("response.output_item.done", item=item)

    def _event(self, kind: str, **values: Any) -> Event:
        """Return an event with its number; one that is not about the response is about the last item."""
        number, self._number = self._number, self._number + 1
        event: Event = {"type": kind, "sequence_number": number, **values}
        if "response" not in values:
            event["output_index"] = len(self._output) - 1
            if "item" not in values:
                event["item_id"] = self._output[-1]["id"]
        return event


def _without_bytes(score: Mapping[str, Any]) -> dict[str, Any]:
    """Return a token's log probability as events have it."""
    top = [{"token": one["token"], "logprob": one["logprob"]} for one in score["top_logprobs"]]
    return {"token": score["token"], "logprob": score["logprob"], "top_logprobs": top}


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    prompt, completion = usage["prompt_tokens"], usage["completion_tokens"]
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cache_write_tokens": 0, "cached_tokens": 0},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": prompt + completion,
    }
