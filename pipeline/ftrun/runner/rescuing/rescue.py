"""One rescue: what is missing and what it costs, then asking for it, and writing what was answered.

The tuned model is asked first. If it is gone nobody else is asked; if its base is gone or refuses, what the
tuned model said is recorded all the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ftrun.cost.candidates import priced_candidate, target_named
from ftrun.cost.price_table import unknown_price
from ftrun.cost.prices import tokens_usd
from ftrun.cost.requests import LONGEST_ANSWER, request_tokens
from ftrun.errors import FtrunError, UsageError, UserError
from ftrun.evaluation.answer_files import AnswerCache
from ftrun.evaluation.answers import Candidate, Record, Request, collect
from ftrun.experiment.model import CandidateSpec
from ftrun.paid.asking.eval_inputs import STAGE
from ftrun.paid.asking.evaluating import answer, know_stores
from ftrun.paid.asking.questionnaire import Questionnaire, candidate_of, questionnaire, tuned_model
from ftrun.paid.budgets import check_run, estimate, with_part
from ftrun.paid.history import archive_of
from ftrun.paid.job_spec import spec_key
from ftrun.paid.removed_models import CODE, removed_now
from ftrun.runner.apply import (
    Outcome,
    approve,
    check_targets,
    locked_context,
    run_offline_stages,
    run_stage,
    settle_identity,
)
from ftrun.runner.plan import costs_money
from ftrun.runner.rescuing.questions import BASE, TUNED, Rescue, RescueOptions, rescue_of, tuned_spec
from ftrun.runner.rescuing.recording import Recorded, Subject, key_of_name, record, recorded_answers
from ftrun.runner.session import Session
from ftrun.stages import stages_of
from ftrun.targets import NotFoundError
from ftrun.targets.connect import takes_tools
from ftrun.targets.pace import Paces
from ftrun.targets.service import NOT_ALLOWED
from ftrun.workflow.context import Context, Emit, RunSettings
from ftrun.workflow.stage import Stage

CHEAPER = "Raise `budget.usd`, or ask less: --train-rows, --test-rows, --samples, --no-base."
MOST_REFUSED = 100  # questions that are left out, until it is no longer about single questions
TRIED = 3  # questions that a model may refuse before it has answered any
AT_FIRST = 40  # questions to the tuned model before the first one to its base
REFUSALS = ("refused", "not_found", "model_removed", "no_tools", *NOT_ALLOWED)  # what only the base may do


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a rescue would ask: how many answers there are in all, how many are missing, with how many tokens
    (read, and written at most), and the estimate of the cost. `paid`: somebody must agree.
    """

    total: int
    missing: int
    tokens: tuple[int, int]
    estimate: Mapping[str, Any]
    paid: bool
    notes: tuple[str, ...] = ()

    @property
    def usd(self) -> float | None:
        """Return what it costs at most; None if a price is unknown."""
        found: float | None = self.estimate.get("usd") if self.missing else 0.0
        return found


@dataclass(slots=True, kw_only=True)
class Rescued:
    """The outcome of one rescue; `usd` None: unknown."""

    session: Session
    asked: Asked | None = None
    recorded: Recorded | None = None
    count: int = 0
    usd: float | None = 0.0
    without_base: str | None = None
    left_out: tuple[str, ...] = ()
    error: BaseException | None = None
    ended: bool = False


