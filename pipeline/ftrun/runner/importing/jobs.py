"""What a job of a provider becomes in an experiment file: its base, method and values as they were used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ftrun.experiment.key_shapes import KEY_NAME, KEY_SHAPES, LONG_RUN
from ftrun.protocol.spec import METHOD_HYPERPARAMETERS
from ftrun.targets import Job
from ftrun.text import visible

TUNED = "ft:"  # how the id of a tuned model begins: ft:BASE:ORGANIZATION:SUFFIX:ID
OF_ALL_METHODS = ("n_epochs", "batch_size", "learning_rate_multiplier")
OF_OUR_ENGINE = ("top_layers",)
WHOLE = ("n_epochs", "batch_size", "eval_interval", "eval_samples")
AUTO = "auto"
OURS = "ftrun_"  # how ftrun's own metadata begin
METADATA_KEY = re.compile(r"(?!ftrun_).{1,64}")
MOST_METADATA, LONGEST_VALUE = 12, 512
MISSING_WORDS = {
    "training_file": "the training file",
    "validation_file": "the validation file",
    "result_file": "the result file with the losses",
    "events": "the events",
    "checkpoints": "the checkpoints",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a job is done again: the values of an experiment. `own_hyperparameters` are those that only the
    service knows; `notes` say what could not be taken over.
    """

    base: str
    continue_from: str | None
    method: str
    hyperparameters: Mapping[str, Any]
    own_hyperparameters: Mapping[str, Any]
    seed: int | None
    suffix: str | None
    metadata: Mapping[str, str]
    grader: Mapping[str, Any] | None
    notes: tuple[str, ...] = field(default=())


def why_not(job: Job) -> tuple[str, str] | None:
    """Return code and reason for which a job can't be imported, None if it can."""
    if job.dead:
        if job.status == "cancelled":
            return "job_cancelled", "the job was cancelled at the provider"
        why = f": {job.error}" if job.error else ""
        return "job_failed", f"the job failed at the provider{why}"
    if not job.succeeded:
        return "job_unfinished", f"the job has not ended, it is {job.status}; import it when it has"
    if not job.fine_tuned_model:
        return "no_tuned_model", "the job succeeded, but the server names no tuned model"
    if not base_of(job):
        return "no_base", "the server does not say which model was tuned"
    return None


def base_of(job: Job) -> str:
    """Return the base model: of a job that continued a tuned model, that model's."""
    named = job.model or job.fine_tuned_model or ""
    return named.split(":")[1] if named.startswith(TUNED) and named.count(":") > 1 else job.model


def recipe_of(job: Job, *, local: bool) -> Recipe:
    """Return how a job is done again; `local`: it is one of the engine on this machine."""
    notes: list[str] = []
    known = (*OF_ALL_METHODS, *METHOD_HYPERPARAMETERS.get(job.method, ()))
    theirs = used_hyperparameters(job)
    usual = {name: theirs[name] for name in known if name in theirs and (local or name not in OF_OUR_ENGINE)}
    own = {name: value for name, value in theirs.items() if name not in usual}
    taken = {} if local else {name: value for name, value in own.items() if _is_scalar(value)}
    left_out = [name for name in own if name not in taken]
    notes += [f"the hyperparameter {visible(name)} is kept in job.json only" for name in left_out]
    metadata = dict(_metadata(job.metadata, notes))
    return Recipe(
        base=base_of(job),
        continue_from=job.model if job.model.startswith(TUNED) else None,
        method=job.method,
        hyperparameters=usual,
        own_hyperparameters=taken,
        seed=job.seed,
        suffix=job.suffix,
        metadata=metadata,
        grader=job.grader if job.method == "reinforcement" else None,
        notes=tuple(notes),
    )


def used_hyperparameters(job: Job) -> dict[str, Any]:
    """Return the hyperparameters as they were used. What was requested as `auto`, servers tell in the older
    place, `hyperparameters` of the job itself.
    """
    older = job.document.get("hyperparameters")
    used = dict(older) if isinstance(older, Mapping) else {}
    asked = {name: value for name, value in job.hyperparameters.items() if value != AUTO or name not in used}
    return {name: _plain(name, value) for name, value in {**used, **asked}.items() if value is not None}


def _plain(name: str, value: Any) -> Any:
    """Return a value as YAML has it: numbers as numbers, also where a server gives text."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", value):
        value = float(value) if set(value) & set(".eE") else int(value)
    whole = isinstance(value, float) and name in WHOLE and value.is_integer()
    return int(value) if whole else value


def _is_scalar(value: Any) -> bool:
    return isinstance(value, (bool, int, float, str))


def _metadata(given: Mapping[str, str], notes: list[str]) -> Iterator[tuple[str, str]]:
    """Yield the pairs that an experiment file can hold: none of ftrun's own, none that looks like a key."""
    kept = 0
    for key, value in given.items():
        if key.startswith(OURS):
            continue
        secret = KEY_NAME.fullmatch(key) or KEY_SHAPES.search(value) or LONG_RUN.fullmatch(value)
        fits = METADATA_KEY.fullmatch(key) and len(value) <= LONGEST_VALUE
        if secret or not fits or kept == MOST_METADATA:
            notes.append(f"the metadata {visible(key)} are kept in job.json only")
            continue
        kept += 1
        yield key, value
