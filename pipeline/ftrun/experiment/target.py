"""Turning one validated target into its dataclass: defaults of its service, durations in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftrun.experiment import services
from ftrun.experiment.numbers import one_spelling
from ftrun.experiment.target_model import Deployment, Price, Target, UploadSettings

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def target_of(name: str, raw: Mapping[str, Any]) -> Target:
    """Return the target called `name`."""
    poll = raw.get("poll", {})
    shortest = seconds(poll.get("min"), 1.0)
    provider = raw["provider"]
    return Target(
        name=name,
        provider=provider,
        model=raw["model"],
        **_service(provider, raw),
        organization=raw.get("organization"),
        project=raw.get("project"),
        endpoint=raw.get("endpoint"),
        region=raw.get("region"),
        auth=raw.get("auth", "key"),
        extra_body=one_spelling(raw.get("extra_body", {})),
        hyperparameters=one_spelling(raw.get("hyperparameters", {})),
        headers=raw.get("headers", {}),
        deployment=_deployment(raw.get("deployment")),
        price=Price(**{key: float(value) for key, value in raw["price"].items()}) if "price" in raw else None,
        upload=UploadSettings(**{key: int(value) for key, value in raw.get("upload", {}).items()}),
        settle=seconds(raw.get("settle"), 60.0),
        poll=(shortest, seconds(poll.get("max"), max(30.0, shortest))),
        accept_license=raw.get("accept_license", False),
    )


def _service(provider: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return address, key's variable and capabilities; OpenAI's own address and variable stay None."""
    if provider == "local":
        return {}
    own = None if provider == "openai" else services.service(provider)["api_key_env"]
    return {
        "base_url": services.base_url(provider, raw),
        "api_key_env": raw.get("api_key_env", own),
        "capabilities": services.capabilities(provider, raw.get("capabilities", {})),
    }


def _deployment(raw: Mapping[str, Any] | None) -> Deployment | None:
    if raw is None:
        return None
    return Deployment(**{**raw, "capacity": int(raw.get("capacity", 1))})


def seconds(value: Any, default: float) -> float:
    """Return a duration (number of seconds, or text such as 15m) in seconds; ValueError if it is none."""
    if value is None:
        return default
    if not isinstance(value, str):
        return float(value)
    unit = value[-2:] if value.endswith("ms") else value[-1:]
    if unit not in UNITS:
        raise ValueError(value)
    return float(value[: -len(unit)]) * UNITS[unit]
