"""Connect to the engine on this machine: it is started when needed, and called over HTTP like any server."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from ftrun.engine.extras import require_backend
from ftrun.engine.models.acceptance import require_acceptance
from ftrun.engine.models.catalogue import CATALOGUE, find_model
from ftrun.engine.models.number_format import format_setting
from ftrun.engine.places import engine_home
from ftrun.errors import ConfigError
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.redaction import keep_secret
from ftrun.targets.service import Service

if TYPE_CHECKING:  # which loads more than a run with nothing to do needs
    from ftrun.engine.launch import Endpoint


def connect_local(experiment: Experiment, announce: Callable[[str], None]) -> Service:
    """Check the model's name, start the engine or find a running one, and connect to it."""
    from ftrun.engine.launch import ensure_engine

    check_model(experiment)
    endpoint = ensure_engine(engine_home(), announce=announce)
    return service_of(endpoint)


def start_early(experiment: Experiment, announce: Callable[[str], None], *, load: bool) -> threading.Thread:
    """Start the engine in the background; with `load`, let it load the model for the questions to come.

    Return the thread, to be waited for before `connect_local`: it says itself what it waits for. Nothing
    fails in it: `connect_local` reports why there is no engine, where one is needed.
    """
    from ftrun.engine.launch import ensure_engine, warm_engine
    from ftrun.engine.models.weights import is_cached

    model = find_model(experiment.target.model)
    if load and model is not None and not is_cached(model):
        announce(
            f"Preparing {model.title} in the background, once: {model.download_mb} MB to download, then some "
            "seconds to convert."
        )

    def start() -> None:
        with contextlib.suppress(Exception):  # see above
            endpoint = ensure_engine(engine_home(), announce=announce)
            if load:
                warm_engine(endpoint, experiment.target.model)

    thread = threading.Thread(target=start, name="engine start", daemon=True)
    thread.start()
    return thread


def running_service() -> Service | None:
    """Connect to the engine if it is running; never start one."""
    from ftrun.engine.launch import running_engine

    endpoint = running_engine(engine_home())
    return service_of(endpoint) if endpoint else None


def check_model(experiment: Experiment) -> None:
    """Raise ConfigError, with its place in the file, for a model that the engine doesn't have; DecisionError
    for one whose terms nobody has accepted on this machine; FtrunError if packages that it needs are missing;
    UsageError for an unknown FTRUN_DTYPE.
    """
    import difflib

    format_setting()
    name = experiment.target.model
    require_acceptance(name, accepted=experiment.target.accept_license)
    if "/" in name or any(model.name == name for model in CATALOGUE):
        require_backend(name)
        return
    names = [model.name for model in CATALOGUE]
    near = difflib.get_close_matches(name, names, n=1)
    file, line, column = experiment.places.get(
        ("targets", experiment.target.name, "model"), (experiment.file, 1, 1)
    )
    raise ConfigError(
        f"targets.{experiment.target.name}.model: the engine has no model {name!r}",
        code="unknown_model",
        file=shown_path(file),
        line=line,
        column=column,
        hint=(f"Did you mean {near[0]!r}? " if near else "")
        + f"It has {', '.join(names)}, any Hugging Face id (owner/name) and any local folder (./path).",
    )


def service_of(endpoint: Endpoint) -> Service:
    """Return the engine's service, connected when it is first called."""
    from ftrun.targets.api import ApiService

    keep_secret(endpoint.token)
    return ApiService(
        base_url=endpoint.base_url,
        key=endpoint.token,
        organization=None,
        project=None,
        honours_keys=True,
        at_once=endpoint.at_once or 1,
        busy_seconds=partial(_busy_seconds, endpoint),
    )


def _busy_seconds(endpoint: Endpoint) -> float | None:
    from ftrun.engine.launch import chats_of

    known = [chat["seconds"] for chat in chats_of(endpoint) if chat["seconds"] is not None]
    return max(known, default=None)
