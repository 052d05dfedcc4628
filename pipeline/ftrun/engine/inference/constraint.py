"""Answers that must fit a grammar: which tokens may come next, by llguidance.

A grammar is the text of one: `json_grammar` makes it of a Constraint, and tools make theirs in llguidance's
variant of Lark. Special tokens are never text, so a grammar allows none that it doesn't name; the tokens that
end an answer are allowed where its text is complete.
"""

from __future__ import annotations

import json

import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer
from torch import Tensor

from ftrun.engine.backends import Rejected
from ftrun.engine.models.base import LoadedModel
from ftrun.engine.questions import Constraint

# between two parts of a JSON text: small models would otherwise add white space until max_tokens
WHITE_SPACE = r"( |\n[ \t]{0,16})"
SILENT = 0  # llguidance prints nothing


def json_grammar(constraint: Constraint) -> str:
    """Return the grammar of the JSON texts that a constraint allows; `Grammars.guide` says what is wrong."""
    schema = {"type": "object"} if constraint.schema is None else constraint.schema
    return LLMatcher.grammar_from_json_schema(
        json.dumps(schema), overrides={"whitespace_pattern": WHITE_SPACE, "lenient": False}
    )


class Guide:
    """Where an answer is in its grammar."""

    def __init__(self, matcher: LLMatcher, vocabulary: int) -> None:
        """Begin at the start of the grammar of `matcher`, for scores of `vocabulary` tokens."""
        self._matcher, self._vocabulary = matcher, vocabulary

    def allowed(self) -> Tensor:
        """Return whether each token may come next, (vocabulary,). Raises Rejected if that takes too long."""
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        allowed = np.unpackbits(bits, count=self._vocabulary, bitorder="little").view(bool)
        return torch.from_numpy(allowed)

    def accept(self, token: int) -> None:
        """Take the next token, which must be an allowed one."""
        self._matcher.consume_token(token)
        self._check()

    @property
    def ended(self) -> bool:
        """Return whether the text is complete and nothing can follow it."""
        return self._matcher.is_stopped()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise Rejected(
                f"This answer's format is too complex to decode: {_first_line(self._matcher.get_error())}",
                code="invalid_json_schema",
            )


class Grammars:
    """Makes guides for one model, whose tokenizer is read when the first is needed."""

    def __init__(self, model: LoadedModel) -> None:
        """Guide answers of `model`."""
        self._model = model
        self._tokenizer: LLTokenizer | None = None

    def guide(self, grammar: str, *, param: str) -> Guide:
        """Return a guide at the start of a grammar; from one thread.

        Raises Rejected, about the API's field `param`, for a grammar that can't be decoded and for a model
        whose tokenizer llguidance doesn't know.
        """
        matcher = LLMatcher(self._read_tokenizer(param), grammar, log_level=SILENT)
        if matcher.is_error():
            raise Rejected(
                f"Answers can't be held to this format: {_first_line(matcher.get_error())}",
                code="invalid_json_schema",
                param=param,
            )
        return Guide(matcher, self._model.vocabulary)

    def _read_tokenizer(self, param: str) -> LLTokenizer:
        if self._tokenizer is None:
            try:
                self._tokenizer = LLTokenizer(
                    self._model.tokenizer.backend_tokenizer.to_str(),
                    n_vocab=self._model.vocabulary,
                    eos_token=sorted(self._model.encoder.end_ids),
                )
            except Exception as error:  # it has kinds of its own, and a slow tokenizer has no backend
                raise Rejected(
                    f"The answers of {self._model.name} can't be held to a format, because its tokenizer is "
                    f"not supported: {_first_line(str(error))}",
                    code="unsupported_tokenizer",
                    param=param,
                ) from error
        return self._tokenizer


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
