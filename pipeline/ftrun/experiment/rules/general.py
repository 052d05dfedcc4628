"""Rules of an experiment that a JSON Schema can't express. The schema reports wrong types."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from typing import Any
from urllib.parse import urlsplit

from ftrun.errors import ConfigError, Problem
from ftrun.experiment.build import BUILT_IN_TARGETS, choose_target
from ftrun.experiment.document import Document
from ftrun.experiment.nodes import KeyPath, entries_in, find, get_in, spell, walk
from ftrun.experiment.places import shown_path, shown_value
from ftrun.experiment.rules.candidates import data_problems
from ftrun.experiment.rules.evaluation import evaluation_problems
from ftrun.experiment.rules.methods import method_problems, prompt_problems
from ftrun.experiment.rules.sources import check_sources
from ftrun.experiment.rules.targets import (
    address_problems,
    check_poll,
    check_services,
    webhook_problems,
)
from ftrun.experiment.rules.verbatim import verbatim_problems

ONE_LINE = frozenset(
    (
        *("name", "model", "suffix", "base_url", "api_key_env", "organization", "project", "path", "id"),
        "continue_from",
        *("sheet", "split", "config", "revision"),
    )
)
Rule = Callable[[Document], Iterator[Problem]]


def rule_problems(document: Document, secrets: set[KeyPath]) -> list[Problem]:
    """Return the problems that RULES find; values at `secrets` are not mentioned."""
    found = [problem for rule in RULES for problem in rule(document)]
    return [*found, *address_problems(document, secrets), *webhook_problems(document, secrets)]


def _check_target(document: Document) -> Iterator[Problem]:
    if isinstance(get_in(document.data, "targets") or {}, Mapping):
        try:
            choose_target(document, None, must_choose=False)
        except ConfigError as error:
            yield from error.problems


def _check_state(document: Document) -> Iterator[Problem]:
    """Refuse addresses with a key in them, and file:// without an absolute path."""
    address = get_in(document.data, "state")
    if not isinstance(address, str):
        return
    url = urlsplit(address)
    if "@" in url.netloc or url.query or url.fragment:
        message = (
            "the state address must not have a key, query or fragment: credentials come from the environment"
        )
        yield document.problem(("state",), message, code="state_address")
    elif url.scheme == "file" and (url.netloc or not url.path.startswith("/")):
        message = "write a shared folder as file:///absolute/path"
        yield document.problem(("state",), message, code="state_address")


def _check_split(document: Document) -> Iterator[Problem]:
    shares = Fraction(0)
    for key in ("validation", "test"):
        value = get_in(document.data, "data", "split", key)
        if isinstance(value, float) and value != 0:
            if not 0 < value < 1:
                hint = "Write 0.1 for a tenth of the rows, or 100 for a hundred rows."
                message = f"{value} is neither a share between 0 and 1 nor a whole number of rows"
                yield document.problem(("data", "split", key), message, code="split", hint=hint)
                return
            shares += Fraction(str(value))  # as part_size reads it
    if shares >= 1:
        message = f"the shares add up to {float(shares):g}: nothing is left to train on"
        yield document.problem(("data", "split"), message, code="split")
    split = get_in(document.data, "data", "split")
    if any(
        isinstance(get_in(split, key), (int, float)) and get_in(split, key) for key in ("validation", "test")
    ):
        return
    for key in ("stratify_by", "group_by"):
        if get_in(split, key):
            message = f"`{key}` has no effect: neither validation nor test is a share or a number"
            hint = "Add `validation: 0.1`, or delete the key."
            yield document.problem(("data", "split", key), message, code="split", hint=hint, at_key=True)


def _check_augment(document: Document) -> Iterator[Problem]:
    target = get_in(document.data, "data", "augment", "target")
    given = get_in(document.data, "targets")
    names = [str(name) for name in given] if isinstance(given, Mapping) and given else list(BUILT_IN_TARGETS)
    if isinstance(target, str) and target not in names:
        message = f"there is no target {shown_value(target)}"
        hint = f"Targets here: {', '.join(names)}."
        yield document.problem(("data", "augment", "target"), message, code="unknown_target", hint=hint)


