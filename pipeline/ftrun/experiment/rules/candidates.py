"""Rules of `eval.models` that a JSON Schema can't express, and of experiments that train nothing."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ftrun.errors import Problem
from ftrun.experiment.build import BUILT_IN_TARGETS
from ftrun.experiment.document import Document
from ftrun.experiment.evaluation import BUILT_IN_MODELS, CHECKPOINT, DEFAULT_MODELS, is_built_in
from ftrun.experiment.nodes import KeyPath, get_in
from ftrun.experiment.places import shown_path, shown_value

RECORDED_ONLY = ("model", "target", "system", "few_shot", "retrieval")  # what nobody can be asked with


def data_problems(document: Document) -> Iterator[Problem]:
    """Yield a missing `data`: only an experiment that trains nothing needs none, and a file of targets."""
    if "data" in document.data or _names_targets_only(document.data):
        return
    if get_in(document.data, "train") is not None or not get_in(document.data, "eval"):
        hint = "Where the rows come from and how they are divided."
        yield document.problem(
            ("data",), "the key `data` is missing", code="missing_key", hint=hint, at_key=True
        )
    elif get_in(document.data, "eval", "models") is None:
        message = (
            "the key `models` is missing: the experiment has no `data`, so there is no tuned model to ask"
        )
        hint = "Name the candidates: models, or recorded answers such as {name: old, answers: old.jsonl}."
        yield document.problem(("eval",), message, code="missing_key", hint=hint, at_key=True)


def _names_targets_only(data: Mapping[str, Any]) -> bool:
    """Return whether a file is for --config alone: there is nothing to run in it."""
    return "targets" in data and not any(key in data for key in ("prompt", "train", "eval"))


def candidate_names(document: Document) -> list[str]:
    """Return the candidates' names."""
    models = get_in(document.data, "eval", "models")
    if not isinstance(models, list):
        return list(DEFAULT_MODELS)
    names = [one.get("name") if isinstance(one, Mapping) else one for one in models]
    return [name for name in names if isinstance(name, str)]


def candidate_problems(document: Document) -> Iterator[Problem]:
    """Yield the problems of `eval.models`."""
    models = get_in(document.data, "eval", "models")
    seen: dict[str, int] = {}
    for index, one in enumerate(models if isinstance(models, list) else ()):
        path: KeyPath = ("eval", "models", index)
        name = one.get("name") if isinstance(one, Mapping) else one
        if isinstance(name, str) and seen.setdefault(name, index) != index:
            message = f"{shown_value(name)} is also the name of eval.models[{seen[name]}]"
            yield document.problem(path, message, code="duplicate_name")
        if isinstance(one, str):
            yield from _misspelt_problems(document, path, one)
        if isinstance(one, Mapping):
            yield from _mapping_problems(document, path, one)
        yield from _training_problems(document, path, one if isinstance(one, Mapping) else {"name": one})


def _misspelt_problems(document: Document, path: KeyPath, given: str) -> Iterator[Problem]:
    """Yield a name that is almost one of ours: asked as a model's id it would fail after the training."""
    near = difflib.get_close_matches(given.lower(), BUILT_IN_MODELS, n=1, cutoff=0.8)
    if near and not is_built_in(given):
        message = f"there is no candidate {shown_value(given)}"
        hint = f"Did you mean {near[0]}? A model with this id is written {{name: {given}, model: {given}}}."
        yield document.problem(path, message, code="candidate", hint=hint)


def _mapping_problems(document: Document, path: KeyPath, one: Mapping[str, Any]) -> Iterator[Problem]:
    if "answers" in one:
        yield from _recorded_problems(document, path, one)
        return
    name, model, target = one.get("name"), one.get("model"), one.get("target")
    if model is None and target is None and isinstance(name, str) and not is_built_in(name):
        message = "a candidate needs a `model` (tuned, base, or an id), a `target`, or `answers`"
        yield document.problem(path, message, code="missing_key")
    if isinstance(target, str):
        yield from _target_problems(document, path, target, model or name)
    if isinstance(one.get("system"), str) and one["system"].endswith(".j2"):
        message = "a candidate's system prompt is plain text, not a template: write it out"
        yield document.problem((*path, "system"), message, code="candidate")


def _recorded_problems(document: Document, path: KeyPath, one: Mapping[str, Any]) -> Iterator[Problem]:
    for key in RECORDED_ONLY:
        if key in one:
            message = f"these answers are recorded, so nobody is asked: `{key}` has no effect"
            hint = f"Delete `{key}`, or delete `answers` to ask a model."
            yield document.problem((*path, key), message, code="wrong_key", hint=hint, at_key=True)
    if isinstance(one["answers"], str) and one["answers"]:
        yield from _file_problems(document, (*path, "answers"), one["answers"])


def _file_problems(document: Document, path: KeyPath, given: str) -> Iterator[Problem]:
    file = document.base(path) / given
    try:
        found, is_file = file.exists(), file.is_file()
    except (OSError, ValueError):  # a name too long, or with a NUL
        found = is_file = False
    if is_file:
        return
    message = f"{shown_path(file)} is not a regular file" if found else f"there is no file {shown_path(file)}"
    yield document.problem(path, message, code="no_such_file", hint=_near_file(file))


def _near_file(file: Path) -> str | None:
    """Return which file was probably meant."""
    try:
        names = [one.name for one in file.parent.iterdir()]
    except (OSError, ValueError):
        return None
    near = difflib.get_close_matches(file.name, names, n=1)
    return f"Did you mean {shown_path(file.parent / near[0])}?" if near else None


def _target_problems(document: Document, path: KeyPath, target: str, model: Any) -> Iterator[Problem]:
    given = get_in(document.data, "targets")
    names = [str(name) for name in given] if isinstance(given, Mapping) and given else list(BUILT_IN_TARGETS)
    if target not in names:
        hint = meant(target, names)
        message = f"there is no target {shown_value(target)}"
        yield document.problem((*path, "target"), message, code="unknown_target", hint=hint)
    elif isinstance(model, str) and (model == "tuned" or CHECKPOINT.fullmatch(model)):
        message = f"{model} is a model of the experiment's own target"
        hint = "Delete `target`, or name the model by its id."
        yield document.problem((*path, "target"), message, code="wrong_key", hint=hint, at_key=True)


def _training_problems(document: Document, path: KeyPath, one: Mapping[str, Any]) -> Iterator[Problem]:
    """Yield what a candidate needs of training that an experiment without data does not have."""
    if "data" in document.data or get_in(document.data, "train") is not None or "answers" in one:
        return
    model = one.get("model") or one.get("name")
    if isinstance(model, str) and is_built_in(model) and model != "base":
        message = f"{model} is not available: the experiment has no `data`, so nothing is trained"
        hint = "Add `data`, or name a model by its id."
        yield document.problem(
            (*path, "model") if "model" in one else path, message, code="candidate", hint=hint
        )
    for key in ("few_shot", "retrieval"):
        if key in one:
            message = f"the experiment has no `data`, so there are no rows for `{key}`"
            yield document.problem((*path, key), message, code="candidate", hint="Add `data`.", at_key=True)


def meant(given: str, known: Iterable[str]) -> str:
    """Return which of the known names was probably meant, and all of them."""
    names = list(known)
    near = difflib.get_close_matches(given.lower(), names, n=1, cutoff=0.6)
    listed = ", ".join(names)
    return f"Did you mean {near[0]}? Known here: {listed}." if near else f"Known here: {listed}."
