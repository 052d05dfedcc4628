"""An answer that is being generated: its tokens so far, and how they become text."""

from __future__ import annotations

from collections.abc import Sequence

from ftrun.engine.backends import Rejected
from ftrun.engine.inference.sampling import new_generator
from ftrun.engine.inference.text import AnswerText
from ftrun.engine.inference.tool_calls import CallReader
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.models.lora import Adapter
from ftrun.engine.questions import Progress, Question, ToolCall, Usage


class Answer:
    """All that an answer needs to continue: in any batch, its tokens so far read again if need be."""

    def __init__(self, question: Question, model: LoadedModel, weights: Adapter | None) -> None:
        """Encode a question for the adapter `weights`. Raises Rejected if it fills the model's context."""
        self.id, self.adapter, self.weights = question.id, question.adapter, weights
        tools = question.tools if question.tools is not None and question.tools.mode != "none" else None
        functions = tools.functions if tools is not None else ()
        # of the prompt, then of the answer too
        self.ids = model.encoder.prompt(question.messages, functions)
        room = model.context - len(self.ids)
        if room < 1:
            raise Rejected(
                f"This model's context is {model.context} tokens; the messages have {len(self.ids)}.",
                code="context_length_exceeded",
                param="messages",
            )
        self.most = len(self.ids) + min(question.sampling.max_tokens, room)  # tokens, with the prompt's
        self.sampling = question.sampling
        self.generator = new_generator(question.sampling.seed)
        self.cancelled = False
        self._usage = Usage(prompt_tokens=len(self.ids))
        self._ends = model.encoder.end_ids
        self._text = AnswerText(model.tokenizer, question.sampling.stop)
        self._calls = CallReader(tools, model.encoder, question.constraint) if tools is not None else None

    def add(self, token: int) -> Progress:
        """Take the next token; the progress has a usage if it ends the answer."""
        if token in self._ends:
            return self._end(self._text.end(), stopped=True)
        self.ids.append(token)
        self._usage.completion_tokens += 1
        piece = self._text.add(token)
        if self._text.stopped:
            return self._end(piece, stopped=True)
        if len(self.ids) >= self.most:
            piece += self._text.end()
            return self._end(piece, stopped=self._text.stopped)
        return Progress(id=self.id, piece=self._calls.add(token, piece) if self._calls else piece)

    def give_up(self) -> Progress:
        """End the answer where it is."""
        return self._end("", stopped=True)

    def _end(self, piece: str, *, stopped: bool) -> Progress:
        calls: Sequence[ToolCall] = ()
        if self._calls is not None:
            piece, calls = self._calls.end(piece)
        self._usage.finish_reason = "length" if not stopped else "tool_calls" if calls else "stop"
        return Progress(id=self.id, piece=piece, calls=calls, usage=self._usage)
