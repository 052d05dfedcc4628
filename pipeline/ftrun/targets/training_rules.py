"""What each provider takes of a sound training row: a table, and the faults of rows that break it.

A provider that would ignore something gets an error here, too: training on other data than was written is
worse than a refusal. Numbers are from the providers' guides of November 2026.
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
from ftrun.protocol.faults import Example, Fault
from ftrun.protocol.plain_chats import chat_of, is_sound
from ftrun.protocol.training_rows import asked_of, is_completion, messages_of, parts_of

MEGA = 1_000_000
OPENAI_HOSTS = re.compile(r"(?:[a-z]{2}\.)?api\.openai\.com")
COMPLETION_MODELS = ("babbage-002", "davinci-002")
TEXT_ONLY = ("gpt-3.5", "gpt-4-0613", "gpt-4")  # families that see no images
DEFAULT_CODE = "unsupported_by_default"  # the code of such a fault where the file names no target
ELSEWHERE = "Use a target that can (`--target`)"
AS_COMPLETIONS = "Choose a chat model, or use rows of `prompt` and `completion`."
AS_CHATS = 'Turn them into chats: prompt: {user: "{{ prompt }}", assistant: "{{ completion }}"}.'


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What one provider takes. A limit of None is unknown."""

    provider: str  # as messages name it
    methods: tuple[str, ...] = ("supervised", "dpo", "reinforcement")
    tools: bool = True
    images: bool = True
    completions: bool = True
    chats: bool = True
    weight: bool = True
    name: bool = True
    most_tools: int | None = None
    most_images: int | None = None  # per example
    most_image_examples: int | None = None  # per file
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
# it trains nothing, so that everything can be rehearsed
REHEARSED = Rules(provider=LOCAL.provider, name=False)
OPENAI = Rules(
    provider="OpenAI",
    most_tools=128,
    most_images=10,
    most_image_examples=50_000,
    image_bytes=10 * MEGA,
    file_bytes=512 * MEGA,
)
UNKNOWN = Rules(provider="this server")
# servers of the protocol that differ, by the end of their host's name
HOSTS: Mapping[str, Rules] = {
    "aliyuncs.com": Rules(provider="DashScope", weight=False),
    "tokenfactory.nebius.com": Rules(provider="Nebius Token Factory", file_bytes=5000 * MEGA),
}
PROVIDERS: Mapping[str, Rules] = {"local": LOCAL, "azure": replace(OPENAI, provider="Azure")}


def rules_of(target: Target) -> Rules:
    """Return the rules of the target's provider, and of its model where that is known."""
    rules = _rules_of(target)
    # a server that is not sent `method` would silently train in the usual way
    knows_methods = target.capabilities.get("method", "sent") == "sent"
    return rules if knows_methods else replace(rules, methods=("supervised",))


def _rules_of(target: Target) -> Rules:
    if target.rehearses:
        return REHEARSED
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
    """Return whether the file names no target, so that what the default one can't do doesn't fail a check."""
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
    words = f"train.method: {rules.provider} does not support {method!r}"
    yield Fault("unsupported_by_target", words, hint=f"{ELSEWHERE}, or use `supervised`.")


def rule_faults(row: Example, rules: Rules) -> Iterator[Fault]:
    """Yield what the provider would refuse or ignore in a sound row."""
    if is_completion(row):
        if not rules.completions:
            yield _refused(rules, "rows of `prompt` and `completion`", AS_CHATS)
        return
    if not rules.chats:
        words = f"{rules.provider}'s {' and '.join(COMPLETION_MODELS)} are not chat models"
        yield Fault("unsupported_by_target", words, hint=AS_COMPLETIONS)
        return
    chat = chat_of(row)
    if chat is not None and is_sound(chat):
        return
    messages = messages_of(row)
    yield from _tool_faults(row, messages, rules)
    yield from _image_faults(messages, rules)
    yield from _key_faults(row, rules)


def _tool_faults(row: Example, messages: list[Mapping[str, Any]], rules: Rules) -> Iterator[Fault]:
    tools = asked_of(row).get("tools")
    used = tools is not None or any(one["role"] == "tool" or one.get("tool_calls") for one in messages)
    if used and not rules.tools:
        yield _refused(rules, "tools and tool calls", f"{ELSEWHERE}, or remove them from the rows.")
    elif tools and rules.most_tools and len(tools) > rules.most_tools:
        words = f"the row declares {len(tools)} tools; {rules.provider} takes at most {rules.most_tools}"
        yield Fault("provider_limit", words)


def _image_faults(messages: list[Mapping[str, Any]], rules: Rules) -> Iterator[Fault]:
    parts = [part for one in messages if isinstance(one.get("content"), list) for part in one["content"]]
    images: list[str] = [part["image_url"]["url"] for part in parts if part.get("type") == "image_url"]
    if images and not rules.images:
        yield _refused(rules, "images", f"{ELSEWHERE}, or remove them from the rows.")
        return
    if rules.most_images and len(images) > rules.most_images:
        most_words = f"{rules.provider} takes at most {rules.most_images} per example"
        yield Fault("provider_limit", f"the row has {len(images)} images; {most_words}")
    most = rules.image_bytes
    for url in images if most else ():
        size = (len(url) - url.find(",") - 1) * 3 // 4 if url.startswith("data:") else 0
        if most and size > most:
            words = f"an image has {size / MEGA:.1f} MB; {rules.provider} takes at most {most // MEGA} MB"
            yield Fault("provider_limit", words)


def _key_faults(row: Example, rules: Rules) -> Iterator[Fault]:
    for path, messages in parts_of(row):
        for index, message in enumerate(messages):
            here = f"{path}[{index}]"
            if "weight" in message and not rules.weight:
                words = f"{here}.weight: {rules.provider} ignores it and would train on every answer"
                yield Fault("unsupported_by_target", words, here, f"{ELSEWHERE}, or split the chats.")
            if "name" in message and not rules.name:
                yield Fault("ignored_by_target", f"{rules.provider} ignores `name`", here)


def _refused(rules: Rules, what: str, hint: str) -> Fault:
    return Fault("unsupported_by_target", f"{rules.provider} can't train on {what}", hint=hint)
