"""The dated table of prices, prices.json, and what a target costs by it or by its own `price`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ftrun.cost.models import family
from ftrun.experiment.target import Price, Target

TABLE = Path(__file__).with_name("prices.json")
OPENAI_HOSTS = frozenset(("api.openai.com", "eu.api.openai.com", "us.api.openai.com"))


@cache
def price_table() -> dict[str, Any]:
    """Return the table: `date`, `unit`, `source`, `models` and `train_hour`."""
    table: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return table


def at_openai(target: Target) -> bool:
    """Return whether the target is OpenAI itself, so that its prices and dates hold."""
    if target.provider != "openai":
        return False
    return target.base_url is None or urlsplit(target.base_url).hostname in OPENAI_HOSTS


def price_of(target: Target) -> Price | None:
    """Return the price per million tokens: 0 if local, the target's own, or the table's; None if unknown."""
    if target.provider == "local":
        return Price(train=0.0, input=0.0, output=0.0)
    if target.price is not None:
        return target.price
    if not at_openai(target):
        return None
    found = price_table()["models"].get(family(target.model))
    return None if found is None else Price(**found)


def unknown_price(target: Target) -> str | None:
    """Return why the target's price is unknown, None if it is known."""
    if price_of(target) is not None:
        return None
    if not at_openai(target):
        return "no price is known for this server"
    hour = price_table()["train_hour"].get(family(target.model))
    if hour is not None:
        return f"training {target.model} is billed by the hour (US${hour:g}), which can't be estimated"
    return f"no price is known for {target.model}"