class OneRescue:
    """The rescue of the tuned model of one experiment on one target."""

    def __init__(self, session: Session, settings: RunSettings, options: RescueOptions, emit: Emit) -> None:
        self.session, self.result = session, Rescued(session=session)
        self._settings, self._options, self._emit = settings, options, emit
        self._rescue: Rescue | None = None
        self._paces: Paces | None = None
        self._refused: dict[tuple[str, str], FtrunError] = {}  # by question and candidate

    def share(self, paces: Paces, emit: Emit) -> None:
        """Ask at the pace that others share, and report to `emit`."""
        self._paces, self._emit = paces, emit

    def price(self) -> None:
        """Find out what is missing and what it costs; refuse what can't be asked or exceeds the budget."""
        with self._context(self._settings) as context:
            rescue = self._prepared(context)
            asked = questionnaire(context)
            missing = asked.missing()
            if missing:
                self._refuse_removed(context, missing)
                check_targets(context)
                before = dict(context.state.identity)
                settle_identity(context)
                know_stores(context)
                if context.state.identity != before:  # by which answers are found again
                    asked = questionnaire(context)
                    missing = asked.missing()
            self.result.asked = self._asked(context, rescue, asked, missing)
            if missing:
                context.settings = dataclasses.replace(context.settings, yes=True)  # to the budgets
                self._approve(context)

    def ask(self) -> None:
        """Ask for what is missing, keep it, and write it down with what was answered before; a person or a
        budget has agreed. The error that ended it is raised after that.
        """
        settings = dataclasses.replace(self._settings, yes=True)
        asked = self.result.asked
        with self._context(settings) as context:
            rescue = self._rescue or self._prepared(context)
            context.experiment = rescue.experiment
            subject = _subject(context)
            error: BaseException | None = None
            try:
                if asked is None or asked.missing:
                    know_stores(context)
                    self._ask(context)
            except (FtrunError, KeyboardInterrupt) as one:
                error = one
            self._record(context, rescue, subject)
            self.result.ended = error is None
            if error is not None:
                raise error
            if context.spent and not context.free:
                check_run(context)

    @contextmanager
    def _context(self, settings: RunSettings) -> Iterator[Context]:
        with self.session.named(), locked_context(self.session, settings, self._told) as context:
            context.paces = self._paces
            yield context

    def _told(self, kind: str, **data: Any) -> None:
        """Report what is done; that there is nothing to prepare goes without saying."""
        if kind != "skipped":
            self._emit(kind, **data)

    def _prepared(self, context: Context) -> Rescue:
        """Aim the context at what is asked."""
        context.needs_files = True
        self._offline(context)
        spec = tuned_spec(context)
        if spec is None:
            raise _untrained(context)
        rescue = _askable(context, rescue_of(context, spec, self._options))
        context.experiment = rescue.experiment
        _restore(context)
        self._rescue = rescue
        return rescue

    def _offline(self, context: Context) -> None:
        """Prepare the rows; where that fails and the model's name is known anyway, continue without them."""
        before = dict(context.state.stages)
        try:
            run_offline_stages(self.session, context, Outcome())
        except UserError as error:
            context.state.stages = before
            if tuned_spec(context) is None:
                raise
            context.save()
            note = f"the data can't be prepared ({error}), so none of its rows is asked"
            context.emit("warning", message=note)

    def _refuse_removed(self, context: Context, missing: Sequence[Request]) -> None:
        removed = removed_now(context)
        if removed is not None and any(one.candidate.model == removed[0] for one in missing):
            raise _gone(context, removed[0], None)

    def _asked(
        self, context: Context, rescue: Rescue, asked: Questionnaire, missing: Sequence[Request]
    ) -> Asked:
        tokens, found = _cost(context, missing)
        providers = {target_named(context.experiment, one.candidate.target).provider for one in missing}
        return Asked(
            total=len(asked.all()),
            missing=len(missing),
            tokens=tokens,
            estimate=found,
            paid=bool(providers - {"local"}),
            notes=(*rescue.notes, *asked.notes),
        )

    def _approve(self, context: Context) -> None:
        asked = self.result.asked
        assert asked is not None
        if asked.paid:
            approve(context, asked.estimate, frozenset((STAGE,)), paid=True, over_budget_hint=CHEAPER)

    def _ask(self, context: Context) -> None:
        self._approve(context)
        before, outcome = context.spent, Outcome()
        try:
            for stage in _around(context, "before"):
                stage.before(context)
                run_stage(stage, context, outcome, None)
            self._ask_all(context)
            for stage in _around(context, "after"):
                run_stage(stage, context, outcome, None)
        finally:
            for stage in _around(context, "before"):
                stage.after(context)
            asked = self.result.asked
            known = asked is None or asked.estimate.get("usd") is not None or not asked.paid
            self.result.usd = round(context.spent - before, 6) if known else None

    def _ask_all(self, context: Context) -> None:
        """Ask the tuned model and its base at the same time, but nobody before the tuned model has answered
        once.

        A question that the server refuses is left out, and so is a base model that is gone or refuses
        everything.
        """
        while True:
            failed = list[tuple[Request, FtrunError]]()
            try:
                self._answer(context, failed)
                return
            except FtrunError as error:
                known = AnswerCache(context.folder, archive_of(context)).records.values()
                answering = {record.model for record in known}
                if not failed or not all(self._leave_out(context, *one, answering) for one in failed):
                    raise self._explained(context, error) from error

    def _leave_out(self, context: Context, request: Request, error: FtrunError, answering: set[str]) -> bool:
        """Return whether to continue without a question, or without the base model, after this error."""
        who = request.candidate
        refused = len([model for _, model in self._refused if model == who.name])
        if error.code not in REFUSALS or len(self._refused) >= MOST_REFUSED:
            return False
        one_question = who.model in answering or refused < TRIED
        if error.code == "refused" and one_question and not getattr(error, "parameter", None):
            self._refused[request.sample, who.name] = error
            context.emit("warning", message=f"{request.sample} is not asked of {who.name}: {error}")
            return True
        if who.name != BASE:
            return False
        if self.result.without_base is None:
            self.result.without_base = str(error)
            context.emit("warning", message=f"the base model is not asked: {error}")
        return True

    def _explained(self, context: Context, error: FtrunError) -> FtrunError:
        """Return an error, or the one for a tuned model that is gone."""
        if error.code == CODE or isinstance(error, NotFoundError):
            return _gone(context, _tuned(context).model, error)
        return error

    def _answer(self, context: Context, failed: list[tuple[Request, FtrunError]]) -> None:
        asked, tuned = questionnaire(context), _tuned(context)
        requests = [
            one
            for one in asked.requests
            if (one.sample, one.candidate.name) not in self._refused
            and not (self.result.without_base and one.candidate.name == BASE)
        ]
        asked = dataclasses.replace(asked, requests=_in_order(requests, tuned))
        missing, kept = asked.missing(), set(asked.known)
        if not missing:
            return
        try:
            answer(context, asked, leader=tuned, failed=lambda *one: failed.append(one))
        finally:
            self.result.count += len(asked.cache.records.keys() - kept)

    def _record(self, context: Context, rescue: Rescue, subject: Subject) -> None:
        asked = questionnaire(context)
        pairs = _answered(asked)
        self.result.recorded = record(
            subject,
            context.experiment.evaluation.prompts,
            rescue.origins,
            pairs,
            missing=len(asked.requests) - len(pairs),
        )
        self.result.left_out = tuple(dict.fromkeys(sample for sample, _ in self._refused))


