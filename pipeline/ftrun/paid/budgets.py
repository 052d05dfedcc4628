"""Budgets while money is being spent: what came back counts, and where the next request would exceed a
budget the work stops. What may be begun at all is `runner.money`'s and `spending.check_month`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ftrun import data
from ftrun.cost.amounts import money
from ftrun.errors import DecisionError
from ftrun.experiment.target import Target
from ftrun.paid.job_spec import spec_key
from ftrun.paid.spending import answers_usd, spent_this_month, train_usd
from ftrun.workflow.context import Context


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
    """Return the budgets of a run; `context.spent` counts against its own."""
    return [*_own_limits(context), *month_limits(context)]


def _own_limits(context: Context) -> list[Limit]:
    """Return the run's own budget, if there is one."""
    usd = context.experiment.budget.usd
    if context.local or usd is None:
        return []
    return [Limit(key="budget.usd", usd=usd, before=context.spent)]


def month_limits(context: Context) -> list[Limit]:
    """Return the month's budget, if there is one."""
    limit = context.experiment.budget.usd_per_month
    if context.local or limit is None:
        return []
    spent = spent_this_month(context).usd
    return [Limit(key="budget.usd_per_month", usd=limit, before=spent, code="over_month")]


def hold(
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


def hold_after(limits: Sequence[Limit], paid: float | None, *, rate: float | None, done: str) -> None:
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


def hold_question(context: Context, asked: Target, messages: Sequence[Mapping[str, Any]], done: str) -> None:
    """Return if one more question to `asked` fits the budgets; DecisionError otherwise."""
    if not context.limits:
        return
    longest = context.experiment.evaluation.sampling.get("max_tokens")
    hold(
        context.limits,
        answers_usd(context),
        data.request_usd(asked, messages, longest),
        rate=context.experiment.budget.yen_per_usd,
        done=done,
        way="`eval.sampling.max_tokens` and fewer `eval.prompts` make it cheaper.",
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
        return data.price(context.experiment, **counted, evaluate=False)["train_usd"] or 0.0
    return train_usd(context, tokens) or 0.0


def count_job(context: Context, tokens: int | None) -> None:
    """Count what this run's job cost; warn where that alone is more than the run may cost."""
    budget = context.experiment.budget
    if budget.usd is None or context.local:
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


def hold_stage(context: Context, name: str) -> None:
    """Return if the run has not spent its budget; DecisionError before a stage that costs money otherwise."""
    budget = context.experiment.budget
    if budget.usd is None or context.local or context.spent <= budget.usd:
        return
    raise DecisionError(
        f"this run has cost {money(context.spent, budget.yen_per_usd)}, more than `budget.usd` of "
        f"{money(budget.usd, budget.yen_per_usd)}; {name} was not begun, and what was paid for is kept",
        code="over_budget",
        hint="Raise `budget.usd` and run the same command again: it continues with what is missing.",
    )


def hold_run(context: Context) -> None:
    """Return if a run that paid is within its budgets; DecisionError otherwise."""
    rate, done = context.experiment.budget.yen_per_usd, "the run is done"
    hold_after(month_limits(context), 0.0, rate=rate, done=done)  # the ledger has the answers already
    hold_after(_own_limits(context), answers_usd(context), rate=rate, done=done)
