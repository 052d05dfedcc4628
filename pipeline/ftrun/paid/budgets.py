"""Budgets while money is being spent: work stops where the next request would exceed one. Whether it may
begin at all is checked by `cost.consent` and `spending.check_month`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ftrun.cost import prices
from ftrun.cost.amounts import money
from ftrun.cost.candidates import priced_candidate
from ftrun.cost.price_table import unknown_price
from ftrun.errors import DecisionError
from ftrun.paid.job_spec import spec_key
from ftrun.paid.spending import spent_this_month, train_usd
from ftrun.workflow.context import Context

if TYPE_CHECKING:
    from ftrun.evaluation.answers import Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """A budget: the `key` of the experiment file that sets it, its US$, and what of it was spent `before`."""

    key: str
    usd: float
    before: float
    code: str = "over_budget"

    def exceeded_by(self, usd: float) -> bool:
        """Return whether `usd` more is more than there is."""
        return round(self.before + usd, 6) > self.usd


def run_limits(context: Context) -> list[Limit]:
    """Return the budgets that a run must stay within."""
    return [*_own_limits(context), *month_limits(context)]


def _own_limits(context: Context) -> list[Limit]:
    """Return the run's own budget, if there is one; `context.spent` counts against it."""
    usd = context.experiment.budget.usd
    if context.free or usd is None:
        return []
    return [Limit(key="budget.usd", usd=usd, before=context.spent)]


def month_limits(context: Context) -> list[Limit]:
    """Return the month's budget, if there is one."""
    limit = context.experiment.budget.usd_per_month
    if context.free or limit is None:
        return []
    spent = spent_this_month(context).usd
    return [Limit(key="budget.usd_per_month", usd=limit, before=spent, code="over_month")]


def check_next(
    limits: Sequence[Limit],
    paid: float | None,
    more: float | None,
    *,
    rate: float | None,
    done: str,
    way: str,
) -> None:
    """Return if, with `paid` US$ spent, `more` may be spent too; DecisionError otherwise.

    `done` is a clause that says what has been done so far, `way` how to pay less.
    """
    for limit in limits:
        if paid is not None and more is not None and limit.exceeded_by(paid + more):
            raise DecisionError(
                f"{done}: {money(limit.before + paid, rate)} is spent, and the next answer, about "
                f"{money(more, rate)}, would exceed `{limit.key}` of {money(limit.usd, rate)}; what came is "
                "kept",
                code=limit.code,
                hint=f"Raise `{limit.key}` and run the same command again: it asks only for what is missing. "
                f"{way}",
            )


def check_spent(limits: Sequence[Limit], paid: float | None, *, rate: float | None, done: str) -> None:
    """Return if what was `paid` is within the budgets; DecisionError otherwise: nothing is left to stop."""
    for limit in limits:
        if paid is not None and limit.exceeded_by(paid):
            raise DecisionError(
                f"{done}, but {money(limit.before + paid, rate)} is spent, more than `{limit.key}` of "
                f"{money(limit.usd, rate)}: the server billed more than was estimated",
                code=limit.code,
                hint=f"Everything is kept, and running the same command again costs nothing. What costs more "
                f"than this needs a larger `{limit.key}`.",
            )


def job_usd(context: Context) -> float:
    """Return what the present configuration's job cost; 0 if it is not known or was paid for elsewhere."""
    job = context.state.jobs.get(spec_key(context))
    if job is None or not job.settled or job.intent is None or job.status == "failed":
        return 0.0
    return _training_usd(context, job.trained_tokens)


def _training_usd(context: Context, tokens: int | None) -> float:
    """Return what training cost; the estimate where the server doesn't say how many tokens it trained on."""
    if tokens is None:
        counted = {name: context.result("check").get(name, 0) for name in ("examples", "train_tokens")}
        return prices.price(context.experiment, **counted, evaluate=False)["train_usd"] or 0.0
    return train_usd(context, tokens) or 0.0


