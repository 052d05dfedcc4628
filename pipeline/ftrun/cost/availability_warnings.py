"""What to say of a target's model: it ends, can no longer be trained, or its known price is old."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from ftrun.cost import availability
from ftrun.cost.availability import End, Ends, ends_of
from ftrun.cost.price_table import at_openai, price_of, price_table
from ftrun.errors import Problem
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import place_of
from ftrun.experiment.target import Target

SOON = 90  # days before a date from which on to warn
OLD = 120  # days after which prices may have changed
SHUTDOWN, CLOSED = "model_shutdown", "jobs_closed"


def target_problems(
    experiment: Experiment, day: date | None = None, server: availability.ServerEnds | None = None
) -> Iterator[Problem]:
    """Yield warnings about the experiment's target as of `day` (default: today), without hints. `server`:
    what its server says of the model.
    """
    target, now = experiment.target, day or availability.today()
    where = place_of(experiment, "targets", target.name, "model")
    for code, message in (*warnings(ends_of(target, server), now), *_old_prices(target, now)):
        yield Problem(message, code=code, **where)


def warnings(ends: Ends, now: date, within: int = SOON) -> Iterator[tuple[str, str]]:
    """Yield code and message for what is over, or will be within so many days."""
    answers, training = ends.answers, ends.training
    if answers is not None and answers.days(now) <= within:
        yield SHUTDOWN, shutdown_message(ends, answers, now)
    gone = answers is not None and answers.days(now) <= 0
    if training is not None and training.days(now) <= within and not gone:
        yield CLOSED, training_message(ends, training, now)


def shutdown_message(ends: Ends, end: End, now: date) -> str:
    """Return that, or when, a model stops answering."""
    model, day, words, left = ends.model, end.day, end.words, _days(end.days(now))
    over = end.days(now) <= 0
    if ends.base != model:
        if end.not_before:
            return (
                f"the tuned model {model} may have been shut down since {day}, not before ({words})"
                if over
                else f"the tuned model {model} may be shut down from {day}, in {left}, not before ({words})"
            )
        return (
            f"the tuned model {model} was shut down on {day} ({words})"
            if over
            else f"the tuned model {model} will be shut down on {day}, in {left} ({words})"
        )
    if end.not_before:
        return (
            f"models tuned from {model} may have been shut down since {day}, not before ({words})"
            if over
            else f"models tuned from {model} may be shut down from {day} on, in {left}, not before ({words})"
        )
    return (
        f"{model} was shut down on {day}, with the models tuned from it ({words})"
        if over
        else f"{model} and the models tuned from it will be shut down on {day}, in {left} ({words})"
    )


def training_message(ends: Ends, end: End, now: date) -> str:
    """Return that, or when, a model can no longer be trained."""
    model, day, words, left = ends.base, end.day, end.words, _days(end.days(now))
    over, service = end.days(now) <= 0, ends.service
    if service is not None:
        return (
            f"{service} has taken no new fine-tuning jobs since {day} ({words})"
            if over
            else f"{service} takes no new fine-tuning jobs from {day} on, in {left} ({words})"
        )
    if end.not_before:
        return (
            f"training {model} may have ended since {day}, not before ({words})"
            if over
            else f"training {model} may end from {day} on, in {left}, not before ({words})"
        )
    return (
        f"training {model} ended on {day} ({words})"
        if over
        else f"training {model} ends on {day}, in {left} ({words})"
    )


def _old_prices(target: Target, now: date) -> Iterator[tuple[str, str]]:
    if not at_openai(target) or target.price is not None or price_of(target) is None:
        return
    model, priced = target.model, price_table()["date"]
    age = (now - date.fromisoformat(priced)).days
    if age > OLD:
        yield "old_prices", f"the known price of {model} is from {priced}, {_days(age)} ago"


def _days(days: int) -> str:
    """Return a number of days in words."""
    return f"{days} day{'' if days == 1 else 's'}"