def _restore(context: Context) -> None:
    """Take answers that are recorded, and that the run's folder lacks, as a fresh clone's does, into its
    cache.
    """
    cache = AnswerCache(context.folder, archive_of(context))
    lost = {one.cache_key: one for one in recorded_answers(_subject(context))}
    lacking = [one for key, one in lost.items() if key not in cache.records]
    if lacking:
        cache.append(lacking)


def _around(context: Context, when: str) -> list[Stage]:
    return [stage for stage in stages_of(context) if stage.around_asking == when]


def _spec(context: Context, name: str) -> CandidateSpec | None:
    return next((one for one in context.experiment.evaluation.candidates if one.name == name), None)


def _tuned(context: Context) -> Candidate:
    """Return the tuned model."""
    spec = _spec(context, TUNED)
    assert spec is not None
    return candidate_of(context, spec)


def _in_order(requests: Sequence[Request], tuned: Candidate) -> tuple[Request, ...]:
    """Return the requests with all questions to the tuned model first, but for one to the base: nothing is
    known of a model before it has answered, so one question goes alone, and the others need not wait for it.
    """
    first = [one for one in requests if one.candidate == tuned]
    others = [one for one in requests if one.candidate != tuned]
    early = min(len(first), AT_FIRST)
    return (*first[:early], *others[:1], *first[early:], *others[1:])


