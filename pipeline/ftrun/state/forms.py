"""Checking that JSON values have the types that a dataclass declares, so that no other part of ftrun must.

The declarations are read as text: resolving them costs more than reading a state.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

DEEPEST = 20  # levels of a value of any kind
LARGEST = 2**63
LITERAL = re.compile(r"['\"](\w+)['\"]")
# facts of a stage that others use; a stage that is done has the first group. Other facts are only shown
NEEDED: Mapping[str, Mapping[str, str]] = {
    "prepare": {"files": "dict[str, dict[str, Any]]"},
    "check": {"examples": "int", "train_tokens": "int"},
    "train": {"job_id": "str"},
}
FACTS: Mapping[str, Mapping[str, str]] = {
    "prepare": {"duplicates": "int"},
    "upload": {"train": "str | None", "validation": "str | None"},
    "train": {"job_id": "str | None"},
    "wait": {
        "job_id": "str | None",
        "spec": "str | None",
        "fine_tuned_model": "str | None",
        "trained_tokens": "int | None",
        "hyperparameters": "dict[str, Any]",
        "seed": "int | None",
        "created_at": "int | None",
        "finished_at": "int | None",
        "checkpoints": "list[dict[str, Any]]",
        "stopped_early": "str | None",
        "dtype": "str | None",
    },
    "deploy": {
        "deployment": "str | None",
        "model": "str | None",
        "sku": "str | None",
        "since": "str",
        "effect": "str | None",
        "resource": "dict[str, str | None]",
        "usd_per_hour": "float | None",
        "counted": "float",
    },
    "evaluate": {
        "metrics": "dict[str, dict[str, Any]]",
        "verdict": "dict[str, Any] | None",
        "gates": "list[dict[str, Any]]",
    },
}
NO_IDS = ("", ".", "..")  # in an address they mean something else
FILE = {"sha256": "hash", "bytes": "int"}
POINT = {"step": "int"}


class FormError(ValueError):
    """A value has the wrong type; the message names it by its path."""


def check(kind: type[Any], values: Any, path: str, kinds: Mapping[str, type[Any]]) -> None:
    """Raise FormError unless `values` has the fields of the dataclass `kind`, with their types.

    `kinds` are the dataclasses that a field's type may name.
    """
    if not isinstance(values, dict):
        raise _wrong(path, "an object", values)
    known = {one.name: str(one.type) for one in fields(kind)}
    for name in values.keys() - known.keys():
        raise FormError(f"{path}.{name} is not a field of it")
    for name, value in values.items():
        _check_type(known[name], value, f"{path}.{name}", kinds)


def check_result(stage: str, result: Mapping[str, Any], path: str, *, done: bool) -> None:
    """Raise FormError if a fact of a stage that others use is missing or has another type."""
    needed = NEEDED.get(stage, {}) if done else {}
    _check_facts({**FACTS.get(stage, {}), **needed}, result, path, needed=needed)
    if stage == "prepare":
        if done and "train" not in result["files"]:  # a job without it would be another one, paid for again
            raise FormError(f"{path}.files.train is missing")
        for role, file in result.get("files", {}).items():
            _check_facts(FILE, file, f"{path}.files.{role}", needed=FILE)
    for index, point in enumerate(result.get("checkpoints", ()) if stage == "wait" else ()):
        _check_facts(POINT, point, f"{path}.checkpoints[{index}]", needed=POINT)


def _check_facts(
    forms: Mapping[str, str], facts: Mapping[str, Any], path: str, *, needed: Mapping[str, str]
) -> None:
    for name, form in forms.items():
        if name in facts:
            _check_type(form, facts[name], f"{path}.{name}", {})
        elif name in needed:
            raise FormError(f"{path}.{name} is missing")


def _check_type(form: str, value: Any, path: str, kinds: Mapping[str, type[Any]]) -> None:
    if form.endswith(" | None"):
        if value is None:
            return
        form = form.removesuffix(" | None")
    if form in kinds:
        check(kinds[form], value, path, kinds)
    elif form.startswith("dict["):
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        inner = form[len("dict[str, ") : -1]
        for key, one in value.items():
            _check_type(inner, one, f"{path}.{key}", kinds)
    elif form.startswith("list["):
        if not isinstance(value, list):
            raise _wrong(path, "a list", value)
        for index, one in enumerate(value):
            _check_type(form[len("list[") : -1], one, f"{path}[{index}]", kinds)
    elif form.startswith("Literal["):
        if value not in (allowed := LITERAL.findall(form)):
            raise _wrong(path, " or ".join(allowed), value)
    else:
        holds, words = PLAIN[form]
        if not holds(value):
            raise _wrong(path, words, value)
        if path.endswith("_id") and value in NO_IDS:
            raise _wrong(path, "an id", value)


def _wrong(path: str, words: str, value: Any) -> FormError:
    shown = repr(value)
    return FormError(f"{path} is {shown[:40]}{'…' if len(shown) > 40 else ''}, not {words}")


def _is_number(value: Any) -> bool:
    """Return whether it is a number that JSON can hold; true and false are not."""
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST


def _is_flat(value: Any, level: int = 0) -> bool:
    """Return whether a value is nested no deeper than anything that we write, and has no odd numbers."""
    if isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value
        return level < DEEPEST and all(_is_flat(one, level + 1) for one in inner)
    return value is None or isinstance(value, (str, bool)) or _is_number(value)


PLAIN: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "str": (lambda value: isinstance(value, str), "text"),
    "hash": (lambda value: isinstance(value, str) and value != "", "a hash"),
    "bool": (lambda value: isinstance(value, bool), "true or false"),
    "int": (lambda value: isinstance(value, int) and _is_number(value), "a whole number"),
    "float": (_is_number, "a number"),
    "Any": (_is_flat, "a value that ftrun writes"),
}
