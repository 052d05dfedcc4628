"""Rules of `prompt` and `train.method`: the templates, hyperparameters and grader of each method."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from ftrun.errors import Problem
from ftrun.experiment.document import Document
from ftrun.experiment.nodes import KeyPath, entries_in, get_in
from ftrun.experiment.places import shown_value

# templates and hyperparameters of only one method
TEMPLATES = {"preferred": "dpo", "non_preferred": "dpo", "item": "reinforcement", "assistant": "supervised"}
HYPERPARAMETERS = {
    "beta": "dpo",
    "compute_multiplier": "reinforcement",
    "eval_interval": "reinforcement",
    "eval_samples": "reinforcement",
    "reasoning_effort": "reinforcement",
    "top_layers": "supervised",
}
GRADERS = {  # required keys by type
    "string_check": ("name", "input", "reference", "operation"),
    "text_similarity": ("name", "input", "reference", "evaluation_metric"),
    "score_model": ("name", "input", "model"),
    "label_model": ("name", "input", "model", "labels", "passing_labels"),
    "python": ("name", "source"),
    "multi": ("name", "graders", "calculate_output"),
}
VALUES = {
    "operation": ("eq", "ne", "like", "ilike"),
    "evaluation_metric": (
        *("cosine", "fuzzy_match", "bleu", "gleu", "meteor"),
        *("rouge_1", "rouge_2", "rouge_3", "rouge_4", "rouge_5", "rouge_l"),
    ),
}
ITEM = re.compile(r"\{\{-?\s*item\.([A-Za-z_]\w*)")


def item_fields(grader: Any) -> frozenset[str]:
    """Return the fields of a row that a grader's templates use: `{{ item.NAME }}`."""
    return frozenset(ITEM.findall(json.dumps(grader, ensure_ascii=False)))


def prompt_problems(document: Document) -> Iterator[Problem]:
    """Yield the problems of templates and their names."""
    prompt = get_in(document.data, "prompt")
    given = [key for key in ("system", "user", "assistant") if get_in(prompt, key) is not None]
    if get_in(prompt, "messages") is not None and given:
        message = f"`messages` is the whole conversation, but there is also {', '.join(given)}"
        yield document.problem(("prompt", "messages"), message, code="prompt", at_key=True)
    variables = get_in(prompt, "vars")
    for name in variables if isinstance(variables, Mapping) else ():
        if not name.isidentifier() or name == "row":
            message = "`row` is the whole row" if name == "row" else "not a name that a template can use"
            yield document.problem(("prompt", "vars", name), message, code="vars", at_key=True)
    for index, entry in entries_in(document.data, "prompt", "messages"):
        yield from _message_problems(document, ("prompt", "messages", index), entry)


def _message_problems(document: Document, path: KeyPath, entry: Mapping[str, Any]) -> Iterator[Problem]:
    role = entry.get("role")
    owners = {"weight": "assistant", "tool_calls": "assistant", "tool_call_id": "tool"}
    for key, owner in owners.items():
        if key in entry and isinstance(role, str) and role != owner:
            message = f"only {owner} messages have a {key}"
            yield document.problem((*path, key), message, code="prompt", at_key=True)
    if role == "tool" and "tool_call_id" not in entry:
        message = "a tool message needs `tool_call_id`, the id of the call that it answers"
        yield document.problem(path, message, code="missing_key", at_key=True)
    if "content" not in entry and "tool_calls" not in entry:
        message = "the key `content` is missing"
        yield document.problem(path, message, code="missing_key", at_key=True)
    if isinstance(entry.get("content"), list) and role in ("system", "developer", "tool"):
        message = f"the content of a {role} message is text"
        yield document.problem((*path, "content"), message, code="prompt")


def method_problems(document: Document) -> Iterator[Problem]:
    """Yield keys that do not belong to the method, and those that are missing."""
    train = get_in(document.data, "train")
    prompt, grader = get_in(document.data, "prompt"), get_in(train, "grader")
    method = "supervised" if get_in(train, "method") is None else train["method"]
    if isinstance(method, str):
        yield from _template_problems(document, prompt if isinstance(prompt, dict) else {}, method)
        yield from _hyperparameter_problems(document, get_in(train, "hyperparameters"), method)
        yield from _grader_presence(document, grader, method)
    if isinstance(grader, dict):
        yield from _grader_problems(document, ("train", "grader"), grader)


