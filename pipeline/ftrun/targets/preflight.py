"""Check a target before anything is uploaded: what it doesn't take, whether it has the model, and until when.

Only reads. Whether an account may train is known to the server alone, which says so when a job is created.
"""

from __future__ import annotations

import difflib
from datetime import UTC, date, datetime
from typing import Any

from ftrun.cost import availability
from ftrun.cost.availability import End, ends_of
from ftrun.cost.availability_warnings import SHUTDOWN, SOON, shutdown_message, training_message
from ftrun.errors import ConfigError, FtrunError
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.targets.job_refusals import elsewhere, models_command
from ftrun.targets.lifetimes import NOT_LISTED, find_model, server_ends
from ftrun.targets.service import RemoteModel, Service

DROPPED = {
    "suffix": "takes no suffix: the model's name will not have it",
    "seed": "takes no seed: two trainings may differ",
    "metadata": "takes no metadata: jobs are identified by their files, model and values",
    "validation_file": "takes no validation file: there will be no validation loss",
}


def check_request(experiment: Experiment) -> list[str]:
    """Return notes on what is not sent; ConfigError for a value that would be misunderstood."""
    target, train = experiment.target, experiment.train
    capabilities = target.capabilities
    multiplier = train.hyperparameters.get("learning_rate_multiplier", "auto")
    if capabilities.get("learning_rate") == "absolute" and multiplier != "auto":
        raise _problem(
            experiment,
            ("train", "hyperparameters", "learning_rate_multiplier"),
            f"{target.name} takes an absolute learning rate and would use {multiplier} as one",
            hint=f"Set targets.{target.name}.hyperparameters: {{learning_rate: 0.00001}}, and `auto` here.",
        )
    if "top_layers" in train.hyperparameters and target.provider != "local":
        raise _problem(
            experiment,
            ("train", "hyperparameters", "top_layers"),
            f"{target.name} can't train only the top layers; only the engine on this machine can",
            hint="Remove the key, or choose a target of `provider: local` (`--target`).",
        )
    if capabilities.get("method") == "left_out" and train.method != "supervised":
        raise _problem(experiment, ("train", "method"), f"{target.name} trains supervised only")
    asked = {"suffix": train.suffix is not None, "seed": train.seed is not None, "metadata": True}
    asked["validation_file"] = experiment.data.split is not None and bool(experiment.data.split.validation)
    return [
        f"{target.name} {words}"
        for key, words in DROPPED.items()
        if asked[key] and capabilities.get(key) == "left_out"
    ]


def check_model(experiment: Experiment, service: Service, model: str) -> list[str]:
    """Return notes on the model to start from; ConfigError if the server doesn't have it or can't train it.

    A server that gives no list of its models is assumed to have it.
    """
    if experiment.target.capabilities.get("models") == "missing":
        return []
    try:
        found = find_model(service, model)
    except FtrunError as error:
        if error.code not in NOT_LISTED:
            raise
        return [f"whether {experiment.target.name} has {model} is unknown: it lists no models"]
    if isinstance(found, RemoteModel):
        return _lifetime(experiment, found)
    if not found:
        return [f"whether {experiment.target.name} has {model} is unknown: it lists no models"]
    near = difflib.get_close_matches(model, found, n=3)
    listing = f"`{models_command(experiment)}` lists what it has."
    raise _model_problem(
        experiment,
        f"the server has no model {model!r}",
        hint=f"Did you mean {', '.join(near)}? {listing}" if near else listing,
    )


def _lifetime(experiment: Experiment, model: RemoteModel) -> list[str]:
    today = availability.today()
    if model.fine_tunable is False:
        raise _model_problem(experiment, f"{model.id} can't be fine-tuned on this server")
    if model.training_ends is not None and model.training_ends < datetime.now(UTC).timestamp():
        raise _model_problem(experiment, f"{model.id} can no longer be fine-tuned on this server")
    ends, known = (
        ends_of(experiment.target, server_ends(model), model=model.id),
        ends_of(experiment.target, model=model.id),
    )
    answers, training, notes = ends.answers, ends.training, []
    if answers is not None and answers.source == "server":
        if answers.day <= today:
            raise _model_problem(experiment, f"{model.id} was shut down on {answers.day}", code=SHUTDOWN)
        if not _is_said(known.answers, answers, today):
            notes.append(shutdown_message(ends, answers, today))
    soon = training is not None and training.source == "server" and training.days(today) <= SOON
    if training is not None and soon and not _is_said(known.training, training, today):
        notes.append(training_message(ends, training, today))
    return notes


def _is_said(known: End | None, told: End, today: date) -> bool:
    """Return whether the warnings that need no server have said the same."""
    return known is not None and known.day == told.day and known.days(today) <= SOON


def _model_problem(
    experiment: Experiment, message: str, *, hint: str | None = None, code: str = "unknown_model"
) -> ConfigError:
    key = ("targets", experiment.target.name, "model")
    if experiment.train.continue_from is not None:
        key = ("train", "continue_from")  # type: ignore[assignment]
    other = f"Choose another model, or train elsewhere. {elsewhere(experiment)}"
    return _problem(experiment, key, message, hint=hint or other, code=code)


def _problem(
    experiment: Experiment,
    key: tuple[str | int, ...],
    message: str,
    *,
    hint: str | None = None,
    code: str = "not_at_this_service",
) -> ConfigError:
    file, line, column = experiment.places.get(key, (experiment.file, 1, 1))
    where: dict[str, Any] = {"file": shown_path(file), "line": line, "column": column}
    return ConfigError(f"{'.'.join(map(str, key))}: {message}", code=code, hint=hint, **where)
