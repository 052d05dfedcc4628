"""Answers that must fit a grammar: which tokens may come next, by llguidance.

A grammar is the text of one: `json_grammar` makes it of a Constraint, and tools make theirs in llguidance's
variant of Lark. Special tokens are never text, so a grammar allows none that it doesn't name; the tokens that
end an answer are allowed where its text is complete.
"""

from __future__ import annotations

import json

import numpy as np
import torch
from llguidance import LLMatcher
from torch import Tensor

from ftrun.engine.backends import Rejected
from ftrun.engine.inference.vocabulary import Vocabulary
from ftrun.engine.questions import Constraint

# between two parts of a JSON text: small models would otherwise add white space until max_tokens
WHITE_SPACE = r"( |\n {0,16})"
SILENT = 0  # llguidance prints nothing


def json_grammar(constraint: Constraint) -> str:
    """Return the grammar of the JSON texts that a constraint allows.

    Raises Rejected for a schema that can't be read; what else is wrong `new_guide` says.
    """
    schema = {"type": "object"} if constraint.schema is None else constraint.schema
    try:
        return LLMatcher.grammar_from_json_schema(
            json.dumps(schema), overrides={"whitespace_pattern": WHITE_SPACE, "lenient": False}
        )
    except (ValueError, RecursionError) as error:  # such as one that is nested too deeply
        raise _not_held(str(error), param="response_format") from error


class Guide:
    """Where an answer is in its grammar."""

    def __init__(self, matcher: LLMatcher, size: int, param: str) -> None:
        """Begin at the start of the grammar of `matcher`, for scores of `size` tokens; errors are about the
        API's field `param`.
        """
        self._matcher, self._size, self._param = matcher, size, param

    def allowed(self) -> Tensor:
        """Return whether each token may come next, (vocabulary,). Raises Rejected if none may, or if that
        takes too long to say.
        """
        bits = np.frombuffer(self._matcher.compute_bitmask(), dtype=np.uint8)
        self._check()
        allowed = np.unpackbits(bits, count=self._size, bitorder="little").view(bool)
        return torch.from_numpy(allowed)

    def accept(self, token: int) -> None:
        """Take the next token, which must be an allowed one."""
        self._matcher.consume_token(token)

    @property
    def ended(self) -> bool:
        """Return whether the text is complete and nothing can follow it."""
        return self._matcher.is_stopped() and not self._matcher.is_error()

    def _check(self) -> None:
        if self._matcher.is_error():
            raise Rejected(
                f"This model can't write an answer in this format: {_first_line(self._matcher.get_error())}",
                code="invalid_json_schema",
                param=self._param,
            )


def new_guide(vocabulary: Vocabulary, grammar: str, *, param: str) -> Guide:
    """Return a guide at the start of a grammar, from the thread that encodes questions.

    Raises Rejected, about the API's field `param`, for a grammar that can't be decoded and for a model whose
    tokenizer llguidance doesn't know.
    """
    try:
        tokenizer = vocabulary.tokenizer
    except ValueError as error:
        raise Rejected(
            f"The answers of {vocabulary.name} can't be held to a format, because its tokenizer is not "
            f"supported: {_first_line(str(error))}",
            code="unsupported_tokenizer",
            param=param,
        ) from error
    matcher = LLMatcher(tokenizer, grammar, log_level=SILENT)
    matcher.compute_bitmask()  # finds out more, and takes longest for the first token
    if matcher.is_error():
        raise _not_held(matcher.get_error(), param=param)
    return Guide(matcher, vocabulary.size, param)


def _not_held(reason: str, *, param: str) -> Rejected:
    return Rejected(
        f"Answers can't be held to this format: {_first_line(reason)}",
        code="invalid_json_schema",
        param=param,
    )


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
