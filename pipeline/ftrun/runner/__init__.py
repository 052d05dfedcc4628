"""Plans an experiment (pure) and applies the plan (effects), stage by stage."""

from ftrun.runner.apply import Outcome, apply, context_of, locked_context
from ftrun.runner.plan import Plan, is_done, make_plan, preview, verify
from ftrun.runner.session import Session, locate_session, no_model, open_session
from ftrun.workflow.context import RunSettings

__all__ = [
    "Outcome",
    "Plan",
    "RunSettings",
    "Session",
    "apply",
    "context_of",
    "is_done",
    "locate_session",
    "locked_context",
    "make_plan",
    "no_model",
    "open_session",
    "preview",
    "verify",
]
