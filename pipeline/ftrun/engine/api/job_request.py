"""Check a request to create a job: whatever can be refused is refused before the job exists."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args

from ftrun.engine.api.body import Body
from ftrun.engine.api.errors import ApiError
from ftrun.engine.api.fields import read_metadata
from ftrun.engine.api.lookup import Named, find_named, require_file
from ftrun.engine.backends import REHEARSAL
from ftrun.engine.store import NewJob, Store
from ftrun.protocol.spec import METHOD_HYPERPARAMETERS, Method

LARGEST_SEED = 2**31 - 1


class _Training(NamedTuple):
    """How to train: the method with its settings."""

    method: Method = "supervised"
    hyperparameters: Body | None = None
    grader: Mapping[str, Any] | None = None


def read_new_job(body: Body, store: Store) -> NewJob:
    """Return the requested job; raise ApiError (400) for what this engine can't do."""
    model = body.required_text("model")
    training_file = body.required_text("training_file")
    validation_file = body.text("validation_file")
    named = _find_model(store, model)
    asked = body.object("method")
    training = _method(asked, named.base) if asked is not None else _Training()
    new = NewJob(
        model=named.base,
        continue_from=None if named.tuned is None else named.tuned.id,
        alias=named.alias,
        training_file=training_file,
        validation_file=validation_file,
        hyperparameters=_hyperparameters(body, training),
        seed=_seed(body),
        suffix=body.text("suffix", shortest=1, longest=64),
        metadata=read_metadata(body),
        method=training.method,
        grader=training.grader,
    )
    if body.take("integrations") not in (None, []):
        body.refuse("integrations", "are not supported by this engine.", code="unsupported_parameter")
    body.done()
    require_file(store, "training_file", training_file)
    if validation_file is not None:
        require_file(store, "validation_file", validation_file)
    return new


def _find_model(store: Store, name: str) -> Named:
    try:
        return find_named(store, name)
    except ApiError as error:
        error.status = 400  # as in the API, which has a 404 for questions
        raise


def _seed(body: Body) -> int:
    seed = body.integer("seed", least=0, most=LARGEST_SEED)
    return secrets.randbelow(LARGEST_SEED) if seed is None else seed


def _hyperparameters(body: Body, training: _Training) -> dict[str, int | float | str]:
    """Return the hyperparameters, which are in `method` or, in older requests, at the top level."""
    older, newer = body.object("hyperparameters"), training.hyperparameters
    if older is not None and newer is not None and older.values != newer.values:
        body.refuse("hyperparameters", "differ from those in `method`; give them only there.")
    given = newer or older or Body({})
    found: dict[str, int | float | str] = {
        "n_epochs": _whole_or_auto(given, "n_epochs", 50),
        "batch_size": _whole_or_auto(given, "batch_size", 256),
        "learning_rate_multiplier": _multiplier(given),
    }
    for name in METHOD_HYPERPARAMETERS.get(training.method, ()):
        value = given.integer(name, least=1, most=1000) if name == "top_layers" else given.take(name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float, str))):
            given.refuse(name, f"must be a number or a word, not {value!r}.")
        found |= {} if value is None else {name: value}
    given.done()
    return found


def _method(method: Body, base: str) -> _Training:
    """Return the method and its settings; a rehearsal, which trains nothing, takes all of them."""
    kind = method.take("type")
    if kind not in get_args(Method):
        method.refuse("type", f"must be one of {', '.join(get_args(Method))}, not {kind!r}.")
    if kind != "supervised" and base != REHEARSAL:
        method.refuse(
            "type",
            f"'{kind}' is not supported yet; use 'supervised'.",
            code="unsupported_value",
        )
    settings = method.object(kind)
    method.done()
    if settings is None:
        return _Training(method=kind)
    hyperparameters = settings.object("hyperparameters")
    grader = settings.object("grader") if kind == "reinforcement" else None
    settings.done()
    return _Training(kind, hyperparameters, grader.values if grader is not None else None)


def _whole_or_auto(body: Body, name: str, most: int) -> int | str:
    value: Any = body.take(name)
    if value is None or value == "auto":
        return "auto"
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
        body.refuse(name, f"must be 'auto' or a whole number from 1 to {most}, not {value!r}.")
    return value


def _multiplier(body: Body) -> float | str:
    value: Any = body.take("learning_rate_multiplier")
    if value is None or value == "auto":
        return "auto"
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < 1e6:
        body.refuse("learning_rate_multiplier", f"must be 'auto' or a number above 0, not {value!r}.")
    return float(value)
