"""The body of the request for a job: the protocol's, less what a service is known not to take.

Makes no call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ftrun.targets.service import JobRequest


def as_sent(request: JobRequest, capabilities: Mapping[str, str]) -> JobRequest:
    """Return the request without what the service takes none of: a job of ours there has another or none."""
    seed = None if capabilities.get("seed") == "left_out" else request.seed
    suffix = None if capabilities.get("suffix") == "left_out" else request.suffix
    return replace(request, seed=seed, suffix=suffix)


def create_arguments(request: JobRequest, capabilities: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of the SDK's `create`; `capabilities` are the service's."""

    def sent(name: str) -> bool:
        return capabilities.get(name, "sent") == "sent"

    request = as_sent(request, capabilities)
    optional = {
        "validation_file": request.validation_file,
        "seed": request.seed,
        "suffix": request.suffix,
        "metadata": dict(request.metadata) if sent("metadata") else None,
        "extra_body": dict(request.extra_body) or None,
    }
    return {
        "model": request.model,
        "training_file": request.training_file,
        **_method(request, _hyperparameters(request, sent("auto")), sent("method")),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _hyperparameters(request: JobRequest, auto: bool) -> dict[str, Any]:
    asked = request.hyperparameters.items()
    kept = {name: value for name, value in asked if auto or value != "auto"}
    return {**kept, **request.own_hyperparameters}


def _method(request: JobRequest, hyperparameters: Mapping[str, Any], newer: bool) -> dict[str, Any]:
    if not newer:
        return {"hyperparameters": dict(hyperparameters)}
    settings: dict[str, Any] = {"hyperparameters": dict(hyperparameters)}
    if request.grader is not None:
        settings["grader"] = dict(request.grader)
    return {"method": {"type": request.method, request.method: settings}}
