"""What answers cost: in the ledger before they are asked for and after, and held to the budgets between."""

from __future__ import annotations

import dataclasses
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

from ftrun.cost import prices
from ftrun.experiment.target import Target
from ftrun.paid.budgets import check_next, run_limits
from ftrun.paid.history import archive_of, models_of_others
from ftrun.paid.spending import announce, ledger_of, outgrown, settle, usage_usd
from ftrun.state.ledger import STOPPED, Charge, read_ledgers, unfinished_answers
from ftrun.targets import Reply
from ftrun.workflow.context import Context


class AnswerCosts:
    """The costs of `missing` answers, for the time in which they are asked for."""

    def __init__(self, context: Context, missing: int) -> None:
        self._context, self.missing, self.answered = context, missing, 0
        self._effect, self._announced = str(uuid.uuid4()), context.approval.estimate.get("eval_usd")
        self._limits = run_limits(context) if missing else []  # before the estimate is in the ledger
        self._usage: Counter[tuple[str, str]] = Counter()  # tokens, by model and kind

    def __enter__(self) -> AnswerCosts:
        if self.missing:
            announce(self._context, "answers", self._effect, self._announced)
        return self

    def before(self, model: str, messages: Sequence[Mapping[str, Any]]) -> None:
        """Return if one more question fits the budgets; DecisionError otherwise."""
        if not self._limits:
            return
        experiment = self._context.experiment
        longest = experiment.evaluation.sampling.get("max_tokens")
        check_next(
            self._limits,
            usage_usd(self._context, self._usage),
            prices.request_usd(priced_as(self._context, model), messages, longest),
            rate=experiment.budget.yen_per_usd,
            done=f"{self.answered} of {self.missing} answers came",
            way="`eval.sampling.max_tokens` and fewer `eval.prompts` make it cheaper.",
        )

    def count(self, model: str, messages: Sequence[Mapping[str, Any]], said: Reply) -> dict[str, int]:
        """Return the tokens that an answer is billed for, counted at once: what follows may fail."""
        usage = prices.billed_tokens(priced_as(self._context, model), messages, said.text, said.usage)
        self._usage.update({(model, kind): number for kind, number in usage.items()})
        return usage

    def after(self) -> None:
        """Note that one more answer is kept."""
        self.answered += 1
        usd = usage_usd(self._context, self._usage)
        outgrown(self._context, "answers", self._effect, self._announced, usd)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        tokens, usd = self._usage.total(), usage_usd(self._context, self._usage)
        self._context.spent += usd or 0.0
        if tokens:
            what = STOPPED if kind else None
            charge = Charge("answers", self._effect, "actual", usd=usd, tokens=tokens, what=what)
            settle(self._context, charge)
        elif self.missing and (kind or not self.answered):
            settle(self._context, Charge("answers", self._effect, "void", usd=0.0))


def priced_as(context: Context, model: str) -> Target:
    """Return the target with the model that is asked, whose price holds."""
    return dataclasses.replace(context.experiment.target, model=model)


def unfinished_usd(context: Context) -> float:
    """Return what evaluations of this model that did not finish have paid, whatever they asked."""
    if not context.experiment.evaluation.asks:
        return 0.0
    from ftrun.evaluation.cache import AnswerCache

    known, most = unfinished_answers(read_ledgers([ledger_of(context).path]))
    if not most:
        return 0.0
    others = models_of_others(context)
    usage: Counter[tuple[str, str]] = Counter()
    for record in AnswerCache(context.folder, archive_of(context)).records.values():
        if record.model in others:
            continue
        target = priced_as(context, record.model)
        billed = prices.billed_tokens(target, record.messages, record.answer, record.usage)
        usage.update({(record.model, kind): number for kind, number in billed.items()})
    kept = min(most, usage_usd(context, usage) or 0.0)
    return kept if others else max(kept, known)  # of several models, the ledger doesn't say whose it was
