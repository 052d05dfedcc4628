"""The run: plan, consent, then one stage after the other, each recorded the moment it is done."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ftrun.cost.consent import consent
from ftrun.errors import DecisionError, FtrunError, PendingError, UsageError
from ftrun.paid.deployments import count_hours, take_down_earlier, tell_what_stands
from ftrun.paid.history import evaluated, keep, tell_damaged
from ftrun.paid.job_spec import spec_key
from ftrun.runner.plan import FREE_FIRST, NEWS, Plan, is_done, make_plan
from ftrun.runner.session import Session
from ftrun.runner.validated import remember_valid
from ftrun.stages import STAGES, Context, deploy, evaluate, stages_of, wait
from ftrun.stages.train import blocked_error
from ftrun.state import StageRecord
from ftrun.state.ignore import write_gitignore
from ftrun.targets import Service, agree, identity_of, reachable
from ftrun.workflow.decision import Decision, Stage, fingerprint, shortened

PAYS_AGAIN = {"train": "create another job", "evaluate": "ask every question again"}  # what --force does


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How a run is to behave. `max_wait` in seconds; `ask` None: nobody can be asked."""

    yes: bool = False
    detach: bool = False
    until: str | None = None
    force: str | None = None
    confirm_not_created: bool = False
    max_wait: float | None = None
    wait_for_lock: bool = False
    ask: Callable[[str], bool] | None = None


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run did: per stage its action and seconds. `error` is what ended it early."""

    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    error: BaseException | None = None
    idle: bool = False


@contextmanager
def locked_context(session: Session, settings: Settings, emit: Any) -> Iterator[Context]:
    """Hold the run's lock, read the state anew under it, and yield the context of the stages."""
    with session.locked(wait=settings.wait_for_lock):
        session.reload()
        context = context_of(session, emit, settings)
        if session.store.lost is not None and not context.local:
            from ftrun.paid.peers import note_lost_jobs

            note_lost_jobs(context, session.store.lost)
        try:
            yield context
        finally:
            context.close()


def context_of(session: Session, emit: Any, settings: Settings) -> Context:
    """Return the context of a session's stages."""
    context = Context(
        experiment=session.experiment,
        folder=session.folder,
        state=session.state,
        store=session.store,
        emit=emit,
        force=settings.force,
        max_wait=settings.max_wait,
        confirmed_not_created=settings.confirm_not_created,
        wait_for_lock=settings.wait_for_lock,
        options=session.options,
    )
    context.asks = lambda: evaluate.asks_tuned(context)
    return context


def apply(session: Session, settings: Settings, emit: Any) -> Outcome:
    """Do what is to be done; the outcome holds the error that ended it, if one did."""
    outcome = Outcome()
    remember_valid(session.digest)
    if _nothing_to_do(session, settings, emit):
        outcome.idle = True
        stages = stages_of(context_of(session, emit, settings))
        outcome.stages = {stage.NAME: {"action": "skip", "seconds": 0.0} for stage in stages}
        return outcome
    emit("begin")
    try:
        with session.named(), locked_context(session, settings, emit) as context:
            _apply_locked(session, context, settings, outcome)
    except (FtrunError, KeyboardInterrupt) as error:
        outcome.error = error
        if isinstance(error, FtrunError) and settings.force in outcome.stages:
            _without_force(error, settings.force)
    return outcome


def _without_force(error: FtrunError, force: str) -> None:
    """Let the way on leave out a --force that was obeyed and would pay once more."""
    hint = error.problem.hint or ""
    if force in PAYS_AGAIN and "--force" not in hint:
        more = f"Leave out `--force {force}` then: it would {PAYS_AGAIN[force]}."
        error.problem.hint = f"{hint} {more}".strip()


def _nothing_to_do(session: Session, settings: Settings, emit: Any) -> bool:
    """Tell, without lock or network, whether every stage is done."""
    if settings.force or session.other_store or not session.store.exists():
        return False
    return is_done(context_of(session, emit, settings))


