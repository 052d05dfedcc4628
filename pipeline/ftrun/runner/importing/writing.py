"""The text of an imported experiment: readable, commented, and whatever the server says is safely quoted."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ftrun.experiment.yaml_writing import flow, scalar
from ftrun.runner.importing.file_store import StoredFile
from ftrun.runner.importing.jobs import MISSING_WORDS, Recipe
from ftrun.targets import Job
from ftrun.text import one_line, visible

SCHEMA = Path("schemas/experiment.schema.json")
NEAR = 4  # folders above that may have the schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What an experiment file is made of; `mapping` is the target as its file has it, with its own model."""

    name: str
    target: str
    mapping: Mapping[str, Any]
    job: Job
    recipe: Recipe
    training: StoredFile | None
    validation: StoredFile | None
    missing: tuple[str, ...]
    date: str
    schema: str | None


def schema_line(configs: Path) -> str | None:
    """Return the path from `configs` to the schema, where a folder above has it."""
    for folder in list(configs.parents)[:NEAR]:
        if (folder / SCHEMA).is_file():
            return Path(os.path.relpath(folder / SCHEMA, configs)).as_posix()
    return None


def experiment_text(draft: Draft) -> str:
    """Return the text of the experiment file."""
    sections = (_head(draft), _targets(draft), _data(draft), _train(draft), _imported(draft))
    return "\n".join("\n".join(lines) + "\n" for lines in map(list, sections) if lines)


def _head(draft: Draft) -> Iterator[str]:
    job, file = draft.job, f"{draft.name}.yaml"
    if draft.schema is not None:
        yield f"# yaml-language-server: $schema={draft.schema}"
    yield f"# Imported by ftrun from job {_comment(job.id)}, which {_when(job)}."
    yield f"# Tuned model: {_comment(job.fine_tuned_model or '')}"
    if draft.missing:
        lost = ", ".join(MISSING_WORDS[one] for one in draft.missing)
        yield f"# Missing, because the provider did not have it or did not give it: {lost}"
    if draft.training is None:
        yield "# Without the training file nothing can be trained again: this file only compares models."
    else:
        yield "# The job is done, so `ftrun run` has nothing to do. Other values would be another job."
    yield "# To keep what the model answers, while it does:"
    yield f"#   ftrun rescue {file}"
    if draft.training is not None:
        yield "# To train the same elsewhere, and compare:"
        yield f"#   ftrun port {file} --to TARGET"
    yield "version: 1"
    yield f"name: {scalar(draft.name)}"


def _when(job: Job) -> str:
    begun = "started at an unknown time" if job.created_at is None else f"started on {_day(job.created_at)}"
    return begun if job.finished_at is None else f"{begun} and ended on {_day(job.finished_at)}"


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _targets(draft: Draft) -> Iterator[str]:
    mapping = {key: value for key, value in draft.mapping.items() if key != "hyperparameters"}
    mapping["model"] = draft.recipe.base
    deployment = {key: one for key, one in (mapping.pop("deployment", None) or {}).items() if key != "name"}
    if deployment:  # without the name, which is that of another model
        mapping["deployment"] = deployment
    if draft.recipe.own_hyperparameters:
        mapping["hyperparameters"] = draft.recipe.own_hyperparameters
    yield f"target: {scalar(draft.target)}"
    yield "targets:"
    yield f"  {scalar(draft.target)}:"
    yield from _block(mapping, 4)


def _data(draft: Draft) -> Iterator[str]:
    if draft.training is None:
        return
    yield "data:"
    yield "  verbatim: true # the files are sent byte for byte"
    yield "  sources:"
    yield f"    - path: data/{draft.training.sha256}.jsonl # {_about(draft.training)}"
    if draft.validation is not None:
        yield "  split:"
        yield "    validation:"
        yield f"      - path: data/{draft.validation.sha256}.jsonl # {_about(draft.validation)}"


def _about(file: StoredFile) -> str:
    name = f"{_comment(file.name)}, " if file.name else ""
    return f"{name}{file.bytes:,} bytes, {_comment(file.file_id)}"


def _train(draft: Draft) -> Iterator[str]:
    recipe = draft.recipe
    if draft.training is None:
        yield "eval:"
        yield "  models:"
        yield f"    - {{name: tuned, model: {flow(draft.job.fine_tuned_model)}}}"
        yield "    - base"
        return
    values: dict[str, Any] = {
        "method": recipe.method,
        "hyperparameters": recipe.hyperparameters,
        "seed": recipe.seed,
        "suffix": recipe.suffix,
        "continue_from": recipe.continue_from,
        "metadata": recipe.metadata,
        "grader": recipe.grader,
    }
    yield "train:"
    yield from _block({key: value for key, value in values.items() if value not in (None, {})}, 2)


def _imported(draft: Draft) -> Iterator[str]:
    yield "imported: # where this comes from; it changes nothing"
    values = {
        "job_id": draft.job.id,
        "fine_tuned_model": draft.job.fine_tuned_model,
        "date": draft.date,
        "missing": list(draft.missing),
    }
    yield from _block({key: value for key, value in values.items() if value}, 2)


def _block(values: Mapping[str, Any], indent: int) -> Iterator[str]:
    """Yield the lines of a mapping, one key in each."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield f"{' ' * indent}{scalar(str(key))}:"
            yield from _block(value, indent + 2)
        else:
            yield f"{' ' * indent}{scalar(str(key))}: {flow(value)}"


def _comment(text: str) -> str:
    """Return text of others for a comment: on one line, and of a length that people read."""
    return one_line(visible(text), 100)
