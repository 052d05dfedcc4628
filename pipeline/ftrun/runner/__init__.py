"""Plans an experiment (pure) and applies the plan (effects), stage by stage."""

from ftrun.runner.apply import Outcome, Settings, apply, context_of
from ftrun.runner.plan import Plan, Step, is_done, make_plan
from ftrun.runner.session import Session, locate_session, no_model, open_session

__all__ = [
    "Outcome",
    "Plan",
    "Session",
    "Settings",
    "Step",
    "apply",
    "context_of",
    "is_done",
    "locate_session",
    "make_plan",
    "no_model",
    "open_session",
]
