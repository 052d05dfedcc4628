"""The run: plan, consent, then one stage after the other, each recorded the moment it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ftrun.cost.candidates import other_targets
from ftrun.cost.consent import OVER_BUDGET, consent
from ftrun.errors import DecisionError, FtrunError, PendingError, UsageError
from ftrun.runner.plan import Decided, Plan, costs_money, decide_all, decide_one, make_plan, verify
from ftrun.runner.session import Session, refuse_targets_alone
from ftrun.runner.validated import remember_valid
from ftrun.stages import STAGES, stages_of
from ftrun.state import StageRecord
from ftrun.state.ignore import write_gitignore
from ftrun.targets import Service, identity_of, reachable
from ftrun.workflow.context import Approval, Context, Emit, RunSettings, agree_to
from ftrun.workflow.decision import fingerprint, shortened
from ftrun.workflow.stage import Stage


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a run did: per stage its action and seconds. `error` is what ended it early."""

    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    decided: list[Decided] = field(default_factory=list)
    error: BaseException | None = None
    idle: bool = False


def _say_nothing(kind: str, **data: Any) -> None:
    """Report no event."""


def context_of(
    session: Session,
    emit: Emit = _say_nothing,
    settings: RunSettings = RunSettings(),  # noqa: B008 - frozen
) -> Context:
    """Return the context of a session's stages."""
    return Context(
        experiment=session.experiment,
        folder=session.folder,
        state=session.state,
        store=session.store,
        emit=emit,
        settings=settings,
        options=session.options,
    )


@contextmanager
def locked_context(session: Session, settings: RunSettings, emit: Emit) -> Iterator[Context]:
    """Hold the run's lock, read the state again under it, and yield the context of the stages."""
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


def apply(session: Session, settings: RunSettings, emit: Emit) -> Outcome:
    """Do what must be done; the outcome holds the error that ended it, if one did."""
    outcome = Outcome()
    refuse_targets_alone(session.experiment)
    remember_valid(session.digest)
    context = context_of(session, emit, settings)
    known = session.store.exists() and not session.other_store
    decided = decide_all(context, None) if known else None
    done = decided is not None and all(decision.action == "skip" for _, decision in decided)
    if done and not settings.force:  # found without lock or network
        outcome.idle = True
        outcome.stages = {stage.name: {"action": "skip", "seconds": 0.0} for stage in stages_of(context)}
        outcome.error = _failure(context, outcome)
        return outcome
    emit("begin")
    try:
        with session.named(), locked_context(session, settings, emit) as context:
            _apply_locked(session, context, outcome, decided)
            outcome.error = _failure(context, outcome)
    except (FtrunError, KeyboardInterrupt) as error:
        outcome.error = error
        if isinstance(error, FtrunError):
            _drop_force(error, context, outcome)
    return outcome


def _apply_locked(
    session: Session, context: Context, outcome: Outcome, decided: Sequence[Decided] | None
) -> None:
    """Do the run under its lock. `decided` is what should be done by the state before; None: everything."""
    context.needs_files = True
    _check_names(context)
    offline = [stage.name for stage in stages_of(context) if stage.offline]
    later = context.settings.evaluate_only
    if context.settings.until not in offline and not later:
        check_targets(context)
        _start_early(context, decided)
    if not run_offline_stages(session, context, outcome):
        return
    if later and _contacts(context):  # kept answers can be scored without a key
        check_targets(context)
    plan = _plan_rest(context, session)
    verify(context, plan)
    context.emit("plan", plan=plan)
    for note in plan.notes[len(session.notes) :]:
        context.emit("note", text=note)
    for stage in STAGES:  # of all: what earlier runs left may be of a stage that no longer applies
        stage.before(context)
    _approve(plan, context)
    try:
        _run_rest(context, plan, outcome)
    finally:
        for stage in STAGES:
            stage.after(context)
    if (plan.paid or context.spent) and not context.free:
        from ftrun.paid.budgets import check_run

        check_run(context)


