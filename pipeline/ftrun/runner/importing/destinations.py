"""Where a model could be trained again, and at which price."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ftrun.cost.availability import existing_customers_note, is_known, service_of
from ftrun.cost.models import base_model
from ftrun.cost.price_table import price_of, unknown_price
from ftrun.experiment import providers
from ftrun.experiment.target import Target
from ftrun.targets import Job

MILLION = 1_000_000
HERE = Target(name="local", provider="local", model="smollm2-135m-instruct")
ONLY_REINFORCEMENT = "bedrock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a model could be trained again: `usd` None: the price is unknown, which `note` explains. `model`
    None: that service has no model of the same name.
    """

    target: str
    provider: str
    model: str | None = None
    usd: float | None = None
    note: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return it as in `import --list --json`."""
        return {name: getattr(self, name) for name in ("target", "provider", "model", "usd", "note")}


def total_of(places: Sequence[Destination]) -> Destination:
    priced = [one.usd for one in places if one.usd is not None]
    missing = len(places) - len(priced)
    first = places[0]
    note = f"{missing} without a price" if missing and priced else first.note if missing else None
    usd = round(sum(priced), 2) if priced else None
    return Destination(target=first.target, provider=first.provider, usd=usd, note=note)


def destinations(
    job: Job, target: Target, tokens: int | None, places: Sequence[Target]
) -> Iterator[Destination]:
    """Yield where a job could be done again."""
    if places:
        yield from (_priced(place, tokens) for place in places)
        return
    yield _priced(HERE, tokens)
    for name, entry in providers.table()["services"].items():
        if name in ("openai", service_of(target), target.provider):
            continue
        if name == ONLY_REINFORCEMENT and job.method != "reinforcement":
            continue
        model = base_model(job.model)
        there = Target(name=name, provider=name, model=model)
        same = model if is_known(there) else None
        if name == "azure" and same is None:
            continue
        note = existing_customers_note(there) or f"the prices of {entry['title']} are not known here"
        yield Destination(target=name, provider=name, model=same, note=note)


def _priced(place: Target, tokens: int | None) -> Destination:
    price, note = price_of(place), unknown_price(place)
    if place.provider == "local":
        usd, note = 0.0, "free, on this machine"
    elif price is None or tokens is None:
        usd, note = None, note or "the number of trained tokens is unknown"
    else:
        usd = round(tokens * price.train / MILLION, 4)
        note = existing_customers_note(place)
    return Destination(target=place.name, provider=place.provider, model=place.model, usd=usd, note=note)


def elsewhere(targets: Iterable[Target], source: Target) -> list[Target]:
    """Return the targets that are not at the server where the models are."""
    where = (source.provider, source.base_url, source.endpoint)
    return [
        one for one in targets if (one.provider, one.base_url, one.endpoint) != where and not one.rehearses
    ]
