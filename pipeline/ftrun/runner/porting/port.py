"""`ftrun port`: from an experiment and a target to the new experiment file, with everything that was decided on the
way. Nothing is written before all of it is known, and nothing at all where something is refused.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ftrun.data import target_problems
from ftrun.errors import ConfigError, DecisionError, Problem, UsageError
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.build import BUILT_IN_TARGETS, choose_target
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import absolute, shown_path
from ftrun.experiment.target import target_of
from ftrun.files import make_folder, write_atomic
from ftrun.runner.porting.earlier import start_mapping
from ftrun.runner.porting.mapping import Mapped, model_mapping, service_name, train_mapping
from ftrun.runner.porting.questions import (
    Comparing,
    OldAnswers,
    check_margin,
    comparing,
    evaluation_changes,
    evaluation_mapping,
    gate_mapping,
    old_answers,
    power_note,
    refuse_without_answers,
)
from ftrun.runner.porting.rows import (
    LEAVE_OUT,
    RowFacts,
    kept_lines,
    look_at_rows,
    ready_files,
    row_mapping,
)
from ftrun.runner.porting.writing import (
    as_overrides,
    file_text,
    refuse_other,
    schema_line,
    with_overrides,
    write_new,
)
from ftrun.runner.session import Session, no_data
from ftrun.runner.validated import is_valid
from ftrun.targets import same_account
from ftrun.targets.connect import identity_of

NAME = re.compile(r"(?!\.{1,2}$)[a-z0-9._-]{1,64}")
IN_NAME = re.compile(r"[^a-z0-9._-]+")
REFUSED = "no_counterpart"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSettings:
    """The options of `ftrun port`. `config` is a file that has the target, where the experiment's own has not."""

    to: str
    config: Path | None = None
    name: str | None = None
    margin: float | None = None
    metric: str | None = None
    leave_out_rows: bool = False
    without_old: bool = False
    overrides: tuple[str, ...] = ()
    again: str = "ftrun port"


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """What porting would do: the new experiment, the mapping, the file and what is written next to it."""

    experiment: Experiment
    path: Path
    text: str
    changes: Mapping[str, Any]
    mapping: tuple[Mapped, ...]
    comparing: Comparing
    notes: tuple[str, ...] = ()
    estimate: Mapping[str, Any] | None = None
    files: Mapping[Path, bytes] = field(default_factory=dict)

    @property
    def asked(self) -> tuple[Mapped, ...]:
        """Return what a person must agree to."""
        return tuple(one for one in self.mapping if one.status == "asked")

    @property
    def refused(self) -> tuple[Mapped, ...]:
        """Return what has no counterpart on the new target."""
        return tuple(one for one in self.mapping if one.status == "refused")

    def as_dict(self) -> dict[str, Any]:
        """Return what `port --json` says of it."""
        mapping = [one.as_dict() for one in self.mapping]
        return {"config": shown_path(self.path), "mapping": mapping, "notes": list(self.notes)}


def plan_port(session: Session, settings: PortSettings) -> Port:
    """Return what porting this experiment would do; reads only. UserError for what can't be decided at all."""
    old = session.experiment
    if not old.trains:
        raise _nothing_to_train(old)
    check_margin(settings.margin)
    target = _new_target(session, settings)
    answers = None if settings.without_old else old_answers(session)
    if not settings.without_old:
        refuse_without_answers(session, answers)
    name = _name(old, settings)
    given = with_overrides({}, settings.overrides)
    train = given.get("train")
    given_train: Mapping[str, Any] = train if isinstance(train, dict) else {}
    new_target = target_of(settings.to, _merged(target.raw, given, settings.to))
    mapped = [
        model_mapping(old.target, new_target, target.whence),
        *train_mapping(old, new_target, given_train),
    ]
    start = start_mapping(session, new_target, given_train)
    mapped += [] if start is None else [start]
    changes: dict[str, Any] = {
        "version": 1,
        "name": name,
        "extends": old.file.name,
        "description": f"{old.name} on {settings.to} instead of {old.target.name}.",
        "target": settings.to,
        **({} if target.known else {"targets": {settings.to: target.raw}}),
        **_train_changes(mapped),
        "eval": evaluation_changes(old, answers),
    }
    mapped += evaluation_mapping(old, answers, changes["eval"])
    draft = _read(old, {**changes, "eval": {**changes["eval"], "gates": []}}, settings)
    rows = look_at_rows(draft)
    mapped += row_mapping(draft, rows, leave_out=settings.leave_out_rows)
    files = _without_rows(draft, rows, name, settings) if settings.leave_out_rows else {}
    changes |= _data_changes(draft, files)
    compared = comparing(
        replace(draft, evaluation=replace(draft.evaluation, gates=old.evaluation.gates)),
        rows.result.recall,
        answers,
        metric=settings.metric,
        margin=settings.margin,
    )
    mapped += gate_mapping(old, compared, chosen=settings.metric)
    changes["eval"] = {**changes["eval"], **_gate_changes(old, compared, settings)}
    changes = with_overrides(changes, settings.overrides)
    new = draft if _has_refused(mapped) else _read(old, changes, settings, files=files)
    return Port(
        experiment=new,
        path=old.file.parent / f"{name}.yaml",
        text=file_text(
            changes,
            schema=schema_line(old.file),
            comments=_comments(mapped, changes),
            command=settings.again,
        ),
        changes=changes,
        mapping=tuple(mapped),
        comparing=compared,
        notes=tuple(_notes(new, rows, compared, answers)),
        estimate=rows.result.estimate,
        files={path: content for path, content in files.values()},
    )


