"""What today's date means for a target at OpenAI: models that shut down, jobs no longer taken, old prices.

The dates are data (availability.json, prices.json) and change no result, so nothing here enters a
fingerprint or the prepared files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from ftrun.cost.models import family
from ftrun.cost.prices import at_openai, price_of, price_table
from ftrun.errors import Problem
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of
from ftrun.experiment.target import Target

TABLE = Path(__file__).with_name("availability.json")
SOON = 90  # days before a date from which on to warn
OLD = 120  # days after which prices may have changed


def today() -> date:
    """Return today's date here."""
    return date.today()


def target_problems(experiment: Experiment, day: date | None = None) -> Iterator[Problem]:
    """Yield warnings about the experiment's target as of `day` (default: today), without hints."""
    target = experiment.target
    if not at_openai(target):
        return
    now = day or today()
    where = place_of(experiment, "targets", target.name, "model")
    for code, message in (*_closing(target, now), *_old_prices(target, now)):
        yield Problem(message, code=code, **where)


def _closing(target: Target, now: date) -> Iterator[tuple[str, str]]:
    table = _table()
    known = f"as known on {table['date']}"
    shutdown = table["shutdown"].get(family(target.model))
    days = (date.fromisoformat(shutdown) - now).days if shutdown else SOON + 1
    if days <= 0:
        yield "model_shutdown", f"{target.model} was shut down on {shutdown}, with its fine-tunes ({known})"
        return
    if days <= SOON:
        when = f"on {shutdown}, in {_days(days)}"
        yield "model_shutdown", f"{target.model} will be shut down {when}, with its fine-tunes ({known})"
    last = table["jobs_until"]
    left = (date.fromisoformat(last) - now).days
    if left <= 0:
        yield "jobs_closed", f"OpenAI has taken no new fine-tuning jobs since {last} ({known})"
    elif left <= SOON:
        yield "jobs_closed", f"OpenAI takes no new fine-tuning jobs from {last}, in {_days(left)} ({known})"


def _old_prices(target: Target, now: date) -> Iterator[tuple[str, str]]:
    known = price_table()["date"]
    age = (now - date.fromisoformat(known)).days
    if age > OLD and target.price is None and price_of(target) is not None:
        yield "old_prices", f"the known price of {target.model} is from {known}, {_days(age)} ago"


def _days(number: int) -> str:
    return f"{number} day{'' if number == 1 else 's'}"


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return table