def count_job(context: Context, tokens: int | None) -> None:
    """Count what this run's job cost; warn where that alone is more than the run may cost."""
    budget = context.experiment.budget
    if budget.usd is None or context.free:
        return
    usd, rate = _training_usd(context, tokens), budget.yen_per_usd
    context.spent += usd
    if usd <= budget.usd:
        return
    context.emit(
        "warning",
        message=f"training cost {money(usd, rate)}, more than `budget.usd` of {money(budget.usd, rate)}: the "
        "server trained on more tokens than were estimated; nothing more is paid for",
    )


def check_stage(context: Context, name: str) -> None:
    """Return if the run has not spent its budget; DecisionError before a stage that costs money otherwise."""
    budget = context.experiment.budget
    if budget.usd is None or context.free or context.spent <= budget.usd:
        return
    raise DecisionError(
        f"this run has cost {money(context.spent, budget.yen_per_usd)}, more than `budget.usd` of "
        f"{money(budget.usd, budget.yen_per_usd)}; {name} was not begun, and what was paid for is kept",
        code="over_budget",
        hint="Raise `budget.usd` and run the same command again: it continues with what is missing.",
    )


def check_run(context: Context) -> None:
    """Return if a run that paid is within its budgets; DecisionError otherwise."""
    rate, done = context.experiment.budget.yen_per_usd, "the run is done"
    check_spent(month_limits(context), 0.0, rate=rate, done=done)  # the ledger has the answers already
    check_spent(_own_limits(context), 0.0, rate=rate, done=done)  # and so has `context.spent`


def estimate(
    context: Context,
    *,
    train: bool = False,
    evaluate: bool = False,
    requests: Sequence[Request] = (),
    deploy: bool = False,
    hourly: float | None = None,
) -> dict[str, Any] | None:
    """Return tokens and cost of what is still to be paid; None before the data are counted.

    `requests` are the answers that are missing. A deployment counts with `hourly` US$
    (None: unknown) for its first hour: questions rarely take longer, and each begun hour is paid.
    """
    trains = context.experiment.trains
    counted = context.result("check") if trains else {"examples": 0, "train_tokens": 0}
    if "train_tokens" not in counted:
        return None
    found = prices.price(
        context.experiment,
        examples=counted["examples"],
        train_tokens=counted["train_tokens"],
        train=train,
        evaluate=False,
    )
    if evaluate:
        found = _with_answers(context, found, requests)
    if not deploy:
        return found
    unknown = None if hourly is not None else "deployment.usd_per_hour is not given"
    return with_part(found, "deploy_usd", hourly, unknown)


def _with_answers(context: Context, found: dict[str, Any], requests: Sequence[Request]) -> dict[str, Any]:
    """Return an estimate with what the answers cost at most: each at the price of whoever is asked."""
    asked: dict[str, list[Request]] = {}
    for one in requests:
        asked.setdefault(one.candidate.name, []).append(one)
    costs, unknown = [], None
    for same in asked.values():
        who = same[0].candidate
        target = priced_candidate(context.experiment, who.name, who.model, who.target)
        unknown = unknown or unknown_price(target)
        chats = [(one.messages, one.tools) for one in same]
        costs.append(prices.requests_usd(target, chats, [one.sampling.get("max_tokens") for one in same]))
    usd = None if None in costs else round(sum(one or 0.0 for one in costs), 6)
    return with_part(found, "eval_usd", usd, unknown)


def with_part(found: dict[str, Any], name: str, more: float | None, unknown: str | None) -> dict[str, Any]:
    """Return an estimate with one more part; None: what it costs is unknown."""
    usd, rate = found["usd"], found["yen_per_usd"]
    total = None if more is None or usd is None else round(usd + more, 6)
    return {
        **found,
        name: more,
        "usd": total,
        "yen": None if total is None or rate is None else round(total * rate, 2),
        "unknown": found["unknown"] or unknown,
    }
