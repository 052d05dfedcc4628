"""What each provider takes of a sound training row: a table, and the faults of rows that break it.

A provider that would ignore something gets an error here, too: training on other data than was written is
worse than a refusal. Numbers as the providers' guides gave them in November 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from ftrun.cost.models import base_model, family
from ftrun.experiment.model import Experiment
from ftrun.experiment.target import Target
from ftrun.protocol.content import image_bytes, images_of
from ftrun.protocol.faults import Example, Fault
from ftrun.protocol.messages import is_plain
from ftrun.protocol.rows import asked_of, is_completion, messages_of, parts_of

MEGA = 1_000_000
OPENAI_HOSTS = re.compile(r"(?:[a-z]{2}\.)?api\.openai\.com")
COMPLETION_MODELS = ("babbage-002", "davinci-002")
TEXT_ONLY = ("gpt-3.5", "gpt-4-0613", "gpt-4")  # families that see no images
DEFAULT_CODE = "unsupported_by_default"  # as a fault is told where the file names no target
ELSEWHERE = "Run it on a target that can (`--target`)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What one provider takes. None for a number: no limit is known."""

    provider: str  # as messages name it
    methods: tuple[str, ...] = ("supervised", "dpo", "reinforcement")
    tools: bool = True
    images: bool = True
    completions: bool = True
    chats: bool = True
    weight: bool = True
    name: bool = True
    most_tools: int | None = None
    most_images: int | None = None  # an example
    most_image_examples: int | None = None  # a file
    image_bytes: int | None = None
    file_bytes: int | None = None


LOCAL = Rules(
    provider="the engine on this machine",
    methods=("supervised",),
    tools=False,
    images=False,
    completions=False,
    name=False,
)
OPENAI = Rules(
    provider="OpenAI",
    most_tools=128,
    most_images=10,
    most_image_examples=50_000,
    image_bytes=10 * MEGA,
    file_bytes=512 * MEGA,
)
UNKNOWN = Rules(provider="this server")
# servers of the protocol that are known to differ, by the end of their host's name
HOSTS: Mapping[str, Rules] = {
    "aliyuncs.com": Rules(provider="DashScope", weight=False),
    "tokenfactory.nebius.com": Rules(provider="Nebius Token Factory", file_bytes=5000 * MEGA),
}
PROVIDERS: Mapping[str, Rules] = {"local": LOCAL, "azure": replace(OPENAI, provider="Azure")}


def rules_of(target: Target) -> Rules:
    """Return the rules of the target's provider, and of its model where that is known."""
    rules = _rules_of(target)
    # without `method` in the request another one than the usual would be ignored in silence
    knows_methods = target.capabilities.get("method", "sent") == "sent"
    return rules if knows_methods else replace(rules, methods=("supervised",))


def _rules_of(target: Target) -> Rules:
    if target.provider in PROVIDERS:
        return PROVIDERS[target.provider]
    host = urlsplit(target.base_url).hostname or "" if target.base_url else "api.openai.com"
    if not OPENAI_HOSTS.fullmatch(host):
        return next((rules for end, rules in HOSTS.items() if host.endswith(end)), UNKNOWN)
    model = base_model(target.model)
    sees = not any(family(model) == one or model.startswith("gpt-3.5") for one in TEXT_ONLY)
    completes = model.startswith(COMPLETION_MODELS)
    return replace(OPENAI, images=sees, completions=completes, chats=not completes)


def is_default(experiment: Experiment) -> bool:
    """Return whether the file names no target: what the default one can't do then stops no check."""
    from ftrun.experiment.build import BUILT_IN_TARGETS

    target = experiment.target
    known = BUILT_IN_TARGETS.get(target.name)
    same = known == {"provider": target.provider, "model": target.model}
    return (
        same and ("targets",) not in experiment.places and ("targets", target.name) not in experiment.places
    )


def method_faults(rules: Rules, method: str) -> Iterator[Fault]:
    """Yield why the provider can't train by `method`."""
    if method in rules.methods:
        return
    words = f"{rules.provider} can't train by {method!r} in this version"
    hint = f"{ELSEWHERE}, or train by `supervised`."
    yield Fault("unsupported_by_target", f"train.method: {words}", hint=hint)


def rule_faults(row: Example, rules: Rules) -> Iterator[Fault]:
    """Yield what the provider would refuse or ignore of a sound row."""
    if rules.chats and len(row) == 1 and "messages" in row and is_plain(row["messages"]):
        return
    if is_completion(row):
        if not rules.completions:
            yield _refused(rules, "rows of `prompt` and `completion`", _AS_CHATS)
        return
    if not rules.chats:
        words = f"{rules.provider}'s {' and '.join(COMPLETION_MODELS)} are no chat models"
        yield Fault("unsupported_by_target", words, hint=_AS_COMPLETIONS)
        return
    messages = messages_of(row)
    yield from _tool_faults(row, messages, rules)
    yield from _image_faults(messages, rules)
    yield from _key_faults(row, rules)


_AS_COMPLETIONS = "Choose a model that chats, or give it rows of `prompt` and `completion`."
_AS_CHATS = 'Turn them into chats: prompt: {user: "{{ prompt }}", assistant: "{{ completion }}"}.'


def _tool_faults(row: Example, messages: list[Mapping[str, Any]], rules: Rules) -> Iterator[Fault]:
    tools = asked_of(row).get("tools")
    used = tools is not None or any(one["role"] == "tool" or one.get("tool_calls") for one in messages)
    if used and not rules.tools:
        yield _refused(rules, "tools and calls of them", f"{ELSEWHERE}, or take them out of the rows.")
    elif tools and rules.most_tools and len(tools) > rules.most_tools:
        words = f"the row declares {len(tools)} tools; {rules.provider} takes {rules.most_tools} at most"
        yield Fault("provider_limit", words)


def _image_faults(messages: list[Mapping[str, Any]], rules: Rules) -> Iterator[Fault]:
    images = images_of(messages)
    if images and not rules.images:
        yield _refused(rules, "images", f"{ELSEWHERE}, or take them out of the rows.")
        return
    if rules.most_images and len(images) > rules.most_images:
        words = f"the row has {len(images)} images; {rules.provider} takes {rules.most_images} in an example"
        yield Fault("provider_limit", words)
    most = rules.image_bytes
    for image in images if most else ():
        size = image_bytes(image)
        if most and size > most:
            words = f"an image has {size / MEGA:.1f} MB; {rules.provider} takes {most // MEGA} MB"
            yield Fault("provider_limit", words)


def _key_faults(row: Example, rules: Rules) -> Iterator[Fault]:
    for path, messages in parts_of(row):
        for index, message in enumerate(messages):
            here = f"{path}[{index}]"
            if "weight" in message and not rules.weight:
                words = f"{here}.weight: {rules.provider} ignores it and would learn every answer"
                yield Fault("unsupported_by_target", words, here, f"{ELSEWHERE}, or divide the chats.")
            if "name" in message and not rules.name:
                yield Fault("ignored_by_target", f"{rules.provider} does not see `name`", here)


def _refused(rules: Rules, what: str, hint: str) -> Fault:
    return Fault(
        "unsupported_by_target", f"{rules.provider} can't train on {what} in this version", hint=hint
    )
