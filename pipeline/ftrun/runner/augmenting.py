"""One call of `ftrun augment`: consent, the ledger, asking for what is missing, proposing the answers."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

from ftrun.augment.asking import AugmentAnswers, keep_all, unanswered
from ftrun.augment.entries import ReviewEntry
from ftrun.augment.proposals import proposals
from ftrun.augment.requests import AskedModel, Request, requests, seeds_needed
from ftrun.augment.review_file import ReviewFile
from ftrun.augment.row_texts import row_texts_of
from ftrun.augment.seeds import training_seeds
from ftrun.concurrency import concurrently
from ftrun.cost import prices
from ftrun.cost.consent import consent
from ftrun.cost.prices import price_requests
from ftrun.errors import UsageError
from ftrun.paid.budgets import Limit, check_next, check_spent, month_limits
from ftrun.paid.spending import announce, ledger_of, outgrown, settle
from ftrun.runner.apply import context_of
from ftrun.runner.session import Session
from ftrun.state.ignore import write_gitignore
from ftrun.state.ledger import Charge, Standing, known_usd, read_ledgers
from ftrun.state.locks import held
from ftrun.targets import Reply, agree
from ftrun.targets.refusals import explained, remarks


class Augmentation:
    """Ask a model for more training data. `session` has the rows, `other` the target that is asked.

    `note` gets what the user should know, `tell` the number of each request and their sum.
    """

    def __init__(
        self,
        session: Session,
        other: Session,
        who: AskedModel,
        review: ReviewFile,
        *,
        note: Callable[[str], None],
        tell: Callable[[int, int], None],
    ) -> None:
        self._experiment, self._other, self._who, self._review = session.experiment, other, who, review
        self._priced = replace(other.experiment.target, model=who.model)  # who is asked is paid
        self._note, self._tell, self._noted = note, tell, set[str]()
        self._row_texts = row_texts_of(session.experiment)
        wanted = seeds_needed(session.experiment.data.augment)
        seeds, self._questions = training_seeds(session.experiment, self._row_texts, wanted)
        if not seeds:
            hint = "Rows must have a question and an answer as text."
            raise UsageError("no row of the training split can be rephrased", code="no_seeds", hint=hint)
        self._requests: list[Request] = requests(session.experiment, self._row_texts, seeds, who)
        self._context = context_of(other, lambda kind, **data: note(str(data.get("text"))))

    def run(self, *, yes: bool, ask: Callable[[str], bool] | None) -> dict[str, Any]:
        """Ask for what is missing, propose the answers, and return the facts; no answer that came is lost.

        DecisionError where nobody agreed to the cost.
        """
        local = (self._who.target,) if self._context.local else ()
        write_gitignore(self._other.folder.parent.parent, local)
        what = "another `ftrun augment` is asking this target"
        with held(self._other.folder / "augment.lock", what=what, wait=False):
            kept = AugmentAnswers(self._other.folder)
            missing = unanswered(self._requests, kept, self._review.entries())
            costs = self._estimate(missing, kept.spent)
            before = kept.spent
            try:
                if missing:
                    limits = self._limits(kept)
                    with self._other.named():
                        agree(self._other.experiment, yes=yes, ask=ask, here=self._budgeted())
                    self._authorize(costs, limits, yes, ask)
                    self._ask(missing, kept, costs, limits)
            finally:
                added, left_out = self._propose(kept)
            if missing:
                rate, done = self._experiment.budget.yen_per_usd, "every request is answered"
                check_spent(limits, kept.spent - before, rate=rate, done=done)
        return {
            "kind": self._experiment.data.augment.kind,
            "model": self._who.model,
            "asked": len(missing),
            "cached": len(self._requests) - len(missing),
            "proposed": len(added),
            "left_out": dict(left_out),
            "estimate": costs,
            "usd": None if costs["usd"] is None else round(kept.spent - before, 6),
        }

    def _estimate(self, missing: Sequence[Request], spent: float) -> dict[str, Any]:
        """Return what asking what is missing costs at most, next to what was spent before, as JSON values."""
        limits = (request.sampling.get("max_tokens") for request in missing)
        return {
            **price_requests(self._priced, [request.messages for request in missing], limits),
            "spent_usd": round(spent, 6),
            "yen_per_usd": self._experiment.budget.yen_per_usd,
        }

    def _budgeted(self) -> bool:
        """Return whether a budget allows spending unattended."""
        experiment = self._experiment
        return experiment.data.augment.max_usd is not None or experiment.budget.usd is not None

    def _limits(self, kept: AugmentAnswers) -> list[Limit]:
        """Return the budgets that apply. Answers of earlier calls count, also if only the ledger knows them,
        as in a clone of an earlier version's project.
        """
        most, budget = self._experiment.data.augment.max_usd, self._experiment.budget.usd
        if self._context.local:
            return []
        limits = month_limits(self._context)
        if most is None and budget is None:
            return limits
        paid = known_usd(read_ledgers([ledger_of(self._context).path]), "augment")
        lost = max(0.0, round(paid - kept.spent, 6))
        if most is not None:
            limits.insert(0, Limit(key="data.augment.max_usd", usd=most, before=kept.spent + lost))
        elif budget is not None:
            spent = kept.spent_on(request.key for request in self._requests)
            limits.insert(0, Limit(key="budget.usd", usd=budget, before=spent + lost))
        return limits

    def _authorize(
        self,
        costs: Mapping[str, Any],
        limits: Sequence[Limit],
        yes: bool,
        ask: Callable[[str], bool] | None,
    ) -> None:
        if self._context.local:
            return
        own = next((one for one in limits if one.code == "over_budget"), None)
        hint = f"Lower `data.augment.max_rows`, or raise `{own.key}`: earlier calls count too." if own else ""
        consent(
            costs,
            target=self._who.target,
            budget=own.usd if own else None,
            spent=own.before if own else 0.0,
            yes=yes,
            ask=ask,
            over_budget_hint=hint,
        )

    def _ask(
        self,
        missing: Sequence[Request],
        kept: AugmentAnswers,
        costs: Mapping[str, Any],
        limits: Sequence[Limit],
    ) -> None:
        before, effect, of = kept.spent, str(uuid.uuid4()), len(missing)

        def within_budget() -> Iterator[Request]:
            for number, request in enumerate(missing, 1):
                outgrown(self._context, "augment", effect, costs["usd"], kept.spent - before)
                self._hold(limits, kept.spent - before, request, f"{number - 1} of {of} answers arrived")
                self._tell(number, of)
                yield request

        with self._in_the_ledger(effect, kept, costs["usd"]):
            try:
                keep_all(self._replies(within_budget(), of), kept, self._priced)
            finally:
                self._context.close()

    def _replies(self, asked: Iterable[Request], of: int) -> Iterator[tuple[Request, Reply]]:
        """Ask, and yield the replies as they come; how the model had to be asked is reported once."""
        service, model = self._context.service(), self._who.model

        def ask(request: Request) -> Reply:
            with explained(self._experiment, "data.augment"):
                return service.chat(model, request.messages, request.sampling)

        what = partial(self._context.awaited_answers, service)
        for request, said in concurrently(ask, asked, at_once=service.at_once, what=what, of=of):
            changes = dict(service.changes.get(model, {}))
            for note in remarks(model, said, changes, "data.augment", request.sampling):
                if note not in self._noted:
                    self._note(f"warning: {note}")
                    self._noted.add(note)
            yield request, said

    def _hold(self, limits: Sequence[Limit], paid: float, request: Request, done: str) -> None:
        """Stop before a request that would exceed a budget."""
        if limits:
            check_next(
                limits,
                paid,
                prices.request_usd(self._priced, request.messages, request.sampling.get("max_tokens")),
                rate=self._experiment.budget.yen_per_usd,
                done=done,
                way="`data.augment.sampling.max_tokens` and fewer `max_rows` make it cheaper.",
            )

    @contextmanager
    def _in_the_ledger(self, effect: str, kept: AugmentAnswers, usd: float | None) -> Iterator[None]:
        """Write into the ledger what may be paid, and afterwards what was."""
        before = dict(kept.answers)
        announce(self._context, "augment", effect, usd)
        try:
            yield
        finally:
            fresh = [one for key, one in kept.answers.items() if key not in before]
            costs = [one.usd for one in fresh]
            paid = None if None in costs else sum(one or 0.0 for one in costs)
            tokens = sum(sum(one.usage.values()) for one in fresh)
            standing: Standing = "actual" if fresh else "void"
            settle(self._context, Charge("augment", effect, standing, usd=paid, tokens=tokens or None))

    def _propose(self, kept: AugmentAnswers) -> tuple[Sequence[ReviewEntry], Counter[str]]:
        found, left_out = proposals(
            self._requests,
            kept.answers,
            row_texts=self._row_texts,
            kind=self._experiment.data.augment.kind,
            who=self._who,
            questions=self._questions,
            reviewed=self._review.entries(),
        )
        return self._review.add(found), left_out
