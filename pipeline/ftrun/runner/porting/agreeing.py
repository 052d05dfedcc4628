"""What ends a port before anything is written: what has no counterpart, and what nobody agreed to."""

from __future__ import annotations

from collections.abc import Callable

from ftrun.errors import ConfigError, DecisionError, FtrunError, Problem
from ftrun.runner.porting.extra_rows import WITH_ANSWERS
from ftrun.runner.porting.mapping import Mapped, service_name
from ftrun.runner.porting.port import Port
from ftrun.runner.porting.rows import LEAVE_OUT

REFUSED = "no_counterpart"


def refuse(port: Port) -> None:
    """Raise a ConfigError with everything that has no counterpart on the new target, if there is anything."""
    problems = [_problem(one) for one in port.refused]
    if not problems:
        return
    count, where = len(problems), port.experiment.target.name
    summary = f"{count} things have no counterpart on {where}"
    raise _documented(ConfigError(problems[0].message if count == 1 else summary, problems=problems), port)


def _problem(one: Mapped) -> Problem:
    value = "" if one.old is None else f" {one.old}:"
    return Problem(f"{one.key}:{value} {one.reason}", code=REFUSED, hint=one.hint)


def agreed(port: Port, ask: Callable[[str], bool] | None) -> bool:
    """Return whether a person agrees to leave out rows; True where none are. DecisionError without one."""
    if not port.asked:
        return True
    service = service_name(port.experiment.target)
    lost = "; ".join(f"{one.old}: {one.reason}" for one in port.asked)
    if ask is not None and ask(f"{lost}. Train without these rows?"):
        return True
    raise _documented(
        DecisionError(
            f"rows that {service} can't train on would have to be left out ({lost}); nothing was done",
            code="rows_lost",
            hint=f"To train without them, add {LEAVE_OUT}. To keep them, choose another target with --to.",
        ),
        port,
    )


def agree_to_terms(port: Port, ask: Callable[[str], bool] | None) -> None:
    """Ask once, where a person is there, whether the terms were read; DecisionError for a no."""
    if (
        port.terms is None
        or ask is None
        or port.path.exists()
        or ask("Have you read these terms, and do you want to continue?")
    ):
        return
    raise _documented(
        DecisionError(
            "not confirmed; nothing was done",
            code="not_confirmed",
            hint=f"Leave out {WITH_ANSWERS} to train on your own data alone.",
        ),
        port,
    )


def _documented(error: FtrunError, port: Port) -> FtrunError:
    """Return the error with what `--json` shows beside it."""
    error.document = port.as_dict()  # type: ignore[attr-defined]
    return error
