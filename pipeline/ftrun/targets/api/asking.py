"""Owns the body of the request for a job: the protocol's, less what a service is known not to take.

Makes no call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftrun.targets.service import JobRequest


def create_arguments(request: JobRequest, capabilities: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of the SDK's `create`; `capabilities` are the service's."""

    def sent(name: str) -> bool:
        return capabilities.get(name, "sent") == "sent"

    optional = {
        "validation_file": request.validation_file,
        "seed": request.seed if sent("seed") else None,
        "suffix": request.suffix if sent("suffix") else None,
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