def write_port(port: Port, settings: PortSettings, config: Path) -> bool:
    """Write the new file, with the files of rows that belong to it, and return whether anything was written.
    DecisionError if one of another content is there.
    """
    refuse_other(port.path, port.changes, config=config, again=settings.again)
    for path, content in port.files.items():
        make_folder(path.parent)
        if not path.is_file() or path.read_bytes() != content:
            write_atomic(path, content)
    return write_new(port.path, port.text, port.changes, config=config, again=settings.again)


def refuse(port: Port) -> None:
    """Raise a ConfigError with everything that has no counterpart on the new target, if there is anything."""
    refused = port.refused
    if not refused:
        return
    problems = [_problem(one) for one in refused]
    count, where = len(problems), port.experiment.target.name
    summary = f"{count} things have no counterpart on {where}"
    error = ConfigError(problems[0].message if count == 1 else summary, problems=problems)
    error.document = port.as_dict()  # type: ignore[attr-defined]  # what --json shows with the error
    raise error


def _problem(one: Mapped) -> Problem:
    value = "" if one.old is None else f" {one.old}:"
    return Problem(f"{one.key}:{value} {one.reason}", code=REFUSED, hint=one.hint)


def agreed(port: Port, ask: Callable[[str], bool] | None) -> bool:
    """Return whether a person agrees to what is lost; True where nothing is. DecisionError where nobody can be
    asked.
    """
    if not port.asked:
        return True
    lost = "; ".join(f"{one.old}: {one.reason}" for one in port.asked)
    if ask is not None and ask(
        f"{service_name(port.experiment.target)} can't use all rows ({lost}). Train without them?"
    ):
        return True
    error = DecisionError(
        f"rows that {service_name(port.experiment.target)} can't train on would be left out ({lost}); nothing was done",
        code="rows_lost",
        hint=f"To train without them, add {LEAVE_OUT}. To keep them, choose another target with --to.",
    )
    error.document = port.as_dict()  # type: ignore[attr-defined]
    raise error


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """The new target as written: `known`, whether the experiment's own file has it, and `whence` its model is."""

    raw: Mapping[str, Any]
    known: bool
    whence: str


def _new_target(session: Session, settings: PortSettings) -> _Given:
    """Return the target to port to: of the experiment's file, of --config, or the built-in one."""
    old, to = session.experiment, settings.to
    if to == old.target.name:
        raise UsageError(
            f"--to {to}: that is the target that it was trained on",
            code="same_target",
            hint=f"Name another target. Targets here: {', '.join(one.name for one in old.targets)}.",
        )
    document = read_document(old.file)
    own = document.data.get("targets") or {}
    if to in own:
        if settings.config is not None:
            raise UsageError(
                f"--config {shown_path(settings.config)}: the experiment's own file has the target {to}",
                code="usage",
                hint="Leave out --config, or rename one of the two.",
            )
        found = _Given(raw=own[to], known=True, whence=f"the model of target {to}")
    elif settings.config is not None:
        other = read_document(settings.config)
        choose_target(other, to)
        build_experiment(other, to, validated=is_valid(other.digest))
        raw = (other.data.get("targets") or BUILT_IN_TARGETS)[to]
        found = _Given(
            raw=raw, known=False, whence=f"the model of target {to} in {shown_path(settings.config)}"
        )
    elif to in BUILT_IN_TARGETS:
        whence = f"the built-in model; another one: --set targets.{to}.model=NAME"
        found = _Given(raw=BUILT_IN_TARGETS[to], known=False, whence=whence)
    else:
        known = ", ".join(dict.fromkeys((*own, *BUILT_IN_TARGETS)))
        raise UsageError(
            f"--to {to}: there is no such target",
            code="unknown_target",
            hint=f"Targets here: {known}. One of another file: --config FILE",
        )
    now = identity_of(target_of(to, found.raw))
    if same_account(now, identity_of(old.target)) and found.raw.get("model") == old.target.model:
        raise UsageError(
            f"--to {to}: that is the same model of the same service as {old.target.name}",
            code="same_target",
            hint="Name a target with another service or model.",
        )
    return found


