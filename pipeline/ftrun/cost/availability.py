"""Until when a model can be trained and the models tuned from it answer: by a dated table, availability.json,
or by the server's own word, which wins.

The dates are data and change no result, so nothing here enters a fingerprint or the prepared files. A page
that says "not before" is not taken for one that names the day.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from ftrun.cost.models import base_model, family
from ftrun.cost.price_table import at_openai
from ftrun.experiment import providers
from ftrun.experiment.target import Target

TABLE = Path(__file__).with_name("availability.json")
OTHER_CLOUDS = (".azure.us", ".azure.cn")  # Azure's for governments and China: the page is not about them
# what the table can't know, by service
UNKNOWN = {
    "openai": "The table can't say whether an account may still train at OpenAI: organizations that never "
    "fine-tuned, or haven't used a tuned model for 60 days, are refused already.",
    "azure": "The table can't say whether a resource may still train at Azure, which new customers can't "
    "since October 2026, nor what a newer version of the page says.",
}


def today() -> date:
    """Return today's date here."""
    return date.today()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEnds:
    """What a server says of a model: when its training ends, when it stops answering, and whether that
    includes the models tuned from it.
    """

    training: date | None = None
    answers: date | None = None
    with_tuned: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The day from which something is over. `not_before`: the source only says that it isn't before then;
    `words`: the source, as it is shown.
    """

    day: date
    source: Literal["server", "table"]
    words: str
    not_before: bool = False

    def days(self, now: date) -> int:
        """Return the days that are left, 0 or less if it is over."""
        return (self.day - now).days


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """When training of `model` ends and when it and what was tuned from it stop answering; None: unknown.

    `base` is the model that it was tuned from, or itself. `service`: the title of the service that ends all
    training, not only that of this model.
    """

    model: str
    base: str
    training: End | None = None
    answers: End | None = None
    service: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the model and its dates, as in `--json`."""
        return {"model": self.model, **self.dates()}

    def dates(self) -> dict[str, Any]:
        """Return the dates with their sources, as in `--json`."""
        return {
            "ends": _day(self.answers),
            "ends_source": self.answers and self.answers.source,
            "ends_not_before": bool(self.answers and self.answers.not_before),
            "training_ends": _day(self.training),
            "training_ends_source": self.training and self.training.source,
            "training_ends_not_before": bool(self.training and self.training.not_before),
        }


def _day(end: End | None) -> str | None:
    return None if end is None else end.day.isoformat()


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return table


def service_of(target: Target) -> str | None:
    """Return whose dates hold for a target, a key of the table; None: nobody's that are known here."""
    if at_openai(target):
        return "openai"
    host = urlsplit(target.base_url or "").hostname or ""
    own = providers.own_hosts("AZURE_OPENAI_API_KEY") or ()
    azure = target.provider == "azure" or any(fnmatch(host, pattern) for pattern in own)
    return "azure" if azure and not host.endswith(OTHER_CLOUDS) else None


def title_of(target: Target) -> str:
    """Return the name of a target's service as it is shown."""
    service = service_of(target)
    return _table()[service]["title"] if service else (urlsplit(target.base_url or "").hostname or "local")


def table_words(service: str) -> str:
    """Return where the table's dates of a service are from."""
    entry = _table()[service]
    publisher, published = entry["publisher"], entry["published"]
    return f"source: {publisher}'s page of {published}"


def ends_of(
    target: Target, server: ServerEnds | None = None, *, model: str | None = None, base: str | None = None
) -> Ends:
    """Return when `model` (default: the target's) ends there: as the server told, else as the table says.

    `base`: the model that it was tuned from, where its name doesn't say it.
    """
    name = model or target.model
    root = base_model(base or name)
    known = _by_table(service_of(target), name, root)
    if server is None:
        return known
    answers = server.answers if server.with_tuned or root != name else None
    return replace(
        known,
        training=_by_server(server.training) or known.training,
        answers=_by_server(answers) or known.answers,
        service=None if server.training else known.service,
    )


def _by_server(day: date | None) -> End | None:
    return None if day is None else End(day=day, source="server", words="source: the server")


def _by_table(service: str | None, model: str, base: str) -> Ends:
    if service is None:
        return Ends(model=model, base=base)
    entry, words = _table()[service], table_words(service)
    found = entry["models"].get(family(base), {})

    def end(text: str | None) -> End | None:
        if text is None:
            return None
        day = date.fromisoformat(text)
        return End(day=day, source="table", words=words, not_before=entry["not_before"])

    return Ends(
        model=model,
        base=base,
        training=end(found.get("training") or entry.get("training")),
        answers=end(found.get("answers")),
        service=None if "training" in found or "training" not in entry else entry["title"],
    )


def is_known(target: Target) -> bool:
    """Return whether the table has the target's model at its service, and not only the service."""
    service = service_of(target)
    return service is not None and family(target.model) in _table()[service]["models"]


def existing_customers_note(target: Target) -> str | None:
    """Return what to know before training at a service that takes no new customers, None elsewhere."""
    service = service_of(target)
    if service is None or "new_customers" not in _table()[service] or not is_known(target):
        return None
    title, words = _table()[service]["title"], table_words(service)
    return (
        f"{title} lets only customers who have trained there before train {target.model} ({words}); if it "
        "refuses, nothing is created or paid"
    )
