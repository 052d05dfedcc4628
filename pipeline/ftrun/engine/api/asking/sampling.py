"""How to sample, as /v1/chat/completions and /v1/completions both have it."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from typing import Any

from ftrun.engine.api.body import Body
from ftrun.engine.questions import Question, Sampling

MOST_TOKENS = 32_768  # of an answer
MOST_STOPS, LONGEST_STOP = 4, 1000
MOST_ANSWERS = 128  # to one request
LARGEST_SEED = 2**63 - 1
MOST_PENALTY = 2
MOST_BIAS = 100
MOST_BYTES = 64 << 20  # of all questions of a request, each of which has the whole conversation
LARGEST_TOKEN = 2**31 - 1
MOST_BIASED = 4096  # tokens: they are added to the scores of every token
TOKEN_DIGITS = 9  # of the ids in a logit_bias


def read_sampling(body: Body, *, max_tokens: int, top_logprobs: int | None) -> Sampling:
    """Return the sampling of a request, whose own limits were read before."""
    temperature, top_p = read_randomness(body)
    return Sampling(
        temperature=temperature,
        top_p=top_p,
        max_tokens=max_tokens,
        top_logprobs=top_logprobs,
        seed=body.integer("seed", least=-LARGEST_SEED - 1, most=LARGEST_SEED),
        stop=_stop(body),
        frequency_penalty=body.number("frequency_penalty", least=-MOST_PENALTY, most=MOST_PENALTY) or 0.0,
        presence_penalty=body.number("presence_penalty", least=-MOST_PENALTY, most=MOST_PENALTY) or 0.0,
        logit_bias=_logit_bias(body),
    )


def read_randomness(body: Body) -> tuple[float, float]:
    """Return temperature and top_p."""
    temperature = body.number("temperature", least=0, most=2)
    top_p = body.number("top_p", least=0, most=1)
    return 1.0 if temperature is None else temperature, 1.0 if top_p is None else top_p


def read_n(body: Body, *, prompts: int = 1) -> int:
    """Return how many answers there should be to each of the `prompts`."""
    n = body.integer("n", least=1, most=MOST_ANSWERS) or 1
    if n * prompts > MOST_ANSWERS:
        body.refuse("n", f"times the number of prompts must be at most {MOST_ANSWERS}, not {n * prompts}.")
    if n > 1 and n * len(json.dumps(body.values)) > MOST_BYTES:
        body.refuse("n", f"times the size of the request must be at most {MOST_BYTES >> 20} MiB.")
    return n


def repeated(question: Question, n: int) -> list[Question]:
    """Return `n` questions that differ in their ids, and in their seeds if there is one: seed, seed + 1, …"""
    sampling, seed = question.sampling, question.sampling.seed
    seeds = [None if seed is None else _next(seed, more) for more in range(n)]
    return [replace(question, id=uuid.uuid4().hex, sampling=replace(sampling, seed=one)) for one in seeds]


def is_token_ids(value: Any) -> bool:
    """Return whether a value of a request is a list of token ids that isn't empty."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(type(one) is int and 0 <= one <= LARGEST_TOKEN for one in value)
    )


def _next(seed: int, more: int) -> int:
    return seed + more if seed + more <= LARGEST_SEED else seed + more - 2 * LARGEST_SEED - 2


def _stop(body: Body) -> tuple[str, ...]:
    value = body.take("stop")
    words = [value] if isinstance(value, str) else [] if value is None else value
    good = isinstance(words, list) and all(isinstance(word, str) for word in words)
    if not good or len(words) > MOST_STOPS or not all(1 <= len(word) <= LONGEST_STOP for word in words):
        body.refuse(
            "stop",
            f"must be a string or a list of at most {MOST_STOPS} strings, each of 1 to {LONGEST_STOP} "
            "characters.",
        )
    return tuple(words)


def _logit_bias(body: Body) -> dict[int, float]:
    given = body.object("logit_bias")
    if given is None:
        return {}
    if len(given.values) > MOST_BIASED:
        body.refuse("logit_bias", f"must have at most {MOST_BIASED} tokens, not {len(given.values)}.")
    found: dict[int, float] = {}
    for token in given.values:
        if not _is_token(token):
            body.refuse("logit_bias", 'must have ids of this model\'s tokens as keys, such as "50256".')
        bias = given.number(token, least=-MOST_BIAS, most=MOST_BIAS)
        if bias is not None:
            found[int(token)] = bias
    return found


def _is_token(key: str) -> bool:
    return key.isascii() and key.isdecimal() and len(key) <= TOKEN_DIGITS