def _template_problems(document: Document, prompt: Mapping[str, Any], method: str) -> Iterator[Problem]:
    given = {key for key in ("user", "messages", *TEMPLATES) if prompt.get(key) is not None}
    for key in sorted(given & TEMPLATES.keys()):
        if TEMPLATES[key] != method:
            yield document.problem(
                ("prompt", key),
                f"this is for `method: {TEMPLATES[key]}`, but the method is {method}",
                code="prompt",
                hint=_instead(key, method),
                at_key=True,
            )
    if method == "supervised" and "user" in given and "assistant" not in given:
        message = "`user` needs `assistant`, the answer to learn"
        yield document.problem(("prompt",), message, code="missing_key")
    missing = {"preferred", "non_preferred"} - given
    if method == "dpo" and missing and given & {"user", "messages", "preferred", "non_preferred"}:
        names = " and ".join(f"`{name}`" for name in sorted(missing))
        message = f"`method: dpo` needs {names}: it learns from a better and a worse answer"
        yield document.problem(("prompt",), message, code="missing_key")


def _instead(key: str, method: str) -> str:
    if key == "assistant" and method == "dpo":
        return "Write the better answer as `preferred`, the worse one as `non_preferred`."
    if key == "assistant":
        return "The model writes the answer itself: give the correct one to the grader, as a field of `item`."
    return f"Set `train.method: {TEMPLATES[key]}`, or delete it."


def _hyperparameter_problems(document: Document, given: Any, method: str) -> Iterator[Problem]:
    for key in given if isinstance(given, Mapping) else ():
        if HYPERPARAMETERS.get(key, method) != method:
            path = ("train", "hyperparameters", key)
            message = f"this is for `method: {HYPERPARAMETERS[key]}`, but the method is {method}"
            yield document.problem(path, message, code="wrong_key", at_key=True)


def _grader_presence(document: Document, grader: Any, method: str) -> Iterator[Problem]:
    if method == "reinforcement" and grader is None:
        message = "`method: reinforcement` needs a `grader`"
        hint = "e.g. grader: {type: string_check, name: right, operation: eq, "
        hint += "input: '{{ sample.output_text }}', reference: '{{ item.answer }}'}"
        yield document.problem(("train",), message, code="missing_key", hint=hint)
    elif method != "reinforcement" and grader is not None:
        message = f"a grader is for `method: reinforcement`, but the method is {method}"
        yield document.problem(("train", "grader"), message, code="wrong_key", at_key=True)


def _grader_problems(document: Document, path: KeyPath, grader: Mapping[str, Any]) -> Iterator[Problem]:
    kind = grader.get("type")
    if not isinstance(kind, str) or kind not in GRADERS:
        message = f"the `type` of a grader is one of {', '.join(GRADERS)}, not {shown_value(kind)}"
        yield document.problem((*path, "type"), message, code="wrong_value")
        return
    for key in GRADERS[kind]:
        if key not in grader:
            message = f"a grader of the type {kind} needs `{key}`"
            yield document.problem(path, message, code="missing_key", at_key=True)
    for key, allowed in VALUES.items():
        if key in grader and grader[key] not in allowed:
            message = f"{shown_value(grader[key])} is not one of: {', '.join(allowed)}"
            yield document.problem((*path, key), message, code="wrong_value")
    inner = grader.get("graders")
    if kind != "multi" or not isinstance(inner, Mapping):
        return
    for name, one in inner.items():
        if isinstance(one, Mapping) and one.get("type") in GRADERS and one.get("type") != "multi":
            yield from _grader_problems(document, (*path, "graders", name), one)
        else:
            message = f"{shown_value(one)} is not a grader that `multi` can contain"
            yield document.problem((*path, "graders", name), message, code="wrong_value")
