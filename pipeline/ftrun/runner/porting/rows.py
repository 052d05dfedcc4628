"""The rows on the new target: what it can't train on, what it would cut, and the file without such rows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ftrun.data import examine
from ftrun.data.pipeline.checking import CheckResult
from ftrun.data.pipeline.own_rows import BOM
from ftrun.errors import Place, Problem
from ftrun.experiment.model import Experiment, Source
from ftrun.protocol.spec import FEWEST_EXAMPLES
from ftrun.runner.porting.mapping import Mapped, sent_or_not, service_name
from ftrun.targets.known_models import has_known_limit
from ftrun.waiting import waiting

LEAVE_OUT = "--leave-out-rows"
# what the check adds to the message of a row: how often, and where first
COUNTED = re.compile(r" \((?:in \d+ rows)?(?:, )?(?:(?:the first|row) at [^()]*)?\)$")
OF_THE_TARGET = frozenset(("unsupported_by_target", "provider_limit"))  # errors that another may not have
OF_THE_METHOD = "train.method: "  # how the check's message about the method begins, which is reported as such


@dataclass(frozen=True, slots=True, kw_only=True)
class RowFacts:
    """What a check with the new target's rules found; `wrong` are the lines that can't be used, by the role
    of the file that they are in. `separable`: each file is one of ready rows, so that they can be left out.
    """

    result: CheckResult
    errors: tuple[Problem, ...] = ()
    wrong: Mapping[str, frozenset[int]] = field(default_factory=dict)
    separable: bool = False


def look_at_rows(experiment: Experiment) -> RowFacts:
    """Check the rows by the new target's rules; nothing is written."""
    with waiting("the rows, checked by the rules of the new target"):
        result = examine(experiment)
    errors = tuple(one for one in result.errors if not one.message.startswith(OF_THE_METHOD))
    files = ready_files(experiment)
    wrong: dict[str, set[int]] = {}
    separable = bool(files)
    for problem in errors:
        places = [(role_of(experiment, files, file), line) for file, line in problem.places]
        separable &= bool(places) and all(role and line for role, line in places)
        for role, line in places:
            if role is not None and line is not None:
                wrong.setdefault(role, set()).add(line)
    return RowFacts(
        result=result,
        errors=errors,
        wrong={role: frozenset(lines) for role, lines in wrong.items()},
        separable=separable,
    )


def ready_files(experiment: Experiment) -> dict[str, Path]:
    """Return the files that are sent byte for byte, by role; none for other experiments."""
    data = experiment.data
    if not data.verbatim:
        return {}
    given: dict[str, Sequence[Source]] = {"train": data.sources}
    if data.split is not None and isinstance(data.split.validation, tuple):
        given["validation"] = data.split.validation
    return {role: one[0].base / str(one[0].path) for role, one in given.items() if one and one[0].path}


def role_of(experiment: Experiment, files: Mapping[str, Path], file: str) -> str | None:
    """Return the role of a file that a message names, None if it has no rows."""
    for role, path in files.items():
        if file in (str(path), path.name) or (experiment.project / file).resolve() == path.resolve():
            return role
        if Path(file).resolve() == path.resolve():
            return role
    return None


def row_mapping(experiment: Experiment, found: RowFacts, *, leave_out: bool) -> Iterator[Mapped]:
    """Yield what becomes of the files, and of rows that the new target can't train on or cuts."""
    yield from _files(experiment)
    yield from _errors(experiment, found, leave_out=leave_out)
    service = service_name(experiment.target)
    for problem in found.result.warnings:
        if problem.code == "ignored_by_target":
            reason = COUNTED.sub("", problem.message)
            yield Mapped.dropped("rows", _counted(problem.places, problem), reason)
    for role, file in found.result.files.items():
        if file is not None and file.over_limit and has_known_limit(experiment.target):
            yield Mapped.changed(
                f"rows of {role}",
                f"{file.over_limit} of {file.examples} rows",
                None,
                f"longer than the model's context: {service} trains only on their beginning",
            )


def _files(experiment: Experiment) -> Iterator[Mapped]:
    data, target = experiment.data, experiment.target
    names = [str(one.path) if one.path else "query or dataset" for one in data.sources]
    shown = names[0] if len(names) == 1 else names
    if data.verbatim:
        yield Mapped.kept("data.sources", shown, "the same file, byte for byte")
    else:
        reason = "the same rows, templates and split: the same training file"
        yield Mapped.kept("data.sources", shown, reason)
    split = data.split
    if split is not None and split.validation:
        files = split.validation
        shown = [str(one.path) for one in files] if isinstance(files, tuple) else str(files)
        reason = "the same file, byte for byte" if data.verbatim else "the same rows, with the same seed"
        yield sent_or_not("data.split.validation", "validation_file", shown, target, reason)


def _errors(experiment: Experiment, found: RowFacts, *, leave_out: bool) -> Iterator[Mapped]:
    groups: dict[tuple[str, str], list[Problem]] = {}
    for problem in found.errors:
        groups.setdefault((problem.code, problem.message.partition(" (")[0].partition("\n")[0]), []).append(
            problem
        )
    for (code, message), problems in groups.items():
        places = {place for one in problems for place in one.places}
        old = _counted(places, problems[0]) if places else None
        key = "rows" if places else "data"
        if found.separable and leave_out:
            yield Mapped.dropped(key, old, f"{message}: left out, as you agreed")
        elif found.separable:
            yield Mapped(
                key=key,
                old=old,
                reason=message,
                status="asked",
                hint=f"To train without these rows: {LEAVE_OUT}",
            )
        else:
            yield Mapped.refused(key, old, f"{message} ({code})", hint=_fix(problems[0]))
    if found.separable and found.wrong:
        left = _left(found)
        if left < FEWEST_EXAMPLES:
            yield Mapped.refused(
                "data",
                None,
                f"without these rows {left} would be left to train on, {FEWEST_EXAMPLES} are needed",
                hint=_other_rows(found),
            )


def _other_rows(found: RowFacts) -> str:
    """Return where to get enough rows from: another target or, if none takes them, a corrected copy."""
    if {one.code for one in found.errors} <= OF_THE_TARGET:
        return "Choose a target that takes them with --to."
    return "Fix them in a copy of the file, and name it: --set 'data.sources=[{path: data/COPY.jsonl}]'"


def _left(found: RowFacts) -> int:
    """Return how many training rows are good."""
    file = found.result.files.get("train")
    return file.examples if file is not None else 0


def _counted(places: Collection[Place], problem: Problem) -> str:
    """Return how many rows have something, and the first."""
    count, first = len(places), _first(problem)
    return f"{count} row{'' if count == 1 else 's'}, the first at {first}"


def _first(problem: Problem) -> str:
    file, line = problem.places[0] if problem.places else (problem.file, problem.line)
    return f"{file}:{line}"


def _fix(problem: Problem) -> str:
    return (problem.hint or "Fix the rows.").replace("`--target`", "--to")


def kept_lines(path: Path, without: frozenset[int]) -> bytes:
    """Return a file's content without these lines, which count from 1."""
    with path.open("rb") as lines:
        kept = [line for number, line in enumerate(lines, start=1) if number not in without]
    return b"".join(kept).removeprefix(BOM)
