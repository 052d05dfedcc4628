"""A target: its dataclasses, and how a validated entry of `targets` becomes one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from ftrun.experiment import providers
from ftrun.experiment.nodes import one_spelling

UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US$ per million tokens."""

    train: float
    input: float
    output: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UploadSettings:
    """How files are uploaded, in bytes: larger ones than `multipart_above` go in parts of `part_bytes`."""

    multipart_above: int = 512_000_000
    part_bytes: int = 64_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """How a tuned model is deployed. Without `subscription` it is one that the user created."""

    name: str | None = None
    subscription: str | None = None
    resource_group: str | None = None
    account: str | None = None
    sku: str = "developertier"
    capacity: int = 1
    keep: bool = False
    usd_per_hour: float | None = None
    management_url: str = "https://management.azure.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A named provider and model. `api_key_env` names a variable, never holds a key.

    `base_url` and `api_key_env` are the service's own where the file has none (None: OpenAI's),
    `capabilities` are all of them, `local` has none.
    `concurrency` is how many questions are asked at one time at most (None: what the service takes).
    """

    name: str
    provider: str
    model: str
    base_url: str | None = None
    api_key_env: str | None = None
    organization: str | None = None
    project: str | None = None
    endpoint: str | None = None
    region: str | None = None
    auth: Literal["key", "entra"] = "key"
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    capabilities: Mapping[str, str] = field(default_factory=dict)
    deployment: Deployment | None = None
    price: Price | None = None
    upload: UploadSettings = UploadSettings()
    settle: float = 60.0  # seconds
    poll: tuple[float, float] = (1.0, 30.0)  # seconds: first and longest pause
    accept_license: bool = False
    concurrency: int | None = None

    @property
    def rehearses(self) -> bool:
        """Return whether nothing is trained there: the engine's `rehearsal` only goes through the motions."""
        return (self.provider, self.model) == ("local", "rehearsal")


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
        concurrency=None if raw.get("concurrency") is None else int(raw["concurrency"]),
    )


def _service(provider: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return address, key's variable and capabilities; OpenAI's own address and variable stay None."""
    if provider == "local":
        return {}
    own = None if provider == "openai" else providers.service(provider)["api_key_env"]
    return {
        "base_url": providers.base_url(provider, raw),
        "api_key_env": raw.get("api_key_env", own),
        "capabilities": providers.capabilities(provider, raw.get("capabilities", {})),
    }


def _deployment(raw: Mapping[str, Any] | None) -> Deployment | None:
    if raw is None:
        return None
    return Deployment(**{**raw, "capacity": int(raw.get("capacity", 1))})


def seconds(value: Any, default: float) -> float:
    """Return a duration (number of seconds, or text such as 15m) in seconds; ValueError if it is not one."""
    if value is None:
        return default
    if not isinstance(value, str):
        return float(value)
    unit = value[-2:] if value.endswith("ms") else value[-1:]
    if unit not in UNITS:
        raise ValueError(value)
    return float(value[: -len(unit)]) * UNITS[unit]
