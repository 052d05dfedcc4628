"""`ftrun plan`: show what would be done and why, with tokens and cost.

Starts nothing and writes nothing, except the user's consent.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ftrun.cli.confirmation import asker
from ftrun.cli.interrupts import heed_signals
from ftrun.cli.options import experiment_options
from ftrun.cli.output import print_json
from ftrun.cost.amounts import cost_words, epochs_words
from ftrun.errors import DecisionError, FtrunError
from ftrun.files import real
from ftrun.text import visible

if TYPE_CHECKING:  # commands load the runner only when they need it: --help must be quick
    from ftrun.cost.availability import Ends, ServerEnds
    from ftrun.experiment.model import Experiment
    from ftrun.runner import Plan, Session
    from ftrun.targets import Service
    from ftrun.workflow.context import Context

SOMETHING_TO_DO = 10


@click.command(name="plan")
@experiment_options
@click.option(
    "--yes", is_flag=True, help="Agree to send the file's keys to its server; the answer is remembered."
)
@click.option("--detailed-exitcode", is_flag=True, help="Exit with 10 if there is something to do.")
def command(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    as_json: bool,
    yes: bool,
    detailed_exitcode: bool,
) -> int:
    """Show what would run, be skipped, adopted or waited for, and why, with tokens and cost."""
    heed_signals()
    plan = plan_of(config, target, overrides, runs_dir, yes=yes, ask=asker(as_json))
    if as_json:
        print_json(plan.as_dict())
    else:
        print_plan(plan)
    return SOMETHING_TO_DO if detailed_exitcode and not plan.idle else 0


def plan_of(
    config: Path,
    target: str | None,
    overrides: tuple[str, ...],
    runs_dir: Path | None,
    *,
    yes: bool,
    ask: Callable[[str], bool] | None,
) -> Plan:
    """Return the plan, prepared in a temporary folder if the prepared files are out of date.

    If nobody agrees to send a key to the server, nothing is sent, and the plan is made from the state.
    """
    from ftrun.runner import context_of, is_done, locate_session, preview, verify
    from ftrun.runner.session import refuse_targets_alone
    from ftrun.targets import reachable
    from ftrun.targets.service import READING

    session = locate_session(config, target=target, overrides=overrides, runs=runs_dir)
    refuse_targets_alone(session.experiment)
    contacted = session.experiment.contacts_target
    # before the state is read: agreeing needs none
    refused = _refused(session, yes, ask) if contacted else []
    session.reload()
    context = context_of(session)
    context.needs_files = not is_done(context)
    reasons: list[str] = []
    asked = contacted and not session.other_store
    remote = reachable(session.experiment, reasons.append) if asked else None
    notes = list(session.notes)
    if remote is None and contacted:
        notes.append(": ".join(["remote not checked", *(refused or reasons)[:1]]))
    elif remote is not None:
        remote.end_within(READING)
    with tempfile.TemporaryDirectory(prefix="ftrun-plan-") as folder:
        preview(context, real(folder))
        ends, dated = _ends(context, remote)
        notes += [
            *dated,
            *_language_note(context),
            *_removed_note(context, remote),
            *_questions_note(context),
        ]
        try:
            plan = _ask(context, remote, notes)
            verify(context, plan)
            notes = [*plan.notes, *_customers_note(session.experiment, plan)]
            return replace(plan, notes=_without_repeats(notes), ends=ends)
        finally:
            if remote is not None:
                remote.close()


def _refused(session: Session, yes: bool, ask: Callable[[str], bool] | None) -> list[str]:
    """Ask the user to agree to what is sent; return why nothing may be sent, and the fix, if so."""
    from ftrun.cost.candidates import other_targets
    from ftrun.targets import agree

    try:
        with session.named():
            for target in (session.experiment.target, *other_targets(session.experiment)):
                agree(replace(session.experiment, target=target), yes=yes, ask=ask)
    except DecisionError as error:
        return [f"{error}. {error.problem.hint}"]
    return []


def target_notes(experiment: Experiment, server: ServerEnds | None = None) -> list[str]:
    """Return what to know about the target today, each note with its fix. `server`: what its server
    says of the model.
    """
    from ftrun.data import target_problems

    if not experiment.contacts_target:
        return []
    return [f"{problem.message}. {problem.hint}" for problem in target_problems(experiment, server=server)]


def _ends(context: Context, remote: Service | None) -> tuple[tuple[Ends, ...], list[str]]:
    """Return until when the target's model and the tuned one can be used, and what to say of it: by the
    server's word where it gives one, else by the table.
    """
    from ftrun.cost.availability import ends_of, today
    from ftrun.cost.availability_warnings import warnings
    from ftrun.paid.asking.questionnaire import tuned_model
    from ftrun.targets.lifetimes import listed_model, server_ends

    experiment, target = context.experiment, context.experiment.target
    if target.provider == "local" or not experiment.contacts_target:
        return (), []
    base = server_ends(listed_model(remote, target, target.model) if remote is not None else None)
    first, notes = ends_of(target, base), target_notes(experiment, base)
    tuned = tuned_model(context)
    if tuned is None:
        return (first,), notes
    own = server_ends(listed_model(remote, target, tuned) if remote is not None else None, base)
    second = ends_of(target, own, model=tuned, base=target.model)
    if second.answers != first.answers:  # otherwise it is said already
        notes += [message for _, message in warnings(replace(second, training=None), today())]
    return (first, second), notes


def _customers_note(experiment: Experiment, plan: Plan) -> list[str]:
    """Return a note if the plan would train where only customers who trained there before still may."""
    from ftrun.cost.availability import existing_customers_note

    note = existing_customers_note(experiment.target)
    trains = any((step.stage, step.action) == ("train", "run") for step in plan.steps)
    return [note] if note and trains else []


def _without_repeats(notes: Sequence[str]) -> tuple[str, ...]:
    """Return the notes without those that another one repeats, with its fix."""
    return tuple(
        one for one in dict.fromkeys(notes) if not any(other.startswith(f"{one}. ") for other in notes)
    )


def _language_note(context: Context) -> list[str]:
    """Return a note if the local model hardly knows the language of the data."""
    from ftrun.targets.known_languages import language_note

    return language_note(context.experiment, context.result("check").get("language"))


def _questions_note(context: Context) -> list[str]:
    """Return how many questions a candidate is asked, and which rows can't be; nothing if none is."""
    if not context.experiment.evaluation.asks or not context.needs_files:
        return []
    from ftrun.evaluation.asked.samples import collect, questions_note

    found = collect(context.experiment, context.path("train").parent)
    return [questions_note(found.counts), *found.notes]