def _check_eval_prompts(document: Document) -> Iterator[Problem]:
    fault = _pattern_faults()
    for above in ("prompts", "general"):
        seen: dict[str, int] = {}
        for index, entry in entries_in(document.data, "eval", above):
            path: KeyPath = ("eval", above, index)
            name = entry.get("id")
            if isinstance(name, str) and seen.setdefault(name, index) != index:
                yield _duplicate_id(document, path, ("eval", above, seen[name]), name)
            if ("user" in entry) == ("messages" in entry) and "path" not in entry:
                yield document.problem(path, "either `user` or `messages` is needed", code="eval_prompt")
            if "messages" in entry:
                yield from _conversation_problems(document, path, entry)
            if isinstance(entry.get("system"), str) and entry["system"].endswith(".j2"):
                message = "questions are plain text, not templates: write out the system prompt"
                yield document.problem((*path, "system"), message, code="eval_prompt")
            yield from _regex_problems(document, (*path, "expect"), entry.get("expect"), fault)


def _duplicate_id(document: Document, path: KeyPath, other: KeyPath, name: str) -> Problem:
    first = find(document.root, (*other, "id")) or find(document.root, other)
    place = f"{shown_path(first.file)}:{first.line}" if first and first.file else spell(other)
    message = f"{shown_value(name)} is also the id of the question at {place}"
    return document.problem((*path, "id"), message, code="duplicate_id")


def _conversation_problems(document: Document, path: KeyPath, entry: Mapping[str, Any]) -> Iterator[Problem]:
    if "system" in entry:
        message = "`messages` is the whole conversation: put the system message into it"
        yield document.problem((*path, "system"), message, code="eval_prompt", at_key=True)
    messages = entries_in(entry, "messages")
    for index, one in messages:
        yield from _message_problems(document, (*path, "messages", index), one)
    if messages and messages[-1][1].get("role") not in ("user", "tool"):
        place = (*path, "messages", messages[-1][0])
        message = "the last message must be the user's, or a tool's"
        yield document.problem(place, message, code="eval_prompt")


def _message_problems(document: Document, path: KeyPath, message: Mapping[str, Any]) -> Iterator[Problem]:
    role = message.get("role")
    if message.get("content") is None and not message.get("tool_calls"):
        words = "the key `content` is missing"
        yield document.problem(path, words, code="missing_key", at_key=True)
    for key, owner in (("tool_calls", "assistant"), ("tool_call_id", "tool")):
        if key in message and isinstance(role, str) and role != owner:
            words = f"only {owner} messages have a {key}"
            yield document.problem((*path, key), words, code="eval_prompt", at_key=True)
    if role == "tool" and "tool_call_id" not in message:
        words = "a tool message needs `tool_call_id`, the id of the call that it answers"
        yield document.problem(path, words, code="missing_key", at_key=True)


def _regex_problems(
    document: Document, path: KeyPath, expect: Any, fault: Callable[[str], str | None]
) -> Iterator[Problem]:
    if not isinstance(expect, Mapping):
        return
    patterns = expect.get("regex")
    listed = isinstance(patterns, list)
    for index, pattern in enumerate(patterns if isinstance(patterns, list) else [patterns]):
        if isinstance(pattern, str):
            place = (*path, "regex", index) if listed else (*path, "regex")
            reason = fault(pattern)
            if reason:
                message = f"{shown_value(pattern)} is not a regular expression: {reason}"
                yield document.problem(place, message, code="regex")
    for key in ("all", "any"):
        for index, inner in entries_in(expect, key):
            yield from _regex_problems(document, (*path, key, index), inner, fault)


def _pattern_faults() -> Callable[[str], str | None]:
    """Return a function that says why a text is not a regular expression; its process starts when needed."""
    from ftrun.scoring.texts.patterns import Patterns
    from ftrun.untrusted import CapError, Capped

    capped = Capped(Patterns)

    @functools.cache
    def fault(pattern: str) -> str | None:
        try:
            found: str | None = capped.call("fault", pattern)
        except CapError as error:
            return str(error)
        return found

    return fault


def _check_one_line(document: Document) -> Iterator[Problem]:
    for path, node in walk(document.root):
        value = node.value
        if (
            not path
            or path[-1] not in ONE_LINE
            or path[:2] == ("prompt", "vars")
            or not isinstance(value, str)
        ):
            continue
        if not value.isprintable() or value != value.strip():
            message = f"{shown_value(value)} has line breaks, control characters or surrounding spaces"
            yield document.problem(path, message, code="wrong_value")


def _check_templates(document: Document) -> Iterator[Problem]:
    if document.templates:
        from ftrun.experiment.templates.syntax import syntax_problems  # jinja2 is slow to import

        yield from syntax_problems(document)


RULES: tuple[Rule, ...] = (
    _check_target,
    check_services,
    check_poll,
    _check_state,
    _check_split,
    check_sources,
    verbatim_problems,
    prompt_problems,
    method_problems,
    _check_augment,
    data_problems,
    evaluation_problems,
    _check_eval_prompts,
    _check_one_line,
    _check_templates,
)
