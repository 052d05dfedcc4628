"""The table of services that speak the protocol: addresses, key variables, differences.

The table is data (providers.json); docs/targets.md shows it, and a target's `capabilities` override it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("providers.json")


@cache
def table() -> dict[str, Any]:
    """Return `protocol`, the capabilities with their values (the usual one first), `own_keys`, the variables
    that belong to one service with its hosts (`*` is one label), and `services`.
    """
    read: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return read


def service(provider: str) -> Mapping[str, Any]:
    """Return the entry of a provider other than `local`."""
    entry: Mapping[str, Any] = table()["services"][provider]
    return entry


def own_hosts(variable: str) -> list[str] | None:
    """Return the hosts that may get the value of this variable if it is the key of one service, else None."""
    hosts: list[str] | None = table()["own_keys"].get(variable)
    return hosts


def capabilities(provider: str, given: Mapping[str, str]) -> dict[str, str]:
    """Return every capability of a service: `given` overrides its own, which override the protocol's."""
    usual = {name: about["values"][0] for name, about in table()["protocol"].items()}
    return {**usual, **service(provider).get("capabilities", {}), **given}


def base_url(provider: str, raw: Mapping[str, Any]) -> str | None:
    """Return the address of a target's service; None is OpenAI's own."""
    given: str | None = raw.get("base_url")
    if given is not None or provider == "openai":
        return given
    if provider == "azure":
        endpoint = str(raw["endpoint"]).rstrip("/")
        return endpoint if endpoint.endswith("/openai/v1") else f"{endpoint}/openai/v1"
    pattern: str = service(provider)["base_url"]
    return pattern.format(region=raw.get("region"))
