"""What `ftrun rescue` shows: as JSON, and in words."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftrun.cli.command_lines import command_line
from ftrun.cli.output import print_problems
from ftrun.errors import DecisionError, FtrunError, InterruptError
from ftrun.experiment.places import shown_path
from ftrun.text import visible

if TYPE_CHECKING:  # loaded in the command: --help must be quick
    from ftrun.runner.rescuing.finding import FoundExperiments, NotRescued
    from ftrun.runner.rescuing.rescue import Rescued

MOST_IDS = 10  # questions named in a line


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedRescue:
    """A rescue, and the error to show of it."""

    result: Rescued
    error: FtrunError | None


def rescue_document(
    done: Sequence[EndedRescue],
    found: FoundExperiments,
    errors: Sequence[FtrunError],
    worst: FtrunError | None,
) -> dict[str, Any]:
    document: dict[str, Any] = {
        "experiments": [
            *map(_entry, done),
            *(
                {"config": str(one.config), "status": "failed", "error": one.error.problem.as_dict()}
                for one in found.unreadable
            ),
        ],
        "skipped": [{"config": str(one.config), "reason": one.reason} for one in found.skipped],
    }
    if worst is not None:
        document["error"] = worst.problem.as_dict()
        document["errors"] = [problem.as_dict() for error in errors for problem in error.problems]
    return document


def _entry(done: EndedRescue) -> dict[str, Any]:
    result, experiment = done.result, done.result.session.experiment
    recorded, asked = result.recorded, result.asked
    entry: dict[str, Any] = {
        "experiment": experiment.name,
        "target": experiment.target.name,
        "config": str(experiment.file),
        "status": _status(done.error),
        "file": str(recorded.files.answers) if recorded else None,
        "questions": str(recorded.files.questions) if recorded else None,
        "manifest": str(recorded.files.manifest) if recorded else None,
        "sha256": recorded.sha256 if recorded else None,
        "date": recorded.date if recorded else None,
        "answers": dict(recorded.counts) if recorded else {"tuned": 0, "base": 0},
        "asked": result.count,
        "missing": recorded.missing if recorded else asked.missing if asked else None,
        "filtered": list(recorded.filtered) if recorded else [],
        "refused": list(recorded.refused) if recorded else [],
        "empty": list(recorded.empty) if recorded else [],
        "cut": list(recorded.cut) if recorded else [],
        "usd": result.usd,
        "without_base": result.without_base,
        "left_out": list(result.left_out),
    }
    return entry if done.error is None else {**entry, "error": done.error.problem.as_dict()}


def _status(error: FtrunError | None) -> str:
    if error is None:
        return "done"
    if isinstance(error, InterruptError):
        return "interrupted"
    return "blocked" if isinstance(error, DecisionError) else "failed"


def print_rescues(done: Sequence[EndedRescue], found: FoundExperiments, target: str | None) -> None:
    recorded = [one.result for one in done if one.result.recorded is not None]
    listed = recorded if len(done) == 1 else [one for one in recorded if not _is_as_before(one)]
    for result in listed:
        for line in _lines(result, alone=len(done) == 1):
            print(visible(line))
    if len(listed) < len(recorded):
        print(f"as recorded before: the answers of {_experiments(len(recorded) - len(listed))}")
    if len(done) > 1:
        print(_together(recorded, len(done) + len(found.unreadable)))
    if found.skipped:
        print(visible(_skipped(found.skipped)))
    _print_next(recorded, target)
    errors = [one.error for one in found.unreadable]
    errors += [one.error for one in done if one.error is not None]
    said = {(str(one), one.problem.hint): one for one in errors}  # no consent to several is one error
    before: str | None = None
    for error in sorted(said.values(), key=lambda one: one.code):
        print_problems(error, said=before)
        before = error.problems[-1].hint


def _is_as_before(result: Rescued) -> bool:
    """Return whether nothing was asked, and the files are what they were."""
    recorded = result.recorded
    return not result.count and recorded is not None and not recorded.missing and recorded.changed is None


def _experiments(number: int) -> str:
    return "1 experiment" if number == 1 else f"{number:,} experiments"


def _together(recorded: Sequence[Rescued], of: int) -> str:
    """Return what was recorded of several experiments, and what it cost."""
    from ftrun.cost.amounts import money

    asked, files = sum(one.count for one in recorded), len(recorded)
    paid = sum(one.usd or 0.0 for one in recorded)
    if not paid:
        return f"answers of {files:,} of {of:,} experiments are recorded; requested now: {asked:,}"
    usd = money(paid)
    return f"answers of {files:,} of {of:,} experiments are recorded; requested now: {asked:,}, for {usd}"


def _lines(result: Rescued, *, alone: bool) -> Iterator[str]:
    """Yield what is recorded of one experiment, and what is special about it."""
    from ftrun.cost.amounts import money

    recorded, experiment = result.recorded, result.session.experiment
    assert recorded is not None
    name, target, file = experiment.name, experiment.target.name, shown_path(recorded.files.answers)
    tuned, base = (recorded.counts.get(one, 0) for one in ("tuned", "base"))
    size = _size(recorded.files.answers)
    yield f"{name} on {target}: {tuned:,} answers of the tuned model, {base:,} of its base: {file} ({size})"
    if alone and result.count and result.usd:
        cost = money(result.usd, experiment.budget.yen_per_usd)
        yield f"  requested now: {result.count:,}, for {cost}"
    elif alone and result.count:
        yield f"  requested now: {result.count:,}"
    if recorded.missing:
        yield f"  still missing: {recorded.missing:,}"
    if recorded.changed is not None:
        changed = shown_path(recorded.changed.answers)
        yield f"  {changed}, or a file of its set, was changed after it was recorded: it stays as it is"
    if recorded.unwritable:
        yield f"  answered questions that the file of questions can't hold: {recorded.unwritable:,}"
    if result.left_out:
        yield f"  refused by the server and left out: {len(result.left_out):,} ({_some(result.left_out)})"
    if recorded.filtered:
        yield f"  withheld by the content filter: {len(recorded.filtered):,} ({_some(recorded.filtered)})"
    if recorded.refused:
        yield f"  refused by the model: {len(recorded.refused):,} ({_some(recorded.refused)})"
    if recorded.empty:
        yield f"  empty answers: {len(recorded.empty):,} ({_some(recorded.empty)})"
    if recorded.cut:
        yield (
            f"  cut off at the length limit: {len(recorded.cut):,} ({_some(recorded.cut)}); `--set "
            "eval.sampling.max_tokens=1024` records longer ones"
        )


def _some(ids: Sequence[str]) -> str:
    return ", ".join(ids[:MOST_IDS]) + (", …" if len(ids) > MOST_IDS else "")


def _size(path: Path) -> str:
    size = path.stat().st_size
    return f"{size / 1_000_000:,.1f} MB" if size >= 100_000 else f"{size / 1000:,.1f} kB"


def _skipped(skipped: Sequence[NotRescued]) -> str:
    files: dict[str, list[str]] = {}
    for one in skipped:
        files.setdefault(one.reason, []).append(shown_path(one.config))
    reasons = "; ".join(f"{', '.join(paths)} ({reason})" for reason, paths in files.items())
    return f"not rescued: {reasons}"


def _print_next(results: Sequence[Rescued], target: str | None) -> None:
    """Print how to keep the files, and the command that trains elsewhere and compares."""
    recorded = [one.recorded for one in results if one.recorded is not None]
    if not recorded:
        return
    folders = dict.fromkeys(shown_path(one.files.answers.parent) for one in recorded)
    lines = [("keep it", f"git add {shlex.join(folders)}")]
    elsewhere = [one.session for one in results if one.session.experiment.target.provider != "local"]
    for session in elsewhere[:1]:
        lines.append(("port it", f"{command_line(session, 'port', named=target is not None)} --to local"))
    print("\nNext:")
    for label, text in lines:
        print(f"  {label:<13} {text}")
