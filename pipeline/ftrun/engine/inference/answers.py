"""An answer that is being generated: its tokens so far, and how they become text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from torch import Tensor

from ftrun.engine.backends import Rejected
from ftrun.engine.inference.constraint import Guide, json_grammar, new_guide
from ftrun.engine.inference.sampling import Sampler
from ftrun.engine.inference.text import AnswerText
from ftrun.engine.inference.token_scores import TokenScores
from ftrun.engine.inference.tool_calls import CallReader
from ftrun.engine.inference.vocabulary import Vocabulary
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.models.lora import Adapter
from ftrun.engine.models.raw_text import RawTextEncoder
from ftrun.engine.questions import Progress, Question, ToolCall, Tools, Usage


class Encoding:
    """How questions to one model become tokens; used by the thread that takes them in."""

    def __init__(self, model: LoadedModel) -> None:
        """Use the tokenizer of `model`."""
        self.model = model
        self.raw = RawTextEncoder(model.tokenizer, vocabulary=model.vocabulary)
        self.vocabulary = Vocabulary(model)
        self._asked, self._ids = "", list[int]()  # the latest prompt, and its tokens

    def prompt(self, question: Question) -> list[int]:
        """Return the tokens of a prompt. Raises Rejected if it can't be read, or fills the context."""
        tools = _offered(question)
        functions = () if tools is None else tools.functions
        asked = json.dumps([question.prompt, question.messages, functions])
        if asked != self._asked:  # else it is another answer to the same request
            self._ids = self._read(question, functions)
            self._asked = asked
        return [*self._ids]

    def _read(self, question: Question, functions: Sequence[Mapping[str, Any]]) -> list[int]:
        context = self.model.context
        if question.prompt is not None:
            param, size = "prompt", len(question.prompt) if isinstance(question.prompt, str) else 0
        else:
            param = "messages"
            size = sum(len(message.get("content") or "") for message in question.messages)
        self.check_size(size, param=param)
        if question.prompt is not None:
            ids = self.raw.ids(question.prompt, special=True, param=param)
            message = f"This model's context is {context} tokens; the prompt has {len(ids)}."
        else:
            try:
                ids = self.model.encoder.prompt(question.messages, functions, most=context)
            except RecursionError as error:
                deep = "Functions or arguments of calls are nested too deeply."
                raise Rejected(deep, code="invalid_value", param=param) from error
            message = f"This model's context is {context} tokens; the messages have {len(ids)}."
        if len(ids) >= context:
            raise Rejected(message, code="context_length_exceeded", param=param)
        return ids

    def check_size(self, size: int, *, param: str) -> None:
        """Raise Rejected, about the API's field `param`, if no text of `size` characters fits the context: to
        count its tokens would hold up the other questions.
        """
        context = self.model.context
        if size > context * self._longest:
            message = f"This model's context is {context} tokens; the request has {size} characters."
            raise Rejected(message, code="context_length_exceeded", param=param)

    @cached_property
    def _longest(self) -> int:
        """Return the bytes of the longest token."""
        return max(len(token.encode()) for token in self.model.tokenizer.get_vocab())

    def calls(self, question: Question) -> CallReader | None:
        """Return what reads the calls in an answer, if there may be any; after `prompt`."""
        tools = _offered(question)
        return None if tools is None else CallReader(tools, self.model.encoder, question.constraint)

    def guide(self, question: Question, calls: CallReader | None) -> Guide | None:
        """Return what an answer is held to, if anything. Raises Rejected if it can't be."""
        if calls is not None:
            grammar = calls.grammar(self.vocabulary.is_special)
            return None if grammar is None else new_guide(self.vocabulary, grammar, param="tools")
        if question.constraint is None:
            return None
        return new_guide(self.vocabulary, json_grammar(question.constraint), param="response_format")


def _offered(question: Question) -> Tools | None:
    """Return the tools that the model is shown."""
    return None if question.tools is None or question.tools.mode == "none" else question.tools


class Answer:
    """All that an answer needs to continue: in any batch, its tokens so far read again if need be."""

    def __init__(self, question: Question, encoding: Encoding, weights: Adapter | None) -> None:
        """Encode a question for the adapter `weights`. Raises Rejected if it can't be answered."""
        self.id, self.adapter, self.weights = question.id, question.adapter, weights
        self.ids = encoding.prompt(question)  # of the prompt, then of the answer too
        room = encoding.model.context - len(self.ids)
        self.most = len(self.ids) + min(question.sampling.max_tokens, room)  # tokens, with the prompt's
        encoding.raw.check(question.sampling.logit_bias, param="logit_bias")
        self.sampling = question.sampling
        self._calls = encoding.calls(question)
        self.sampler = Sampler(question.sampling, encoding.guide(question, self._calls))
        self.cancelled = False
        self._usage = Usage(prompt_tokens=len(self.ids))
        self._ends = encoding.model.encoder.end_ids
        self._text = AnswerText(encoding.model.tokenizer, question.sampling.stop)
        self._told = 0  # characters
        self._scores: TokenScores | None = None
        if question.sampling.top_logprobs is not None:
            encoding.vocabulary.prepare()
            self._scores = TokenScores(self._text, encoding.vocabulary, question.sampling.top_logprobs)

    def add(self, token: int, logprobs: Tensor | None = None) -> Progress:
        """Take the next token, with the log probabilities at its place if they are wanted; the progress has a
        usage if it ends the answer.
        """
        if token in self._ends:
            return self._end(self._text.end(), stopped=True)
        self.ids.append(token)
        self._usage.completion_tokens += 1
        self.sampler.accept(token)
        piece = self._text.add(token)
        if self._scores is not None and logprobs is not None:
            self._scores.add(token, logprobs)
        if self._text.stopped:
            return self._end(piece, stopped=True)
        if len(self.ids) < self.most and not self.sampler.ended:
            piece = self._calls.add(token, piece) if self._calls is not None else piece
            self._told += len(piece)
            scores = self._scores.until(self._told) if self._scores is not None else ()
            return Progress(id=self.id, piece=piece, scores=scores)
        piece += self._text.end()
        return self._end(piece, stopped=self._text.stopped or self.sampler.ended)

    def give_up(self) -> Progress:
        """End the answer where it is."""
        return self._end("", stopped=True)

    def _end(self, piece: str, *, stopped: bool) -> Progress:
        calls: Sequence[ToolCall] = ()
        if self._calls is not None:
            piece, calls = self._calls.end(piece)
        self._usage.finish_reason = "length" if not stopped else "tool_calls" if calls else "stop"
        self._told += len(piece)
        scores = self._scores.rest(self._told) if self._scores is not None else ()
        return Progress(id=self.id, piece=piece, scores=scores, calls=calls, usage=self._usage)
