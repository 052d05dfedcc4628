"""The log probabilities of an answer's tokens, as each API writes them."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

LEAST = -9999.0  # the API's value for a token that can't come: JSON has no infinity

Score = Mapping[str, Any]  # a TokenScore or LikelyToken


def token_logprobs(scores: Iterable[Score]) -> list[dict[str, Any]]:
    """Return the tokens as /v1/chat/completions and /v1/responses have them."""
    return [{**_token(score), "top_logprobs": [_token(one) for one in score["top"]]} for score in scores]


class TextLogprobs:
    """The logprobs of /v1/completions, whose tokens say where in the text they begin."""

    def __init__(self) -> None:
        """Count from the beginning of an answer."""
        self._characters, self._decoder = 0, codecs.getincrementaldecoder("utf-8")("ignore")

    def add(self, scores: Sequence[Score]) -> dict[str, Any]:
        """Return the logprobs of the next tokens; what is likely at a place has the token itself with it."""
        found: dict[str, Any] = {"tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": []}
        for score in scores:
            likely = {_name(one): _finite(one) for one in (*score["top"], score)}
            found["tokens"].append(_name(score))
            found["token_logprobs"].append(_finite(score))
            found["top_logprobs"].append(likely)
            found["text_offset"].append(self._characters)
            self._characters += len(self._decoder.decode(bytes(score["bytes"])))
        return found


def _token(score: Score) -> dict[str, Any]:
    return {"token": score["text"], "logprob": _finite(score), "bytes": list(score["bytes"])}


def _finite(score: Score) -> float:
    return max(float(score["logprob"]), LEAST)


def _name(score: Score) -> str:
    """Return a token as a key: one that is a part of a character is written as its bytes."""
    raw = bytes(score["bytes"])
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in raw)