def _removed_note(context: Context, remote: Service | None) -> list[str]:
    """Return a note if the trained model was deleted at the target, as far as that is known or said there."""
    from ftrun.paid.asking.questionnaire import tuned_model
    from ftrun.paid.removed_models import is_missing, removed_note, removed_now
    from ftrun.targets import TRANSIENT

    removed, model = removed_now(context), tuned_model(context)
    try:
        if removed is None and model is not None and remote is not None and is_missing(remote, model):
            removed = model, datetime.now(UTC).date().isoformat()
    except FtrunError as error:
        if error.code not in TRANSIENT:
            raise
    return [] if removed is None else [removed_note(context, *removed)]


def _ask(context: Context, remote: Service | None, notes: list[str]) -> Plan:
    """Return the plan, from the state alone if the server can't be reached."""
    from ftrun.runner import make_plan
    from ftrun.targets import TRANSIENT

    try:
        return make_plan(context, remote=remote, notes=tuple(notes))
    except FtrunError as error:
        if error.code not in TRANSIENT:
            raise
        return make_plan(context, remote=None, notes=(*notes, f"remote not checked: {error}"))


def print_plan(plan: Plan) -> None:
    """Print the plan as a table."""
    print(f"{plan.experiment} on {plan.target}")
    for step in plan.steps:
        money = "  (costs money)" if step.paid else ""
        print(f"  {step.action:<8} {step.stage:<9} {visible('; '.join(step.reasons))}{money}")
    if plan.estimate:
        print(estimate_line(plan.estimate))
    for note in plan.notes:
        print(f"note: {note}")
    print("Nothing to do." if plan.idle else "Nothing was changed.")


def estimate_line(estimate: dict[str, Any]) -> str:
    """Return examples, tokens and cost in one line; the cost alone where nothing is trained."""
    if not estimate["examples"]:
        return f"evaluation: {cost_words(estimate)}"
    return (
        f"{estimate['examples']:,} examples, {estimate['train_tokens']:,} tokens × "
        f"{epochs_words(estimate['n_epochs'])} = {estimate['billable_tokens']:,} tokens: "
        f"{cost_words(estimate)}"
    )
