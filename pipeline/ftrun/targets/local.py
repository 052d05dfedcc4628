"""Connect to the engine on this machine: it is started when needed, and called over HTTP like any server."""

from __future__ import annotations

from collections.abc import Callable

from ftrun.engine.extras import require_backend
from ftrun.engine.models.acceptance import is_accepted, require_acceptance
from ftrun.engine.models.catalogue import CATALOGUE, find_model
from ftrun.engine.places import engine_home
from ftrun.errors import ConfigError
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.redaction import keep_secret
from ftrun.targets.service import Service
from ftrun.text_language import LANGUAGE_NAMES


def connect_local(experiment: Experiment, announce: Callable[[str], None]) -> Service:
    """Check the model's name, start the engine or find a running one, and connect to it."""
    from ftrun.engine.launch import ensure_engine

    check_model(experiment)
    endpoint = ensure_engine(engine_home(), announce=announce)
    return _service(endpoint.base_url, endpoint.token)


def running_service() -> Service | None:
    """Connect to the engine if it is running; never start one."""
    from ftrun.engine.launch import running_engine

    endpoint = running_engine(engine_home())
    return _service(endpoint.base_url, endpoint.token) if endpoint else None


def check_model(experiment: Experiment) -> None:
    """Raise ConfigError, with its place in the file, for a model that the engine doesn't have; DecisionError
    for one whose terms nobody has accepted on this machine; FtrunError if packages that it needs are missing.
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
        + f"It has {', '.join(names)}, any Hugging Face id (owner/name) and any local folder (./path).",
    )


def _service(base_url: str, token: str) -> Service:
    from ftrun.targets.api import ApiService

    keep_secret(token)
    return ApiService(base_url=base_url, key=token, organization=None, project=None, honours_keys=True)


def language_note(experiment: Experiment, language: str | None) -> list[str]:
    """Return a note if the experiment's local model was not made for the `language` of its data (ISO 639-1,
    None: unknown), with what to use instead.
    """
    found = language_advice(experiment, language)
    return [f"{found[0]}. {found[1]}"] if found is not None else []


def language_advice(experiment: Experiment, language: str | None) -> tuple[str, str] | None:
    """Return what the local model lacks of `language` and what to use instead, None if it lacks nothing."""
    if experiment.target.provider != "local" or language is None:
        return None
    model = find_model(experiment.target.model)
    if model is None or model.speaks(language):
        return None
    spoken = LANGUAGE_NAMES.get(language, language)
    message = f"{model.title} knows almost no {spoken}: it learns phrases from the data, not the language"
    better = _better(experiment, language)
    if better:
        targets = " or ".join(f"`--target {target}`" for target in better)
        return message, f"Better: {targets}.{_terms(experiment, better)}"
    other = _catalogued(language)
    if other is None:
        return message, (
            "No built-in model knows it better: use a target with another provider, or a model of the "
            "Hugging Face hub (`model: owner/name`)."
        )
    return message, (
        f"{other} knows it: add `{other}: {{provider: local, model: {other}}}` to `targets`, read and accept "
        f"its terms with `ftrun models --accept {other}`, then use `--target {other}`."
    )


def _better(experiment: Experiment, language: str) -> list[str]:
    """Return the file's targets whose model knows the language; a rehearsal knows none."""
    return [
        target.name
        for target in experiment.targets
        if target.provider != "local"
        or ((found := find_model(target.model)) and found.languages and found.speaks(language))
    ]


def _terms(experiment: Experiment, names: list[str]) -> str:
    """Return the sentence about terms that must be accepted first, if any of the targets has such a model."""
    for target in experiment.targets:
        model = find_model(target.model) if target.provider == "local" else None
        if target.name in names and model is not None and not is_accepted(model):
            return f" First read and accept the terms: `ftrun models --accept {model.name}`."
    return ""


def _catalogued(language: str) -> str | None:
    """Return the built-in model that was made for the language, if there is one."""
    return next((one.name for one in CATALOGUE if one.languages and one.speaks(language)), None)
