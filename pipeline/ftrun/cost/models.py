"""What a model's name says about it: encoding, longest example, family for the price table."""

from __future__ import annotations

import re
from typing import NamedTuple

from ftrun.experiment.target import Target

SNAPSHOT = re.compile(r"-(?:\d{4}-\d{2}-\d{2}|\d{4})$")  # gpt-4.1-mini-2025-04-14, gpt-3.5-turbo-0125
TUNED_AT_AZURE = re.compile(r"((?:gpt-|o\d)[\w.-]*?)[.-]ft(?:-[\w.:-]+)?")
USUAL_LIMIT = 65_536  # tokens per example
LIMITS = {"gpt-3.5-turbo-0613": 4_096, "gpt-3.5-turbo": 16_385}
LOCAL_LIMITS = {"smollm2-135m-instruct": 8_192, "gemma-3-270m": 32_768}
O200K = re.compile(r"(chatgpt|gpt)-4o|gpt-4\.[1-9]|gpt-([5-9]|[12]\d)|o[1-9]\b")
CL100K = re.compile(r"gpt-(3\.5|35|4)(?!\d)|(davinci|babbage)-002")  # tried after the newer ones


class Encoding(NamedTuple):
    """The encoding to count tokens in; `exact` if it is the model's own."""

    name: str
    exact: bool


def base_model(model: str) -> str:
    """Return the model that a fine-tuned one was made from, else `model`: `ft:BASE:org:suffix:id`, at Azure
    `BASE.ft-id-suffix` or a deployment that is called `BASE-ft-id`.
    """
    if model.startswith("ft:"):
        return model.split(":")[1] if model.count(":") > 1 else model
    found = TUNED_AT_AZURE.fullmatch(model)
    return found[1] if found else model


def family(model: str) -> str:
    """Return a model's name without `ft:` and without the date of its snapshot."""
    return SNAPSHOT.sub("", base_model(model))


def encoding_of(target: Target) -> Encoding:
    """Return the encoding of the target's model; o200k_base, not exact, if it is unknown."""
    name = base_model(target.model)
    known = target.provider != "local" and "/" not in name
    if known and not O200K.match(name) and CL100K.match(name):
        return Encoding("cl100k_base", True)
    return Encoding("o200k_base", known and O200K.match(name) is not None)


def limit_of(target: Target) -> int:
    """Return how many tokens of an example are trained on at most."""
    if target.provider == "local":
        return LOCAL_LIMITS.get(target.model, USUAL_LIMIT)
    name = base_model(target.model)
    return LIMITS.get(name) or LIMITS.get(family(name), USUAL_LIMIT)
