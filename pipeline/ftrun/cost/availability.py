"""What a date makes of a target: models that close, jobs that are no longer taken, prices grown old.

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
from ftrun.data.diagnostics.codes import CODES
from ftrun.errors import Problem
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of
from ftrun.experiment.target import Target

TABLE = Path(__file__).with_name("availability.json")
SOON = 90  # days: warn from then on
OLD = 120  # days after which prices may well have changed


def today() -> date:
    """Return the date here."""
    return date.today()


def target_problems(experiment: Experiment, day: date | None = None) -> Iterator[Problem]:
    """Yield warnings about the experiment's target as of `day` (left out: today)."""
    target = experiment.target
    if not at_openai(target):
        return
    now = day or today()
    where = place_of(experiment, "targets", target.name, "model")
    for code, message in (*_closing(target, now), *_old_prices(target, now)):
        yield Problem(message, code=code, hint=CODES[code].fix, **where)


def _closing(target: Target, now: date) -> Iterator[tuple[str, str]]:
    table = _table()
    known = f"as known on {table['date']}"
    named = table["shutdown"].get(family(target.model))
    days = (date.fromisoformat(named) - now).days if named else SOON + 1
    if days <= 0:
        yield "model_shutdown", f"{target.model} was shut down on {named}, with its fine-tunes ({known})"
        return
    if days <= SOON:
        words = f"{target.model} is shut down on {named}, in {_days(days)}, with its fine-tunes ({known})"
        yield "model_shutdown", words
    left = (date.fromisoformat(table["jobs_until"]) - now).days
    if left <= 0:
        words = f"OpenAI takes no new fine-tuning jobs since {table['jobs_until']} ({known})"
        yield "jobs_closed", words
    elif left <= SOON:
        words = f"OpenAI takes no new fine-tuning jobs from {table['jobs_until']}, in {_days(left)} ({known})"
        yield "jobs_closed", words


def _old_prices(target: Target, now: date) -> Iterator[tuple[str, str]]:
    table = price_table()
    age = (now - date.fromisoformat(table["date"])).days
    if age > OLD and target.price is None and price_of(target) is not None:
        yield "old_prices", f"the price of {target.model} is known as of {table['date']}, {_days(age)} ago"


def _days(number: int) -> str:
    return f"{number} day{'' if number == 1 else 's'}"


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = json.loads(TABLE.read_text("utf-8"))
    return table