def run_offline_stages(session: Session, context: Context, outcome: Outcome) -> bool:
    """Do the stages that are free and need no target; return whether there is something to do after them."""
    local = (context.experiment.target.name,) if context.free else ()
    write_gitignore(session.folder.parent.parent, local)
    for stage in stages_of(context):
        if not stage.offline:
            continue
        run_stage(stage, context, outcome, None)
        if context.settings.until == stage.name:
            return False
    return True


def _check_names(context: Context) -> None:
    """Refuse a stage that this target does not have: --until would never stop."""
    names = [stage.name for stage in stages_of(context)]
    for option, name in (("--until", context.settings.until), ("--force", context.settings.force)):
        if name is not None and name not in names:
            raise UsageError(
                f"{option} {name}: this target has no such stage",
                code="usage",
                hint=f"It has {', '.join(names)}.",
            )


def _start_early(context: Context, decided: Sequence[Decided] | None) -> None:
    """Start the engine on this machine while the offline stages work, if one after them will need it, and let
    it load the model if that will be asked.
    """
    names = [stage.name for stage in stages_of(context)]
    last = names.index(context.settings.until or names[-1])
    actions = {stage.name: decision.action for stage, decision in decided or ()}
    to_come = [
        stage
        for stage in stages_of(context)[: last + 1]
        if not stage.offline and actions.get(stage.name) not in ("skip", "blocked")
    ]
    if context.local and context.experiment.contacts_target and to_come:
        from ftrun.targets.local import start_early

        asks = any(stage.asks_model for stage in to_come) and not context.settings.detach
        context.starting = start_early(
            context.experiment, lambda text: context.emit("note", text=text), load=asks
        )


def _contacts(context: Context) -> bool:
    """Return whether a stage that is still to be done needs the target."""
    return any(
        not stage.offline and decision.action != "skip" and stage.contacts(context)
        for stage, decision in decide_all(context, None)
    )


def check_targets(context: Context) -> None:
    """Refuse targets that can't be used: the experiment's, and those that candidates are asked at."""
    check_target(context)
    _check_other_targets(context)


def check_target(context: Context) -> None:
    """Refuse, before any work is done, an unknown model and a key that is missing, malformed, or that the
    user does not agree to send.
    """
    if not context.experiment.contacts_target:
        return
    if context.local:
        from ftrun.targets.local import check_model

        check_model(context.experiment)
    else:
        agree_to(context.experiment, context.settings)
        context.service()


def _check_other_targets(context: Context) -> None:
    """Refuse other targets that candidates are asked at, before anything is paid."""
    for target in other_targets(context.experiment):
        if target.provider != "local":
            context.service_of(target.name)
            continue
        from ftrun.targets.local import check_model

        check_model(context.aimed_at(target.name))


def _plan_rest(context: Context, session: Session) -> Plan:
    remote = reachable(context.experiment) if context.experiment.contacts_target else None
    try:
        return make_plan(context, remote=remote, notes=tuple(session.notes))
    finally:
        if remote is not None:
            remote.close()


def _approve(plan: Plan, context: Context) -> None:
    """Go ahead with the plan as far as it is not blocked, and a person or the budget agrees to its cost."""
    decisions = {step.stage: step.decision for step in plan.steps if step.action == "blocked"}
    for stage in stages_of(context):
        if stage.name in decisions:
            raise stage.blocked(context, decisions[stage.name])
    running = frozenset(step.stage for step in plan.steps if step.action == "run")
    approve(context, plan.estimate or {}, running, paid=plan.paid)


def approve(
    context: Context,
    estimate: Mapping[str, Any],
    running: frozenset[str],
    *,
    paid: bool,
    over_budget_hint: str = OVER_BUDGET,
) -> None:
    """Go ahead with these stages if a person or the budget agrees to their cost."""
    settings, remote = context.settings, paid and not context.free
    if remote:
        from ftrun.paid.spending import fetch_ledgers

        fetch_ledgers(context.experiment, context.folder.parent)
        if context.experiment.budget.usd is not None:
            context.spent = sum(stage.paid_before(context) for stage in stages_of(context))
    if paid:
        consent(
            estimate,
            target=context.experiment.target.name,
            budget=context.experiment.budget.usd,
            spent=context.spent,
            yes=settings.yes,
            ask=settings.ask,
            over_budget_hint=over_budget_hint,
        )
    context.approval = Approval(stages=running, estimate=estimate)
    if remote:
        from ftrun.paid.spending import check_month

        check_month(context, estimate.get("usd"))


