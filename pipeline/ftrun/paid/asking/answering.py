"""What answers cost: in the ledger before they are asked for and after, and held to the budgets between.

Many may be on their way at once. What each may cost is reserved before it is asked for, so that together they
don't exceed a budget; an answer that was lost counts as paid.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from threading import Condition
from types import TracebackType

from ftrun.concurrency import StoppedError
from ftrun.cost import prices
from ftrun.cost.candidates import priced_candidate
from ftrun.evaluation.answers import Record, Request
from ftrun.experiment.target import Target
from ftrun.paid.budgets import check_next, run_limits
from ftrun.paid.history import archive_of, models_of_others
from ftrun.paid.spending import announce, ledger_of, outgrown, settle
from ftrun.state.ledger import STOPPED, Charge, read_ledgers, unfinished_answers
from ftrun.targets import Reply
from ftrun.workflow.context import Context

AHEAD = 0.05  # by this share the ledger may be ahead of what was paid, while answers come


@dataclass(frozen=True, slots=True, kw_only=True)
class Reserved:
    """An answer on its way: who is paid, and how many US$ at most (None: unknown). `excess`: what it cost
    when it came, as a multiple of that.
    """

    target: Target
    usd: float | None
    excess: float = 1.0

    @property
    def payee(self) -> tuple[str, str]:
        """Return target and model."""
        return self.target.name, self.target.model


class AnswerCosts:
    """The costs of `missing` answers, for the time in which they are asked for. Any number of threads may use
    it; `answered` counts those that are kept, `lost` those that may have been billed for nothing.
    """

    def __init__(self, context: Context, missing: int) -> None:
        self._context, self.missing, self.answered = context, missing, 0
        self.lost, self.lost_usd = 0, 0.0
        self._effect, self._announced = str(uuid.uuid4()), context.approval.estimate.get("eval_usd")
        self._limits = run_limits(context) if missing else []  # before the estimate is in the ledger
        self._changed, self._stopped = Condition(), False
        self._written = self._seen = self._announced or 0.0  # US$
        self._came, self._tokens, self._usd, self._unknown = 0, 0, 0.0, False
        self._on_their_way: dict[int, Reserved] = {}  # by the id of the request
        self._asked: dict[int, tuple[Target, Request]] = {}  # those of them that nothing came of yet
        self._excess: dict[tuple[str, str], float] = {}  # by how much answers cost more than was reserved

    def __enter__(self) -> AnswerCosts:
        if self.missing:
            announce(self._context, "answers", self._effect, self._announced)
            prices.request_usd(self._context.experiment.target, (), None)  # loads the vocabulary, once
        return self

    @property
    def usd(self) -> float | None:
        """Return what was paid, or may have been; None if a price is unknown."""
        return None if self._unknown else self._usd + self.lost_usd

    def stop(self) -> None:
        """Reserve nothing more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def reserve(self, target: Target, request: Request) -> Reserved:
        """Reserve what the answer may cost, as soon as it fits the budgets next to those on their way;
        DecisionError if it doesn't fit them alone.
        """
        usd = self._most(target, request) if self._limits else None
        reserved = Reserved(target=target, usd=usd)
        with self._changed:
            while self._limits and self._on_their_way and not self._fits_beside(reserved):
                if self._stopped:
                    raise StoppedError
                self._changed.wait()
            self._check(reserved)
            self._on_their_way[id(request)] = reserved
            self._asked[id(request)] = target, request
        return reserved

    def _most(self, target: Target, request: Request) -> float | None:
        longest = request.sampling.get("max_tokens")
        return prices.request_usd(target, request.messages, longest, request.tools)

    def _fits_beside(self, reserved: Reserved) -> bool:
        """Return whether an answer fits the budgets next to those that are on their way. The first one of
        each model is asked for alone: nobody knows yet whether the server keeps to the length asked for.
        """
        known = {one.payee for one in (reserved, *self._on_their_way.values())} <= self._excess.keys()
        paid = self.usd
        if not known or paid is None:
            return known
        together = (reserved, *self._on_their_way.values())
        most = paid + sum((one.usd or 0.0) * self._excess[one.payee] for one in together)
        return not any(limit.exceeded_by(most) for limit in self._limits)

    def _check(self, reserved: Reserved) -> None:
        if self._on_their_way or not self._limits:  # checked above
            return
        check_next(
            self._limits,
            self.usd,
            reserved.usd,
            rate=self._context.experiment.budget.yen_per_usd,
            done=f"{self._came} of {self.missing} answer{'' if self.missing == 1 else 's'} arrived",
            way="`eval.sampling.max_tokens` and fewer `eval.prompts` make it cheaper.",
        )

    def give_back(self, reserved: Reserved, request: Request, *, lost: bool) -> None:
        """Note that no answer came; where it was `lost` the server may bill it."""
        usd = (self._most(reserved.target, request) or 0.0) if lost else 0.0
        with self._changed:
            if self._asked.pop(id(request), None) is None:
                return  # abandoned, and counted
            self.lost, self.lost_usd = self.lost + lost, self.lost_usd + usd
            self._settled(request)

    def abandon(self) -> tuple[int, float]:
        """Count the answers that are still on their way as lost, as nobody waits for them any longer: the
        server may bill them. Return how many they are, and the US$.
        """
        with self._changed:
            asked = list(self._asked.values())
            self._asked.clear()
            usd = sum(self._most(target, request) or 0.0 for target, request in asked)
            self.lost, self.lost_usd = self.lost + len(asked), self.lost_usd + usd
        return len(asked), usd

    def count(self, reserved: Reserved, request: Request, said: Reply) -> dict[str, int]:
        """Return the tokens that an answer is billed for, counted at once: what follows may fail."""
        usage = prices.billed_tokens(
            reserved.target, request.messages, said.text, said.usage, request.tools, said.tool_calls
        )
        usd = prices.tokens_usd(reserved.target, usage["prompt_tokens"], usage["completion_tokens"])
        with self._changed:
            if self._asked.pop(id(request), None) is None:
                return usage  # abandoned, and counted
            self._came, self._tokens = self._came + 1, self._tokens + sum(usage.values())
            self._unknown, self._usd = self._unknown or usd is None, self._usd + (usd or 0.0)
            excess = (usd or 0.0) / reserved.usd if reserved.usd else 1.0
            self._on_their_way[id(request)] = replace(reserved, usd=0.0, excess=max(1.0, excess))
        return usage

    def kept(self, request: Request) -> None:
        """Note that an answer is kept: no crash makes it unknown that it was paid for."""
        with self._changed:
            kept = self._on_their_way[id(request)]
            self._excess[kept.payee] = max(kept.excess, self._excess.get(kept.payee, 0.0))
            self._settled(request)

    def _settled(self, request: Request) -> None:
        del self._on_their_way[id(request)]
        self._changed.notify_all()

    def after(self, kept: int) -> None:
        """Note that so many more answers are kept."""
        self.answered += kept
        usd = self.usd
        if usd is None or usd <= self._written:
            return
        # ahead of many small amounts, so that the ledger isn't written for each
        small = usd - self._seen < usd * AHEAD
        self._seen, self._written = usd, usd * (1 + AHEAD) if small else usd
        outgrown(self._context, "answers", self._effect, self._announced, self._written)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        tokens, usd = self._tokens, self.usd
        self._context.spent += usd or 0.0
        if tokens or self.lost_usd:
            what = STOPPED if kind else None
            charge = Charge("answers", self._effect, "actual", usd=usd, tokens=tokens or None, what=what)
            settle(self._context, charge)
        elif self.missing and (kind or not self.answered):
            settle(self._context, Charge("answers", self._effect, "void", usd=0.0))


def unfinished_usd(context: Context) -> float:
    """Return what evaluations of this model that did not finish have paid, whatever they asked."""
    if not context.experiment.evaluation.asks:
        return 0.0
    from ftrun.evaluation.answer_files import AnswerCache

    known, most = unfinished_answers(read_ledgers([ledger_of(context).path]))
    if not most:
        return 0.0
    others = models_of_others(context)
    records = AnswerCache(context.folder, archive_of(context)).records.values()
    costs = [_record_usd(context, record) for record in records if record.model not in others]
    kept = min(most, 0.0 if None in costs else sum(one or 0.0 for one in costs))
    return kept if others else max(kept, known)  # of several models, the ledger doesn't say whose it was


def _record_usd(context: Context, record: Record) -> float | None:
    target = priced_candidate(context.experiment, record.candidate, record.model)
    billed = prices.billed_tokens(target, record.messages, record.answer, record.usage)
    return prices.tokens_usd(target, billed["prompt_tokens"], billed["completion_tokens"])
