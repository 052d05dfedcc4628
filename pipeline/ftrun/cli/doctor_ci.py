"""`ftrun doctor --ci`: what is over or ends soon for the experiments of a folder, for a weekly job in CI."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftrun.cli.output import print_json
from ftrun.experiment.places import shown_path
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from datetime import date

    from ftrun.errors import Problem
    from ftrun.runner.ending import Status, Survey, Use

EACH = 6  # experiments of a model, and commands, that are listed
PRESSING: tuple[Status, ...] = ("over", "may_be_over", "soon")


def report_ends(configs: Sequence[Path], runs: Path | None, *, within: int, as_json: bool) -> int:
    """Print what is over, what ends within so many days, and what to do. Return 1 if something is over, else
    2 if an experiment can't be read.
    """
    from ftrun.cost.availability import today
    from ftrun.runner.ending import survey

    now = today()
    found = survey(configs or None, runs)
    over = any(use.status(now, within) == "over" for use in found.uses)
    if as_json:
        print_json(_document(found, now, within, ok=not over and not found.broken))
    else:
        for line in _lines(found, now, within):
            print(line)
    return 1 if over else 2 if found.broken else 0


def _document(found: Survey, now: date, within: int, *, ok: bool) -> dict[str, Any]:
    return {
        "ok": ok,
        "date": now.isoformat(),
        "within": within,
        "experiments": found.experiments,
        "uses": [use.as_dict(now, within) for use in found.uses],
        "errors": [_shown(one) for error in found.broken for one in error.problems],
        "notes": found.notes,
    }


def _shown(problem: Problem) -> dict[str, Any]:
    return {name: getattr(problem, name) for name in ("code", "file", "line", "message", "hint")}


def _lines(found: Survey, now: date, within: int) -> Iterator[str]:
    from ftrun.cost.availability import UNKNOWN, service_of
    from ftrun.runner.ending import grouped

    if found.experiments or not found.broken:
        yield _summary(found, now, within)
    pressing: list[Use] = []
    for status, uses in grouped(found.uses, now, within):
        if status in PRESSING:
            pressing += uses
            yield ""
            yield from _group(status, uses, now, within)
    yield from _commands(pressing, now)
    for problem in (one for error in found.broken for one in error.problems):
        place = ":".join(str(one) for one in (problem.file, problem.line) if one)
        yield f"{visible(place)}: {visible(problem.message)}"
    yield from (f"note: {visible(note)}" for note in found.notes)
    yield from dict.fromkeys(_undated(found.uses))
    services = {service_of(use.target) for use in pressing}
    yield from (f"note: {note}" for name, note in UNKNOWN.items() if name in services)


def _undated(uses: Sequence[Use]) -> Iterator[str]:
    """Yield notes on models that were or would be trained where dates are known, but not theirs."""
    from ftrun.cost.availability import service_of, title_of

    for use in uses:
        if use.ends.answers is None and service_of(use.target) and (use.trains or use.tuned):
            yield f"note: no end is known of {visible(use.target.model)} at {title_of(use.target)}"


def _summary(found: Survey, now: date, within: int) -> str:
    """Return the line that says it all."""
    if not found.experiments:
        return "There is no experiment file in configs/ or imported/configs/."
    count = Counter(use.status(now, within) for use in found.uses)
    experiments = f"{found.experiments} experiment{'' if found.experiments == 1 else 's'}"
    over, soon = count["over"], count["soon"] + count["may_be_over"]
    rest = count["later"] + count["settled"] + count["unknown"]
    return (
        f"{now}, {experiments}: {over} model{'' if over == 1 else 's'} over, {soon} ending within "
        f"{within} days, {rest} not. No server was asked."
    )


def _group(status: Status, uses: Sequence[Use], now: date, within: int) -> Iterator[str]:
    """Yield what ends, and which experiments use it."""
    from ftrun.cost.availability_warnings import warnings
    from ftrun.runner.ending import as_one

    for number, (_, message) in enumerate(warnings(as_one(uses), now, within)):
        yield _headed(status, visible(message)) if number == 0 else f"      {visible(message)}"
    for use in uses[:EACH]:
        yield f"        {visible(_use_words(use))}"
    if len(uses) > EACH:
        yield f"        and {len(uses) - EACH} more; `--json` lists all"


def _headed(status: Status, message: str) -> str:
    if status == "over":
        return f"OVER  {message}"
    return f"OVER? {message}" if status == "may_be_over" else f"SOON  {message}"


def _use_words(use: Use) -> str:
    """Return where a model is used, and whether its answers would be lost."""
    file, at = shown_path(use.experiment.file), use.target.name
    if use.candidate is not None and not use.tuned:
        return f"{file}: asked as candidate {use.candidate} at {at}"
    if not use.tuned:
        return f"{file}: nothing trained yet at {at}"
    models, lost = ", ".join(use.tuned), len(use.unrecorded)
    if not lost:
        days = max(use.recorded.values())
        return f"{file}: {models} at {at}, answers recorded on {days}"
    return f"{file}: {models} at {at}, answers not recorded"


def _commands(uses: Sequence[Use], now: date) -> Iterator[str]:
    """Yield what to do, one command for many experiments where there is one."""
    from ftrun.runner.ending import PLACEHOLDER, RESCUE

    commands = list(dict.fromkeys(command for use in uses for command in use.to_do(now)))
    rescues = [one for one in commands if one.split()[:2] == list(RESCUE)]
    others = [one for one in commands if one not in rescues]
    candidates = [f"{shown_path(use.experiment.file)}" for use in uses if use.candidate and not use.tuned]
    if commands or candidates:
        yield ""
        yield "To do:"
    yield from (f"  {one}" for one in (rescues if len(rescues) <= EACH else [" ".join((*RESCUE, "--all"))]))
    yield from (f"  {one}" for one in others[:EACH])
    if len(others) > EACH:
        yield f"  and the same for {len(others) - EACH} more; `--json` lists all"
    for file in dict.fromkeys(candidates[:EACH]):
        yield f"  ask another model in eval.models of {file}"
    if any(one.endswith(f" {PLACEHOLDER}") for one in others[:EACH]):
        yield (
            "  TARGET is a target that stays: add one to the file, such as "
            "`local: {provider: local, model: smollm2-135m-instruct}`"
        )