def _merged(raw: Mapping[str, Any], given: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a target as written, with the values of --set."""
    targets = given.get("targets")
    more = targets.get(name) if isinstance(targets, dict) else None
    found = dict(raw)
    for key, value in (more if isinstance(more, dict) else {}).items():
        before = found.get(key)
        found[key] = {**before, **value} if isinstance(before, Mapping) and isinstance(value, dict) else value
    return found


def _nothing_to_train(old: Experiment) -> UsageError:
    missing = old.imported.missing if old.imported is not None else ()
    if "training_file" not in missing:
        return no_data(old)
    return UsageError(
        f"{old.name} was imported without its training file, which the provider no longer had",
        code="no_data",
        hint="Add the data as `data.sources` of the experiment if you have them elsewhere; then port it.",
    )


def _name(old: Experiment, settings: PortSettings) -> str:
    if settings.name is not None:
        if not NAME.fullmatch(settings.name):
            raise UsageError(
                f"--name {settings.name}: a name is 1 to 64 of a-z, 0-9, dot, underscore and hyphen",
                code="usage",
            )
        return settings.name
    name = f"{old.name}-{IN_NAME.sub('-', settings.to.lower())}"
    if len(name) > 64:
        raise UsageError(
            f"{name} is too long for a name: at most 64 characters",
            code="usage",
            hint="Choose one with --name.",
        )
    return name


def _train_changes(mapped: Sequence[Mapped]) -> dict[str, Any]:
    """Return what the new file must say of training: what is no longer as in the old file."""
    train: dict[str, Any] = {}
    for one in mapped:
        if one.status != "changed" or not one.key.startswith("train."):
            continue
        place = train
        *parents, last = one.key.split(".")[1:]
        for part in parents:
            place = place.setdefault(part, {})
        place[last] = one.new
    return {"train": train} if train else {}


def _gate_changes(old: Experiment, found: Comparing, settings: PortSettings) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    if settings.metric is not None and settings.metric != old.evaluation.metric:
        changes["metric"] = settings.metric
    if list(found.gates) != list(old.evaluation.gates):
        changes["gates"] = list(found.gates)
    return changes


def _read(
    old: Experiment,
    changes: Mapping[str, Any],
    settings: PortSettings,
    *,
    files: Mapping[str, tuple[Path, bytes]] | None = None,
) -> Experiment:
    """Return the new experiment as its file will say it; ConfigError for values of --set that can't be."""
    left_out = {"data"} if files else set()  # their files are not there yet
    written = {key: value for key, value in changes.items() if key not in left_out}
    document = read_document(old.file, [*as_overrides(written), *settings.overrides])
    return build_experiment(document, settings.to, validated=is_valid(document.digest))


def _has_refused(mapped: Sequence[Mapped]) -> bool:
    return any(one.status == "refused" for one in mapped)


def _without_rows(
    draft: Experiment, rows: RowFacts, name: str, settings: PortSettings
) -> dict[str, tuple[Path, bytes]]:
    """Return the files without rows that can't be used, by role: where they will be, and what is in them."""
    if not rows.separable:
        return {}
    ready, found = ready_files(draft), {}
    for role, lines in rows.wrong.items():
        path = draft.file.parent / "data" / f"{name}.{role}.jsonl"
        found[role] = (path, kept_lines(ready[role], lines))
    return found


def _data_changes(draft: Experiment, files: Mapping[str, tuple[Path, bytes]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for role, (path, _) in files.items():
        source = [{"path": path.relative_to(draft.file.parent).as_posix()}]
        if role == "train":
            data["sources"] = source
        else:
            data["split"] = {role: source}
    return {"data": data} if data else {}


def _comments(mapped: Sequence[Mapped], changes: Mapping[str, Any]) -> dict[str, str]:
    """Return the reasons of what the file says, by key."""
    found = {one.key: one.reason for one in mapped if one.status == "changed"}
    target = changes["target"]
    found |= {f"targets.{target}": one.reason for one in mapped if one.key == "model"}
    gates = [one.reason for one in mapped if one.key == "eval.gates" and one.status == "changed"]
    return {key: reason.replace("\n", " ") for key, reason in found.items()} | (
        {"eval.gates": gates[-1]} if gates else {}
    )


def _notes(new: Experiment, rows: RowFacts, compared: Comparing, answers: OldAnswers | None) -> Iterator[str]:
    """Yield what to know before anything runs."""
    from ftrun.targets.known_languages import language_note

    for problem in target_problems(new):
        yield f"{problem.message}. {problem.hint}"
    yield from language_note(new, rows.result.language)
    if answers is None:
        yield (
            "Without the old model's answers the verdict can say whether training helped, not whether the new model "
            "is as good as the old one."
        )
        if not new.evaluation.asks:
            yield "The experiment asks no questions: add `eval.prompts`, or nothing is compared."
    if compared.metric is not None and not compared.held_out:
        yield (
            "All judged questions are in the training data: the comparison shows what both models memorized. Record "
            "held-out questions with `ftrun rescue` while the old model still answers."
        )
    note = power_note(compared)
    if note is not None:
        yield note


def absolute_config(path: Path | None) -> Path | None:
    """Return the path of --config, which is relative to the current folder."""
    return None if path is None else absolute(path)


def command_of(words: Sequence[str]) -> str:
    """Return a command as it can be typed again."""
    return shlex.join(words)
