"""The report of what is there: written again at any time, without asking anybody."""

from __future__ import annotations

from typing import Any

from ftrun.errors import UsageError
from ftrun.report import Facts
from ftrun.runner.apply import context_of, locked_context
from ftrun.runner.session import Session
from ftrun.stages.report import ReportStage, gather
from ftrun.workflow.context import Context, Emit, RunSettings

FOUND = ("answers.jsonl", "scores.json", "metrics.csv", "check.json")
ARCHIVED = ("history/*/answers.jsonl", "history/*/metrics.csv")


def report_facts(session: Session) -> Facts:
    """Return what a report says of an experiment on its target; UsageError if nothing was done there yet."""
    folder = session.folder
    if not any((folder / name).exists() for name in FOUND):
        experiment, archived = session.experiment, any(any(folder.glob(one)) for one in ARCHIVED)
        raise UsageError(
            f"{experiment.name} on {experiment.target.name} has nothing to report yet",
            code="nothing_to_report",
            file=str(experiment.file),
            # a fresh clone has all that is needed, and a run finds nothing to do there
            hint=f"`{context_of(session).command('eval' if archived else 'run')}`",
        )
    return gather(_as_recorded(session, context_of(session)))


def write_again(session: Session, emit: Emit, *, wait: bool) -> dict[str, Any]:
    """Write report.html and report.md of the run again, under its lock; return the verdict on the fit.

    A report that says more than is known now stays as it is.
    """
    with session.named(), locked_context(session, RunSettings(wait_for_lock=wait), emit) as context:
        return ReportStage().run(_as_recorded(session, context))


def _as_recorded(session: Session, context: Context) -> Context:
    """Return the context with the state as it was recorded: a run forgets the jobs of a local store that is
    not here, but a report of what was found there stays true.
    """
    if session.other_store:
        context.state = session.store.load() or context.state
    return context