def _run_rest(context: Context, plan: Plan, outcome: Outcome) -> None:
    """Do the stages that need the target."""
    contacted = context.experiment.contacts_target
    settle_identity(context)
    for stage in stages_of(context):
        if stage.offline:
            continue
        if context.settings.detach:
            stage.detach(context)
        called = contacted and plan.action(stage.name) in ("run", "adopt") and stage.contacts(context)
        remote = context.service() if called else None
        run_stage(stage, context, outcome, remote)
        stage.keep(context, skipped=outcome.stages[stage.name]["action"] == "skip")
        if context.settings.until == stage.name:
            return


def settle_identity(context: Context) -> None:
    """Let the state know which local store it belongs to: before an engine starts there is none."""
    contacted = context.experiment.contacts_target
    if context.local and contacted and context.state.identity.get("store") is None:
        context.service()
        context.state.identity = identity_of(context.experiment.target)
        context.save()


def run_stage(stage: Stage, context: Context, outcome: Outcome, remote: Service | None) -> None:
    """Decide on one stage with what is known now, do it and record it."""
    decision = decide_one(stage, context, remote, outcome.decided)
    outcome.decided.append((stage, decision))
    outcome.stages[stage.name] = {"action": decision.action, "seconds": 0.0}
    if decision.action == "skip":
        context.emit("skipped", stage=stage.name, reasons=decision.reasons)
        record = context.state.stages.get(stage.name)
        if record is None or record.fingerprint != fingerprint(stage.inputs(context)):
            # what it once found for these inputs: `run` finds it again and does nothing
            record_stage(stage, context, "done", stage.run(context), 0.0)
        return
    context.emit("started", stage=stage.name, action=decision.action, reasons=decision.reasons)
    start = time.monotonic()
    try:
        if costs_money(context, stage, decision):
            from ftrun.paid.budgets import check_stage

            check_stage(context, stage.name)
        result = stage.run(context)
    except FtrunError as error:
        if not isinstance(error, (PendingError, DecisionError)):
            record_stage(stage, context, "failed", _begun(stage, context), time.monotonic() - start)
        raise
    finally:
        seconds = round(time.monotonic() - start, 3)
        outcome.stages[stage.name]["seconds"] = seconds
    record_stage(stage, context, "done", result, seconds)
    context.emit("finished", stage=stage.name, seconds=seconds)


def _begun(stage: Stage, context: Context) -> dict[str, Any]:
    """Return what a stage that failed wrote down of its work: it may still be running elsewhere."""
    record = context.state.stages.get(stage.name)
    return record.result if record is not None and record.status == "running" else {}


def record_stage(
    stage: Stage, context: Context, status: Any, result: dict[str, Any], seconds: float = 0.0
) -> None:
    """Record what a stage found for its present inputs, durably."""
    inputs = stage.inputs(context)
    context.state.stages[stage.name] = StageRecord(
        status=status,
        fingerprint=fingerprint(inputs),
        inputs=shortened(inputs),
        result=result,
        seconds=round(seconds, 3),
        finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    context.save()


def _failure(context: Context, outcome: Outcome) -> FtrunError | None:
    """Return the error for what a stage of this run found, also where a run found nothing to do."""
    errors = (stage.failure(context) for stage in stages_of(context) if stage.name in outcome.stages)
    return next((one for one in errors if one is not None), None)


def _drop_force(error: FtrunError, context: Context, outcome: Outcome) -> None:
    """Add to the hint that a --force that was obeyed, and would pay once more, must be left out."""
    forced = next((stage for stage, _ in outcome.decided if stage.forced(context)), None)
    hint = error.problem.hint or ""
    if forced is not None and forced.force_pays and "--force" not in hint:
        more = f"Leave out `--force {forced.name}` then: it would {forced.force_pays}."
        error.problem.hint = f"{hint} {more}".strip()
