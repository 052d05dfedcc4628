"""One rescue: what is missing and what it costs, then asking for it, and writing what was answered.

The tuned model is asked first. If it is gone nobody else is asked; if its base is gone or refuses, what the
tuned model said is recorded all the same.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ftrun.errors import FtrunError, UsageError, UserError
from ftrun.evaluation.answer_files import AnswerCache
from ftrun.evaluation.answers import Record, Request, collect
from ftrun.paid.asking.eval_inputs import STAGE
from ftrun.paid.asking.evaluating import know_stores
from ftrun.paid.asking.questionnaire import Questionnaire, questionnaire, tuned_model
from ftrun.paid.budgets import check_run
from ftrun.paid.history import archive_of
from ftrun.paid.job_spec import spec_key
from ftrun.paid.removed_models import removed_now
from ftrun.runner.apply import (
    Outcome,
    approve,
    check_targets,
    locked_context,
    run_offline_stages,
    run_stage,
    settle_identity,
)
from ftrun.runner.rescuing.asking import TunedAndBase, gone, tuned_of
from ftrun.runner.rescuing.pricing import RescueEstimate, around_asking, price
from ftrun.runner.rescuing.questions import Rescue, RescueOptions, rescue_of, tuned_spec
from ftrun.runner.rescuing.recording import RecordedFiles, Subject, key_of_name, record, recorded_answers
from ftrun.runner.session import Session
from ftrun.targets.connect import takes_tools
from ftrun.targets.pace import Paces
from ftrun.workflow.context import Context, Emit, RunSettings

CHEAPER = "Raise `budget.usd`, or ask less: --train-rows, --test-rows, --samples, --no-base."


@dataclass(slots=True, kw_only=True)
class Rescued:
    """The outcome of one rescue; `usd` None: unknown."""

    session: Session
    asked: RescueEstimate | None = None
    recorded: RecordedFiles | None = None
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
        self._asking = TunedAndBase()

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
            self.result.asked = price(context, rescue, asked)
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
            note = f"the data can't be prepared now ({error}): only rows that were prepared earlier are asked"
            context.emit("warning", message=note)

    def _refuse_removed(self, context: Context, missing: Sequence[Request]) -> None:
        removed = removed_now(context)
        if removed is not None and any(one.candidate.model == removed[0] for one in missing):
            raise gone(context, removed[0], None)

    def _approve(self, context: Context) -> None:
        asked = self.result.asked
        assert asked is not None
        if asked.paid:
            approve(context, asked.estimate, frozenset((STAGE,)), paid=True, over_budget_hint=CHEAPER)

    def _ask(self, context: Context) -> None:
        self._approve(context)
        before, outcome = context.spent, Outcome()
        try:
            for stage in around_asking(context, "before"):
                stage.before(context)
                run_stage(stage, context, outcome, None)
            self._asking.ask(context)
            for stage in around_asking(context, "after"):
                run_stage(stage, context, outcome, None)
        finally:
            for stage in around_asking(context, "before"):
                stage.after(context)
            asked = self.result.asked
            known = asked is None or asked.estimate.get("usd") is not None or not asked.paid
            self.result.usd = round(context.spent - before, 6) if known else None

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
        self.result.left_out, self.result.count = self._asking.left_out, self._asking.count
        self.result.without_base = self._asking.without_base


def _restore(context: Context) -> None:
    """Take answers that are recorded, and that the run's folder lacks, as a fresh clone's does, into its
    cache.
    """
    cache = AnswerCache(context.folder, archive_of(context))
    lost = {one.cache_key: one for one in recorded_answers(_subject(context))}
    lacking = [one for key, one in lost.items() if key not in cache.records]
    if lacking:
        cache.append(lacking)


def _subject(context: Context) -> Subject:
    """Return whose answers are recorded."""
    model, imported = tuned_of(context).model, context.experiment.imported
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
    note = f"questions with tools, not asked because models at this target don't support them: {number}"
    evaluation = dataclasses.replace(experiment.evaluation, prompts=kept)
    experiment = dataclasses.replace(experiment, evaluation=evaluation)
    return dataclasses.replace(rescue, experiment=experiment, notes=(*rescue.notes, note))


def _answered(asked: Questionnaire) -> list[tuple[Request, Record]]:
    """Return every request that is answered, with its record; asks nobody."""
    known = asked.known
    requests = [one for one in asked.requests if one.key in known]
    records = collect(asked.samples, requests, lambda _: iter(()), cached=known, on_answers=lambda _: None)
    return list(zip(requests, records, strict=True))


def _untrained(context: Context) -> UsageError:
    name, target = context.experiment.name, context.experiment.target.name
    return UsageError(
        f"{name} on {target} has no tuned model for the current data and settings, so there is nothing to "
        "rescue",
        code="no_model",
        hint="Was it trained on another target (--target), or were its data or settings changed since? "
        "To import a job that was made elsewhere: `ftrun import JOB_ID`.",
    )
