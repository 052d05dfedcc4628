"""The frozen dataclasses of a target: where an experiment runs, what that costs. No input or output."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


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
    """How a tuned model is deployed. Without `subscription` it is one that a person made."""

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
