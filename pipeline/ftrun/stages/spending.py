"""Owns how stages tell the ledger what they are about to pay, and what it was: nothing for a local target.

The monthly budget is held here once more, under a lock that all targets of the experiment share: between the
plan and the deed another run may have spent what was left.
"""

from __future__ import annotations

from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from ftrun import data
from ftrun.errors import DecisionError
from ftrun.experiment.model import Experiment
from ftrun.money import money
from ftrun.stages.context import Context
from ftrun.state.ledger import NAME, Kind, Ledger, Spent, Standing, read_ledgers, spent, this_month
from ftrun.state.locks import held


def ledger_of(context: Context) -> Ledger:
    """Return the ledger of this experiment on this target."""
    experiment = context.experiment
    return Ledger(context.folder, experiment=experiment.name, target=experiment.target.name)


def spent_this_month(context: Context) -> Spent:
    """Return what the experiment has cost this month, on all its targets."""
    ledgers = sorted(context.folder.parent.glob(f"*/{NAME}"))
    return spent(read_ledgers(ledgers), this_month())


def announce(context: Context, kind: Kind, effect: str, usd: float | None) -> None:
    """Write what is about to be paid at most; DecisionError if the month's budget has not that much left."""
    if context.local:
        return
    with _alone(context.folder.parent):
        _fetch(context.experiment, context.folder.parent)
        check_month(context, usd)
        ledger_of(context).note(kind, effect, "estimated", usd=usd)
        context.store.hand_in_ledger()


def bring_ledgers(experiment: Experiment, folder: Path) -> None:
    """Bring what other machines have paid into the ledgers here; `folder` holds those of all its targets."""
    if experiment.state is not None:
        with _alone(folder):
            _fetch(experiment, folder)


def _alone(folder: Path) -> AbstractContextManager[None]:
    """Hold the lock of the experiment's ledgers."""
    return held(folder / "ledger.lock", what="another run writes the ledger", wait=True)


def _fetch(experiment: Experiment, folder: Path) -> None:
    if experiment.state is None:
        return
    from ftrun.state.remote import store_at

    for target in experiment.targets:
        if target.provider != "local":
            store_at(experiment.state, folder / target.name, experiment.name, target.name).fetch_ledger()


def check_month(context: Context, usd: float | None) -> None:
    """Raise DecisionError if `usd` more would exceed `budget.usd_per_month`, or nobody can tell."""
    limit, rate = context.experiment.budget.usd_per_month, context.experiment.budget.yen_per_usd
    if limit is None or usd == 0:
        return
    month = spent_this_month(context)
    if usd is None or month.unknown:
        raise DecisionError(
            "the month's budget can't be kept: no price is known for this run or an earlier one",
            code="unknown_price",
            hint="Give `price: {train: …, input: …, output: …}` (US$ per million tokens) in the target.",
        )
    if month.usd + usd > limit:
        raise DecisionError(
            f"{context.experiment.name} has cost {money(month.usd, rate)} this month; about "
            f"{money(usd, rate)} more would exceed {money(limit, rate)}; this was not paid for",
            code="over_month",
            hint="Raise `budget.usd_per_month`, or wait for the next month (UTC). `ftrun ledger` lists it.",
        )


def settle(
    context: Context,
    kind: Kind,
    effect: str,
    standing: Standing,
    *,
    usd: float | None,
    tokens: int | None = None,
    what: str | None = None,
    at: datetime | None = None,
) -> None:
    """Write what became of an effect; `at` is when it happened, unless that is now."""
    if context.local:
        return
    with _alone(context.folder.parent):
        ledger_of(context).note(kind, effect, standing, usd=usd, tokens=tokens, what=what, at=at)
        context.store.hand_in_ledger()


def train_usd(context: Context, tokens: int | None) -> float | None:
    """Return what training on so many tokens cost; None where tokens or price are unknown."""
    return None if tokens is None else data.train_usd(context.experiment, tokens)


def answers_usd(context: Context) -> float | None:
    """Return what the questions of this run cost by the tokens that came back."""
    return usage_usd(context, context.usage)


def usage_usd(context: Context, usage: Counter[tuple[str, str]]) -> float | None:
    """Return what so many tokens cost, by model and kind; None: unknown price."""
    costs = []
    for model in {model for model, _ in usage}:
        asked = replace(context.experiment.target, model=model)
        told, said = (usage[model, kind] for kind in ("prompt_tokens", "completion_tokens"))
        costs.append(data.answers_usd(asked, told, said))
    return None if None in costs else sum(cost or 0.0 for cost in costs)
