"""The spec of a job: what makes two jobs the same work, and the model that training starts from
(`train.continue_from`).
"""

from __future__ import annotations

import shlex
from functools import lru_cache
from pathlib import Path
from typing import Any

import ftrun
from ftrun.errors import ConfigError
from ftrun.experiment.places import shown_path
from ftrun.files import digest
from ftrun.protocol.spec import METHOD_HYPERPARAMETERS
from ftrun.state import State
from ftrun.targets import JobRequest, same_account
from ftrun.workflow.context import Context

SPEC_VERSION = 1
ROLES = ("train", "validation")  # of the files that a job reads
HYPERPARAMETERS = ("n_epochs", "batch_size", "learning_rate_multiplier")


def spec(context: Context) -> dict[str, Any]:
    """Return the canonical request and the hashes of its data, without the server's ids and names."""
    train = context.experiment.train
    start = starting_model(context)
    given = train.hyperparameters
    more = {name: given[name] for name in METHOD_HYPERPARAMETERS.get(train.method, ()) if name in given}
    grader = {"grader": train.grader} if train.method == "reinforcement" else {}
    return {
        "spec version": SPEC_VERSION,
        "model": context.experiment.target.model,
        "method": train.method,
        "hyperparameters": {**{name: given.get(name, "auto") for name in HYPERPARAMETERS}, **more},
        **grader,
        "seed": train.seed,
        "suffix": train.suffix,
        "training data": context.sha("train") or "",
        "validation data": context.sha("validation"),
        # only where it is set, so that specs from before the key existed stay the same
        **({"continue from": start} if start else {}),
        **_of_the_service(context),
    }


def _of_the_service(context: Context) -> dict[str, Any]:
    """Return what a target adds to its jobs, if anything."""
    target = context.experiment.target
    given = {"extra body": target.extra_body, "service hyperparameters": target.hyperparameters}
    return {name: dict(values) for name, values in given.items() if values}


def spec_base(context: Context) -> str:
    """Return the spec's hash without the attempt."""
    return digest(spec(context))


def attempt_of(context: Context) -> int:
    """Return which attempt at this spec the present job is, from 1: `--force train` asks for another."""
    return context.state.attempts.get(spec_base(context), 1)


def spec_key(context: Context) -> str:
    """Return what a job carries as metadata `ftrun_spec`: the spec's hash with its attempt."""
    base = spec_base(context)
    return digest({"spec": base, "attempt": context.state.attempts.get(base, 1)})[:32]


def is_trained(context: Context) -> bool:
    """Return whether the present configuration has a job that succeeded."""
    job = context.state.jobs.get(spec_key(context)) if context.sha("train") else None
    return job is not None and job.status == "succeeded"


def starting_model(context: Context) -> str | None:
    """Return the model that training starts from, None for the base model.

    Another experiment means the model of its last finished job on a target of the same name.
    ConfigError when it has none, or has it in another account or store.
    """
    other = context.experiment.train.continue_from
    if not isinstance(other, Path):
        return other
    from ftrun.state.remote import store_at

    name, state = _name_and_state(context, other)
    target = context.experiment.target.name
    found = store_at(state, context.folder.parent.parent / name / target, name, target).load()
    model = last_model(found) if found is not None else None
    if found is None or model is None:
        raise _problem(
            context,
            f"{shown_path(other)} has no finished model on target {context.experiment.target.name!r} yet",
            hint=f"First: ftrun run {shlex.quote(shown_path(other))} "
            f"--target {context.experiment.target.name}",
        )
    if not same_account(found.identity, context.state.identity):
        raise _problem(context, f"the model of {shown_path(other)} is in another account or store")
    return str(model)


def last_model(state: State) -> str | None:
    """Return the model that an experiment has now or, where its last job failed or is running, had before."""
    waited = state.stages.get("wait")
    if waited is not None and waited.result.get("fine_tuned_model"):
        return str(waited.result["fine_tuned_model"])
    finished = [job for job in state.jobs.values() if job.fine_tuned_model]
    last = max(finished, key=lambda job: job.finished_at or 0, default=None)
    return last.fine_tuned_model if last is not None else None


def _name_and_state(context: Context, other: Path) -> tuple[str, str | None]:
    try:
        name, state = _read(other, other.stat().st_mtime_ns)
    except OSError as error:
        raise _problem(context, f"{shown_path(other)} can't be read: {error.strerror}") from error
    if name is None:
        raise _problem(context, f"{shown_path(other)} is not an experiment: it has no name")
    if name == context.experiment.name:
        raise _problem(
            context,
            "an experiment can't continue from itself: each run would be another job",
            hint="Give the model's id, or copy the experiment under another name.",
        )
    return name, state


@lru_cache(maxsize=8)
def _read(other: Path, _changed: int) -> tuple[str | None, str | None]:
    """Return an experiment's name, and the address of its state if that is not in its run folder."""
    from ftrun.experiment import read_document

    data = read_document(other).data
    name, state = (
        value if isinstance(value, str) else None for value in (data.get("name"), data.get("state"))
    )
    return name, state


def _problem(context: Context, message: str, hint: str | None = None) -> ConfigError:
    file, line, column = context.experiment.places.get(
        ("train", "continue_from"), (context.experiment.file, 1, 1)
    )
    where: dict[str, Any] = {"file": shown_path(file), "line": line, "column": column}
    return ConfigError(f"train.continue_from: {message}", code="continue_from", hint=hint, **where)


def request_of(context: Context, key: str) -> JobRequest:
    """Return the request for the job with this spec key."""
    wanted, uploads = spec(context), context.state.uploads

    def file_id(sha: str) -> str:
        return uploads[sha].file_id if sha in uploads else ""

    validation = wanted["validation data"]
    return JobRequest(
        model=wanted.get("continue from") or wanted["model"],
        training_file=file_id(wanted["training data"]),
        validation_file=file_id(validation) if validation else None,
        hyperparameters=wanted["hyperparameters"],
        seed=wanted["seed"],
        suffix=wanted["suffix"],
        extra_body=wanted.get("extra body", {}),
        own_hyperparameters=wanted.get("service hyperparameters", {}),
        metadata={
            **context.experiment.train.metadata,
            "ftrun_spec": key,
            "ftrun_version": ftrun.__version__,
        },
        method=wanted["method"],
        grader=wanted.get("grader"),
        file_names={upload.file_id: upload.name for upload in uploads.values()},
    )
