"""Owns turning one validated target into its dataclass: defaults of its service, durations in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftrun.experiment.model import Price, Target, UploadSettings

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def target_of(name: str, raw: Mapping[str, Any]) -> Target:
    """Return the target called `name`."""
    poll = raw.get("poll", {})
    shortest = seconds(poll.get("min"), 1.0)
    return Target(
        name=name,
        provider=raw["provider"],
        model=raw["model"],
        base_url=raw.get("base_url"),
        api_key_env=raw.get("api_key_env"),
        organization=raw.get("organization"),
        project=raw.get("project"),
        price=Price(**{key: float(value) for key, value in raw["price"].items()}) if "price" in raw else None,
        upload=UploadSettings(**{key: int(value) for key, value in raw.get("upload", {}).items()}),
        settle=seconds(raw.get("settle"), 60.0),
        poll=(shortest, seconds(poll.get("max"), max(30.0, shortest))),
        accept_license=raw.get("accept_license", False),
    )


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
