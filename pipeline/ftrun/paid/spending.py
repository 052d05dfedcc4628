"""The ledger of a run: what is about to be paid is written before, and what it cost after. A local target
costs nothing.

The month's budget is checked here once more, under a lock that all targets of the experiment share: since the
plan another run may have spent what was left.
"""

from __future__ import annotations

import contextlib
import json
from contextlib import AbstractContextManager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from ftrun.cost import prices
from ftrun.cost.amounts import money
from ftrun.errors import DecisionError
from ftrun.experiment.model import Experiment
from ftrun.files import digest, write_atomic
from ftrun.state.ledger import (
    NAME,
    Charge,
    Kind,
    Ledger,
    Spent,
    effects,
    ledgers_of,
    read_ledgers,
    spent,
    this_month,
)
from ftrun.state.locks import held, user_file
from ftrun.workflow.context import Context

FIRST = datetime(2020, 1, 1, tzinfo=UTC).timestamp()  # a server's clock that shows less is wrong


def ledger_of(context: Context) -> Ledger:
    """Return the ledger of this experiment on this target."""
    experiment = context.experiment
    return Ledger(context.folder, experiment=experiment.name, target=experiment.target.name)


def spent_this_month(context: Context) -> Spent:
    """Return what the experiment has cost this month, on all its targets; DecisionError if a ledger is lost.

    What this user paid with other folders for runs counts too, and so do future dates: a clock may be wrong.
    """
    found = effects(read_ledgers((*ledgers_of(context.folder.parent), *_copies(context))))
    _refuse_unlisted(context, {one.effect for one in found})
    return spent(one for one in found if one.month >= this_month())


def _copies(context: Context) -> list[Path]:
    """Return the copies of the month's ledgers that this user's runs keep; none where there is no folder."""
    name = _copy_name(context)
    try:
        return sorted(user_file(name).parent.glob(f"{name}-*.jsonl"))
    except DecisionError:
        return []


def _copy_name(context: Context) -> str:
    project = str(context.experiment.project.resolve())
    return f"ledger-{digest({'experiment': context.experiment.name, 'project': project})[:32]}"


def _keep_copy(context: Context) -> None:
    """Copy this month's lines of the ledger to the folder of the user's locks, so that neither --runs-dir nor
    a deleted ledger makes the month cheaper. If the copy can't be written, the ledger itself is enough.
    """
    ledger = ledger_of(context).path
    with contextlib.suppress(OSError, DecisionError):
        copy = user_file(f"{_copy_name(context)}-{digest(str(ledger))[:8]}.jsonl")
        found = effects(read_ledgers((copy, ledger)))
        lines = [json.dumps(asdict(one), ensure_ascii=False) for one in found if one.month >= this_month()]
        write_atomic(copy, "".join(f"{line}\n" for line in lines), mode=0o600)


def _beyond(context: Context) -> str:
    """Return where the rest of what the month has cost is listed, for a sentence."""
    here = {one.effect for one in read_ledgers(ledgers_of(context.folder.parent))}
    more = [path for path in _copies(context) if any(one.effect not in here for one in read_ledgers([path]))]
    return "." if not more else f"; what it lacks here is in {', '.join(map(str, more))}."


def _refuse_unlisted(context: Context, listed: set[str]) -> None:
    """DecisionError where the state knows of a job that was paid for this month and no ledger does."""
    for job in context.state.jobs.values():
        noted = not job.adopted or (job.settled and job.trained_tokens is not None)
        if job.intent is None or job.intent in listed or not noted or _is_of_the_past(job.created_at):
            continue
        path = context.folder / NAME
        line = ledger_of(context).line(Charge("job", job.intent, "actual", usd=None, what=job.job_id))
        raise DecisionError(
            f"{path} lacks job {job.job_id}, which is in the state: what was spent this month is "
            "unknown; this was not paid for",
            code="ledger_missing",
            file=str(path),
            hint="Restore the ledger from git or a backup. If it is gone for good, add this line to it, "
            f"with the US$ that the job cost in place of null: {line}",
        )


def _is_of_the_past(created_at: int | None) -> bool:
    """Return whether a job was made before this month (UTC), by a clock of the server that can be right."""
    now = datetime.now(UTC)
    month = datetime(now.year, now.month, 1, tzinfo=UTC)
    return created_at is not None and FIRST <= created_at < month.timestamp()


def announce(context: Context, kind: Kind, effect: str, usd: float | None) -> None:
    """Write what is about to be paid at most; DecisionError if it exceeds the rest of the month's budget."""
    if context.free:
        return
    with _locked(context.folder.parent):
        _fetch(context.experiment, context.folder.parent)
        check_month(context, usd)
        _write(context, Charge(kind, effect, "estimated", usd=usd))


def outgrown(context: Context, kind: Kind, effect: str, announced: float | None, usd: float | None) -> None:
    """Write what came back so far where it is more than was `announced`: a run that is killed before it
    settles must not leave less in the ledger.
    """
    if usd is not None and usd > (announced or 0.0):
        settle(context, Charge(kind, effect, "estimated", usd=usd))


def fetch_ledgers(experiment: Experiment, folder: Path) -> None:
    """Fetch what other machines have paid into the ledgers here; `folder` holds those of all its targets."""
    if experiment.state is not None:
        with _locked(folder):
            _fetch(experiment, folder)


def _locked(folder: Path) -> AbstractContextManager[None]:
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
    """Raise DecisionError if `usd` more would exceed `budget.usd_per_month`, or that is unknown."""
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
            hint="Raise `budget.usd_per_month`, or wait for the next month (UTC). `ftrun ledger` lists it"
            + _beyond(context),
        )


def settle(context: Context, charge: Charge) -> None:
    """Write what an effect cost, as far as it is known."""
    if context.free:
        return
    with _locked(context.folder.parent):
        _write(context, charge)


def _write(context: Context, charge: Charge) -> None:
    ledger_of(context).note(charge)
    _keep_copy(context)
    context.store.share_ledger()


def train_usd(context: Context, tokens: int | None) -> float | None:
    """Return what training on so many tokens cost; None where tokens or price are unknown."""
    return None if tokens is None else prices.train_usd(context.experiment, tokens)