def _apply_locked(session: Session, context: Context, settings: Settings, outcome: Outcome) -> None:
    context.needs_files = True
    _check_names(context, settings)
    if not do_free_stages(session, context, settings, outcome):
        return
    plan = _plan_rest(context, session)
    context.emit("plan", plan=plan)
    for note in plan.notes[len(session.notes) :]:
        context.emit("note", text=note)
    count_hours(context)
    take_down_earlier(context, deploy.inputs(context))
    _refuse_blocked(plan, context)
    paid = plan.paid and not context.local
    if paid:  # a run with nothing to do pays nothing
        from ftrun.paid.spending import bring_ledgers, check_month

        bring_ledgers(context.experiment, context.folder.parent)
    context.spent = _spent_before(context) if paid else 0.0
    budget = context.experiment.budget.usd
    context.quote = plan.estimate or {}
    if plan.paid:
        consent(
            context.quote,
            target=plan.target,
            budget=budget,
            spent=context.spent,
            yes=settings.yes,
            ask=settings.ask,
        )
    if paid:
        check_month(context, context.quote.get("usd"))
    context.consented = plan.action("train") == "run"
    try:
        _apply_rest(context, plan, settings, outcome)
    finally:
        tell_what_stands(context)
    if (plan.paid or context.spent) and not context.local:
        from ftrun.paid.budgets import hold_run

        hold_run(context)


def _spent_before(context: Context) -> float:
    """Return the US$ that count against the run's budget before it begins: what this configuration's job and
    answers cost in earlier runs, as long as none of them got to the end.
    """
    if context.experiment.budget.usd is None:
        return 0.0
    from ftrun.paid.budgets import job_usd

    job = 0.0 if evaluated(context, spec_key(context)) is not None else job_usd(context)
    return job + evaluate.unfinished_usd(context)


def _apply_rest(context: Context, plan: Plan, settings: Settings, outcome: Outcome) -> None:
    for stage in stages_of(context)[len(FREE_FIRST) :]:
        if stage.NAME == "upload":
            _settle_identity(context)
        if stage.NAME == "wait" and settings.detach:
            _detach(context)
        remote = context.service() if plan.action(stage.NAME) in ("run", "adopt") else None
        step(stage, context, outcome, remote)
        if stage in (wait, evaluate):
            _keep(stage, context, outcome)
        if settings.until == stage.NAME:
            return


def _keep(stage: Stage, context: Context, outcome: Outcome) -> None:
    """Keep what a stage found; what a skipped one found once is put back first, where it is not here."""
    if outcome.stages[stage.NAME]["action"] == "skip":
        (wait if stage is wait else evaluate).restore(context)
    if stage is wait:  # before anything is asked
        tell_damaged(context)
    keep(context, answers=stage is evaluate)


def _check_names(context: Context, settings: Settings) -> None:
    """Refuse a stage that this target does not have: --until would never stop."""
    names = [stage.NAME for stage in stages_of(context)]
    for option, name in (("--until", settings.until), ("--force", settings.force)):
        if name is not None and name not in names:
            raise UsageError(
                f"{option} {name}: this target has no such stage",
                code="usage",
                hint=f"It has {', '.join(names)}.",
            )


def do_free_stages(session: Session, context: Context, settings: Settings, outcome: Outcome) -> bool:
    """Prepare and check what is local and costs nothing; tell whether there is something to do after that."""
    write_gitignore(session.folder.parent.parent, _local_folders(context))
    if settings.until not in FREE_FIRST:
        _check_key(context, settings)
    for stage in STAGES[: len(FREE_FIRST)]:
        step(stage, context, outcome, None)
        if settings.until == stage.NAME:
            return False
    return True


def _local_folders(context: Context) -> tuple[str, ...]:
    return (context.experiment.target.name,) if context.local else ()


def _check_key(context: Context, settings: Settings) -> None:
    """Refuse an unknown model, and a key that is missing, malformed or not agreed to be sent, before any work
    is done.
    """
    if context.local:
        from ftrun.targets.local import check_model

        check_model(context.experiment)
    else:
        budgeted = context.experiment.budget.usd is not None
        agree(context.experiment, yes=settings.yes, ask=settings.ask, here=budgeted)
        context.service()


def _plan_rest(context: Context, session: Session) -> Plan:
    remote = reachable(context.experiment)
    try:
        return make_plan(context, remote=remote, notes=tuple(session.notes))
    finally:
        if remote is not None:
            remote.close()


def _settle_identity(context: Context) -> None:
    """Write down which local store this is: before the first start of an engine there is none."""
    if context.local and context.state.identity.get("store") is None:
        context.service()
        context.state.identity = identity_of(context.experiment.target)
        context.save()


