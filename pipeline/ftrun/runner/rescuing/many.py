"""Several rescues: all are priced, one question agrees to all of them, and what fails stops no other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ftrun.cost.amounts import money
from ftrun.cost.consent import consent
from ftrun.errors import DecisionError, FtrunError
from ftrun.runner.rescuing.questions import RescueOptions
from ftrun.runner.rescuing.rescue import Asked, OneRescue, Rescued
from ftrun.runner.session import Session
from ftrun.workflow.context import Emit, RunSettings


def rescue_all(
    sessions: Sequence[Session], settings: RunSettings, options: RescueOptions, emit: Emit
) -> list[Rescued]:
    """Record the answers of every experiment's tuned model and base; each result has what ended it early."""
    rescues = [OneRescue(session, settings, options, emit) for session in sessions]
    try:
        for rescue in rescues:
            _price(rescue, emit)
        _agree([one for one in rescues if one.result.error is None], settings, emit)
        for rescue in rescues:
            if rescue.result.error is None:
                _ask(rescue, emit, named=len(rescues) > 1)
    except KeyboardInterrupt as error:
        for rescue in rescues:
            if rescue.result.error is None and rescue.result.recorded is None:
                rescue.result.error = error
    return [rescue.result for rescue in rescues]


def _price(rescue: OneRescue, emit: Emit) -> None:
    try:
        rescue.price()
    except FtrunError as error:
        rescue.result.error = error
        return
    asked = rescue.result.asked
    assert asked is not None
    for note in asked.notes:
        emit("note", text=f"{_name(rescue)}: {note}")
    emit("note", text=f"{_name(rescue)}: {asked_words(asked, _rate(rescue))}")


def _name(rescue: OneRescue) -> str:
    experiment = rescue.session.experiment
    return f"{experiment.name} on {experiment.target.name}"


def _rate(rescue: OneRescue) -> float | None:
    return rescue.session.experiment.budget.yen_per_usd


def asked_words(asked: Asked, rate: float | None) -> str:
    """Return in words how many answers are missing, and what they cost."""
    if not asked.missing:
        return f"all of {asked.total:,} answers are kept; nothing is asked"
    read, written = asked.tokens
    many = f"{asked.missing:,} of {asked.total:,} answers will be requested"
    tokens = f"{read:,} tokens read, at most {written:,} written"
    if not asked.paid:
        return f"{many}: {tokens}, free on this machine"
    if asked.usd is None:
        return f"{many}: {tokens}, price unknown ({asked.estimate.get('unknown')})"
    return f"{many}: {tokens}, at most {money(asked.usd, rate)}"


def _agree(rescues: Sequence[OneRescue], settings: RunSettings, emit: Emit) -> None:
    """Ask once for the consent to all that costs money and has no budget; without it none of these is asked."""
    paid = [one for one in rescues if one.result.asked is not None and one.result.asked.paid]
    total = _total([one.result.asked for one in paid])
    if len(paid) > 1 and total["usd"] is not None:
        emit("note", text=f"together at most {money(total['usd'], _rate(paid[0]))}")
    open_ones = [one for one in paid if one.session.experiment.budget.usd is None]
    if not open_ones:
        return
    wanted = {**_total([one.result.asked for one in open_ones]), "yen_per_usd": _rate(open_ones[0])}
    targets = ", ".join(dict.fromkeys(one.session.experiment.target.name for one in open_ones))
    try:
        consent(wanted, target=targets, budget=None, yes=settings.yes, ask=settings.ask)
    except DecisionError as error:
        for one in open_ones:
            one.result.error = error


def _total(asked: Sequence[Asked | None]) -> dict[str, Any]:
    """Return the US$ of all together and, where one is unknown, why."""
    costs = [one.usd for one in asked if one is not None]
    unknown = next(
        (one.estimate.get("unknown") for one in asked if one is not None and one.usd is None), None
    )
    return {"usd": None if None in costs else sum(one or 0.0 for one in costs), "unknown": unknown}


def _ask(rescue: OneRescue, emit: Emit, *, named: bool) -> None:
    asked = rescue.result.asked
    if named and asked is not None and asked.missing:
        emit("note", text=f"{_name(rescue)}: asking")
    try:
        rescue.ask()
    except FtrunError as error:
        rescue.result.error = error
    except KeyboardInterrupt as error:
        rescue.result.error = error
        raise
