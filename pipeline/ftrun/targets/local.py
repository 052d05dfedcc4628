"""The way to the embedded engine: started when needed, asked over HTTP like any other server."""

from __future__ import annotations

from collections.abc import Callable

from ftrun.engine.extras import require_backend
from ftrun.engine.models.acceptance import require_acceptance
from ftrun.engine.models.catalogue import CATALOGUE
from ftrun.errors import ConfigError
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.redaction import keep_secret
from ftrun.targets.connect import engine_home
from ftrun.targets.service import Service


def connect_local(experiment: Experiment, announce: Callable[[str], None]) -> Service:
    """Check the model's name, start or find the engine and connect to it."""
    from ftrun.engine.launch import ensure_engine

    check_model(experiment)
    endpoint = ensure_engine(engine_home(), announce=announce)
    return _service(endpoint.base_url, endpoint.token)


def running_service() -> Service | None:
    """Connect to the engine if one is running; never start one."""
    from ftrun.engine.launch import running_engine

    endpoint = running_engine(engine_home())
    return _service(endpoint.base_url, endpoint.token) if endpoint else None


def check_model(experiment: Experiment) -> None:
    """Raise ConfigError, at its place in the file, for a model that no engine has; DecisionError for one
    whose terms nobody accepted here; FtrunError when packages are missing that it needs.
    """
    import difflib

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
        + f"There are {', '.join(names)}, any Hugging Face id (owner/name) or a local folder (./path).",
    )


def _service(base_url: str, token: str) -> Service:
    from ftrun.targets.api import ApiService

    keep_secret(token)
    return ApiService(base_url=base_url, key=token, organization=None, project=None, honours_keys=True)