def _detach(context: Context) -> None:
    if wait.decide(context, None).action == "skip":
        return
    job = context.state.stages["train"].result["job_id"]
    raise PendingError(
        f"job {job} goes on without us", code="pending", hint="The same command goes on from here."
    )


def step(stage: Stage, context: Context, outcome: Outcome, remote: Service | None) -> None:
    """Decide on one stage with what is known now, do it and record it."""
    decision = stage.decide(context, remote)
    if stage.NAME == "report" and decision.action == "skip" and _worked(outcome):
        decision = Decision(action="run", reasons=(NEWS,))
    if decision.action == "skip":
        outcome.stages[stage.NAME] = {"action": "skip", "seconds": 0.0}
        context.emit("skipped", stage=stage.NAME, reasons=decision.reasons)
        _recall(stage, context)
        return
    context.emit("started", stage=stage.NAME, action=decision.action, reasons=decision.reasons)
    start = time.monotonic()
    outcome.stages[stage.NAME] = {"action": decision.action, "seconds": 0.0}
    try:
        result = _run(stage, context, decision)
    except FtrunError as error:
        if not isinstance(error, (PendingError, DecisionError)):
            _record(stage, context, "failed", _left(stage, context), time.monotonic() - start)
        raise
    finally:
        seconds = round(time.monotonic() - start, 3)
        outcome.stages[stage.NAME]["seconds"] = seconds
    _record(stage, context, "done", result, seconds)
    context.emit("finished", stage=stage.NAME, seconds=seconds)


def _left(stage: Stage, context: Context) -> dict[str, Any]:
    """Return what a stage that failed wrote down of its work: what it began may go on elsewhere."""
    record = context.state.stages.get(stage.NAME)
    return record.result if record is not None and record.status == "running" else {}


def _run(stage: Stage, context: Context, decision: Decision) -> dict[str, Any]:
    """Do the stage's work; what its questions cost goes to the ledger, before they are asked and after."""
    if context.local or not stage.costs(context, decision):
        return stage.run(context)
    from ftrun.paid.budgets import hold_stage, run_limits
    from ftrun.paid.spending import announce, answers_usd, outgrown, settle
    from ftrun.state.ledger import STOPPED

    hold_stage(context, stage.NAME)
    if stage.NAME != "evaluate":
        return stage.run(context)
    effect, result = str(uuid.uuid4()), None
    context.limits = run_limits(context)  # before the estimate is in the ledger
    announced = context.quote.get("eval_usd")
    announce(context, "answers", effect, announced)
    context.came = lambda: outgrown(context, "answers", effect, announced, answers_usd(context))
    context.usage.clear()
    try:
        result = stage.run(context)
    finally:
        tokens = context.usage.total()
        if tokens:
            usd, what = answers_usd(context), STOPPED if result is None else None
            settle(context, "answers", effect, "actual", usd=usd, tokens=tokens, what=what)
        elif result is None or not result.get("asked"):
            settle(context, "answers", effect, "void", usd=0.0)
    return result


def _recall(stage: Stage, context: Context) -> None:
    """Record what a skipped stage once found for these inputs: its `run` finds it again and does nothing."""
    record = context.state.stages.get(stage.NAME)
    if record is None or record.fingerprint != fingerprint(stage.inputs(context)):
        _record(stage, context, "done", stage.run(context), 0.0)


def _worked(outcome: Outcome) -> bool:
    return any(done["action"] != "skip" for name, done in outcome.stages.items() if name != "upload")


def _refuse_blocked(plan: Plan, context: Context) -> None:
    """Raise for a blocked stage: a dead job is a failure, an unclear create needs a person."""
    step = next((step for step in plan.steps if step.action == "blocked"), None)
    if step is None:
        return
    if step.code == "job_failed":
        raise FtrunError(
            f"{'; '.join(step.reasons)}. Nothing was sent",
            code="job_failed",
            hint=f"Mend the cause; `{context.command('run', '--force', 'train')}` creates another job.",
        )
    raise blocked_error(context, step.code)


def _record(stage: Stage, context: Context, status: Any, result: dict[str, Any], seconds: float) -> None:
    inputs = stage.inputs(context)
    context.state.stages[stage.NAME] = StageRecord(
        status=status,
        fingerprint=fingerprint(inputs),
        inputs=shortened(inputs),
        result=result,
        seconds=round(seconds, 3),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    context.save()