def _subject(context: Context) -> Subject:
    """Return whose answers are recorded."""
    model, imported = _tuned(context).model, context.experiment.imported
    trained = tuned_model(context) == model
    key = spec_key(context) if trained else None
    job = context.state.jobs.get(key) if key is not None else None
    job_id = job.job_id if job is not None else imported.job_id if imported is not None else None
    return Subject(
        experiment=context.experiment,
        model=model,
        key=key or key_of_name(model),
        facts={"spec_key": key, "job_id": job_id},
    )


def _askable(context: Context, rescue: Rescue) -> Rescue:
    """Leave out questions with tools where the target takes none."""
    experiment = rescue.experiment
    if takes_tools(experiment.target):
        return rescue
    prompts = experiment.evaluation.prompts
    kept = tuple(one for one in prompts if not one.tools)
    if len(kept) == len(prompts):
        return rescue
    number = len(prompts) - len(kept)
    note = f"questions with tools, which models at this target don't support and aren't asked: {number}"
    evaluation = dataclasses.replace(experiment.evaluation, prompts=kept)
    experiment = dataclasses.replace(experiment, evaluation=evaluation)
    return dataclasses.replace(rescue, experiment=experiment, notes=(*rescue.notes, note))


def _cost(context: Context, missing: Sequence[Request]) -> tuple[tuple[int, int], Mapping[str, Any]]:
    """Return how many tokens the missing answers need (read, and written at most), and the estimate of their
    cost, with a deployment if the tuned model needs one; nothing is trained.
    """
    asked: dict[str, list[Request]] = {}
    for one in missing:
        asked.setdefault(one.candidate.name, []).append(one)
    read, written, costs, unknown = 0, 0, list[float | None](), None
    for same in asked.values():
        who = same[0].candidate
        target = priced_candidate(context.experiment, who.name, who.model, who.target)
        tokens = sum(request_tokens(target, [(one.messages, one.tools) for one in same]))
        most = sum(one.sampling.get("max_tokens") or LONGEST_ANSWER for one in same)
        costs.append(tokens_usd(target, tokens, most))
        read, written, unknown = read + tokens, written + most, unknown or unknown_price(target)
    usd = None if None in costs else round(sum(one or 0.0 for one in costs), 6)
    return (read, written), with_part(_without_answers(context), "eval_usd", usd, unknown)


def _without_answers(context: Context) -> dict[str, Any]:
    more: dict[str, Any] = {}
    for stage in _around(context, "before"):
        decision = stage.decide(context, None)
        if costs_money(context, stage, decision):
            more |= stage.priced(context)
    untrained = dataclasses.replace(context.experiment, trains=False)
    return estimate(dataclasses.replace(context, experiment=untrained), **more) or {}


def _answered(asked: Questionnaire) -> list[tuple[Request, Record]]:
    """Return every request that is answered, with its record; asks nobody."""
    known = asked.known
    requests = [one for one in asked.requests if one.key in known]
    records = collect(asked.samples, requests, lambda _: iter(()), cached=known, on_answers=lambda _: None)
    return list(zip(requests, records, strict=True))


def _untrained(context: Context) -> UsageError:
    name, target = context.experiment.name, context.experiment.target.name
    return UsageError(
        f"{name} on {target} has no tuned model for the present data and settings, so there is nothing to "
        "rescue",
        code="no_model",
        hint="Is it trained on another target (--target), or were its data or settings changed since? "
        "To import a job that was made elsewhere: `ftrun import JOB_ID`.",
    )


def _gone(context: Context, model: str, error: FtrunError | None) -> FtrunError:
    where = context.experiment.target.name
    return FtrunError(
        f"the tuned model {model} no longer answers at target {where!r}; what was recorded before is kept",
        code="model_gone",
        hint=(error.problem.hint if error is not None and error.code != CODE else None)
        or "If it answers under another name, add it to `eval.models`: `{name: tuned, model: ID}`.",
    )
