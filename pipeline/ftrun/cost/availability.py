"""What today's date means for a target at OpenAI: models that shut down, jobs no longer taken, old prices.

The dates are data (availability.json, prices.json) and change no result, so nothing here enters a
fingerprint or the prepared files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from ftrun.cost.models import family
from ftrun.cost.price_table import at_openai, price_of, price_table
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
    if at_openai(experiment.target):
        where = place_of(experiment, "targets", experiment.target.name, "model")
        for code, message in _warnings(experiment.target, day or today()):
            yield Problem(message, code=code, **where)


def _warnings(target: Target, now: date) -> Iterator[tuple[str, str]]:
    table = json.loads(TABLE.read_text("utf-8"))
    model, known = target.model, f"as known on {table['date']}"
    shutdown, jobs_until = table["shutdown"].get(family(model)), table["jobs_until"]
    days = _days(now, shutdown) if shutdown else SOON + 1
    left = _days(now, jobs_until)
    if days <= 0:
        yield "model_shutdown", f"{model} was shut down on {shutdown}, with its fine-tunes ({known})"
    elif days <= SOON:
        when = f"on {shutdown}, in {_counted(days)}"
        yield "model_shutdown", f"{model} will be shut down {when}, with its fine-tunes ({known})"
    if days > 0 and left <= 0:
        yield "jobs_closed", f"OpenAI has taken no new fine-tuning jobs since {jobs_until} ({known})"
    elif days > 0 and left <= SOON:
        when = f"from {jobs_until}, in {_counted(left)}"
        yield "jobs_closed", f"OpenAI takes no new fine-tuning jobs {when} ({known})"
    priced = price_table()["date"]
    age = -_days(now, priced)
    if age > OLD and target.price is None and price_of(target) is not None:
        yield "old_prices", f"the known price of {model} is from {priced}, {_counted(age)} ago"


def _days(now: date, day: str) -> int:
    return (date.fromisoformat(day) - now).days


def _counted(days: int) -> str:
    return f"{days} day{'' if days == 1 else 's'}"
