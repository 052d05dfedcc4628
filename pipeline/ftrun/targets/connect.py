"""Connect to an experiment's target, and identify it for the state."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ftrun.errors import DecisionError, UsageError
from ftrun.experiment.model import Experiment
from ftrun.experiment.target import Target
from ftrun.targets.addresses import OPENAI, origin_of, server_of
from ftrun.targets.credentials import key_for, permit
from ftrun.targets.service import Service

Announce = Callable[[str], None]
IGNORED = {  # what the SDK would read from the environment, and what counts instead
    "OPENAI_BASE_URL": "the experiment file says which service is paid (targets.T.base_url)",
    "OPENAI_CUSTOM_HEADERS": "the experiment file says what is sent (targets.T.headers)",
}


def is_local(target: Target) -> bool:
    """Return whether the target is the engine on this machine, where nothing costs money."""
    return target.provider == "local"


def takes_tools(target: Target) -> bool:
    """Return whether questions to a target's models may have tools, as far as that is known before asking."""
    if target.provider != "local":
        return target.capabilities.get("tools") != "missing"
    from ftrun.engine.models.catalogue import find_model

    model = find_model(target.model)
    return model is None or model.tools  # that of a folder or of the hub says so when it is asked


def identity_of(target: Target) -> dict[str, Any]:
    """Return which server would be called and which account would pay, as the state keeps it.

    For `local` that is the store's UUID (None if there is no store yet), never a port.
    """
    if is_local(target):
        from ftrun.engine.places import engine_home, store_id

        return {"provider": "local", "store": store_id(engine_home())}
    return {
        "provider": target.provider,
        "origin": origin_of(target.base_url or OPENAI),
        "organization": target.organization or os.environ.get("OPENAI_ORG_ID") or None,
        "project": target.project or os.environ.get("OPENAI_PROJECT_ID") or None,
    }


def address_of(target: Target) -> str:
    """Return the address of a remote target for messages, without credentials or query."""
    return origin_of(target.base_url or OPENAI)


def same_account(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Return whether two identities are the same, however each spells the server's address."""
    return _spelled_alike(one) == _spelled_alike(other)


def _spelled_alike(identity: Mapping[str, Any]) -> dict[str, Any]:
    origin = identity.get("origin")
    return {**identity, "origin": server_of(origin) if isinstance(origin, str) else origin}


def connect(experiment: Experiment, announce: Announce) -> Service:
    """Connect to the experiment's target, and start the engine if the target needs it."""
    target = experiment.target
    if is_local(target):
        from ftrun.targets.local import connect_local

        return connect_local(experiment, announce)
    return _connect_remote(experiment, announce)


def reachable(experiment: Experiment, why: Announce = lambda _text: None) -> Service | None:
    """Connect to the target if that is possible without starting anything, else return None. `why` gets the
    reason if the user can do something about it.
    """
    if is_local(experiment.target):
        from ftrun.targets.local import running_service

        return running_service()
    try:
        return _connect_remote(experiment, lambda _text: None)
    except (
        UsageError,
        DecisionError,
    ) as error:  # no key, none that may be sent there, or a bad proxy or certificate file
        why(f"{error}. {error.problem.hint}")
        return None


def _connect_remote(experiment: Experiment, announce: Announce) -> Service:
    from ftrun.targets.api import ApiService

    target, project = experiment.target, experiment.project

    for variable, instead in IGNORED.items():
        if os.environ.get(variable):
            announce(f"{variable} is ignored: {instead}.")
    identity, base_url = identity_of(target), target.base_url or OPENAI
    return ApiService(
        base_url=base_url,
        key=_key(target, base_url, project),
        organization=identity["organization"],
        project=identity["project"],
        headers={
            name: _header(value, target.name, base_url, project) for name, value in target.headers.items()
        },
        capabilities=target.capabilities,
    )


def _key(target: Target, url: str, project: Path) -> str | Callable[[], str]:
    if target.auth == "entra":
        from ftrun.targets.azure import INFERENCE, token_for

        permit(INFERENCE[0], url)
        return token_for(target.name, *INFERENCE)
    return key_for(url, target.api_key_env or "OPENAI_API_KEY", target.name, project)


def _header(value: str, target: str, url: str, project: Path) -> str:
    """Return a header's value; `env:NAME` stands for the value of that variable."""
    if not value.startswith("env:"):
        return value
    return key_for(url, value.removeprefix("env:"), target, project)
