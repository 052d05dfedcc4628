"""`ftrun port`: from an experiment and a target to the new experiment file, with everything that was decided
on the way. Reads only.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ftrun.data import target_problems
from ftrun.data.quality import overlap
from ftrun.errors import UsageError
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.model import EvalPrompt, Experiment
from ftrun.experiment.places import shown_path
from ftrun.runner.porting import extra_rows, questions
from ftrun.runner.porting.changes import (
    as_overrides,
    file_text,
    leaves,
    schema_line,
    with_overrides,
)
from ftrun.runner.porting.comparing import Comparing, check_margin, comparing, comparison_notes, gate_mapping
from ftrun.runner.porting.earlier import start_mapping, tuned_model
from ftrun.runner.porting.extra_rows import WITH_ANSWERS, MadeFile, made_file
from ftrun.runner.porting.given_target import GivenTarget, given_target
from ftrun.runner.porting.mapping import (
    BY_SET,
    Mapped,
    model_mapping,
    service_name,
    shared_mapping,
    train_mapping,
)
from ftrun.runner.porting.questions import OldAnswers
from ftrun.runner.porting.rows import LEAVE_OUT, RowFacts, look_at_rows, ready_files, row_mapping
from ftrun.runner.session import Session, no_data
from ftrun.runner.validated import is_valid
from ftrun.targets.connect import takes_tools

NAME = re.compile(r"(?!\.{1,2}$)[a-z0-9._-]{1,64}")
IN_NAME = re.compile(r"[^a-z0-9._-]+")
GROUPS = ("model", "data", "rows", "train", "targets", "recorded", "eval")
RECALL = 20  # training questions that are asked where there are no others


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSettings:
    """The options of `ftrun port`. `config` is a file that has the target, where the experiment's own has
    not; `target` the one that has the old model, where the file names another.
    """

    to: str
    target: str | None = None
    config: Path | None = None
    name: str | None = None
    margin: float | None = None
    metric: str | None = None
    leave_out_rows: bool = False
    with_answers: bool = False
    without_old: bool = False
    overrides: tuple[str, ...] = ()

    def command(self, experiment: Path) -> str:
        """Return the command as it can be typed again, without --name."""
        words = ["ftrun", "port", shown_path(experiment), "--to", self.to]
        words += [] if self.target is None else ["--target", self.target]
        words += [] if self.config is None else ["--config", shown_path(self.config)]
        words += [] if self.margin is None else ["--margin", f"{self.margin:g}"]
        words += [] if self.metric is None else ["--metric", self.metric]
        words += [LEAVE_OUT] if self.leave_out_rows else []
        words += [WITH_ANSWERS] if self.with_answers else []
        words += ["--without-old"] if self.without_old else []
        return shlex.join([*words, *(word for one in self.overrides for word in ("--set", one))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """What porting would do: the new experiment, the mapping, the file and what is written next to it."""

    experiment: Experiment
    path: Path
    text: str
    changes: Mapping[str, Any]
    mapping: tuple[Mapped, ...]
    notes: tuple[str, ...] = ()
    terms: str | None = None
    estimate: Mapping[str, Any] | None = None
    files: tuple[MadeFile, ...] = ()

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
    """Return what porting would do; reads only. UserError for what can't be decided at all."""
    old = session.experiment
    if not old.trains:
        raise _nothing_to_train(old)
    check_margin(settings.margin)
    given = with_overrides({}, settings.overrides)
    new = given_target(old, settings.to, settings.config, given)
    answers = None if settings.without_old else questions.old_answers(session)
    if not settings.without_old:
        questions.refuse_without_answers(session, answers)
    if settings.with_answers:
        extra_rows.refuse_answers_as_rows(old, answers)
    return _Porting(session, settings, new, answers, given).port()


@dataclass(slots=True)
class _Porting:
    """One porting: what is known at first, and what is found step by step."""

    session: Session
    settings: PortSettings
    new: GivenTarget
    answers: OldAnswers | None
    given: Mapping[str, Any]
    mapped: list[Mapped] = field(default_factory=list)
    files: list[MadeFile] = field(default_factory=list)
    asks: tuple[EvalPrompt, ...] | None = None  # of a file that is not written yet
    name: str = ""

    @property
    def old(self) -> Experiment:
        """Return the experiment that is ported."""
        return self.session.experiment

    def port(self) -> Port:
        """Return what porting does."""
        self.name = _name(self.old, self.settings)
        changes = self._first_changes()
        draft = self._read(changes)
        rows = look_at_rows(draft)
        self.mapped += row_mapping(draft, rows, leave_out=self.settings.leave_out_rows)
        recalled = self._recalled(draft, rows)
        self._make_data(draft, rows, changes)
        self._make_questions(draft, changes, recalled)
        if self.asks is not None:
            draft = replace(draft, evaluation=replace(draft.evaluation, prompts=self.asks))
            recalled = self._recalled(draft, rows)
        compared = self._compare(draft, changes, recalled)
        self._mention_sets(changes)
        changes = with_overrides(changes, self.settings.overrides)
        refused = any(one.status == "refused" for one in self.mapped)
        new = draft if refused else self._read(changes)
        return Port(
            experiment=new,
            path=self._path,
            text=file_text(
                changes,
                schema=schema_line(self.old.file),
                comments=_comments(self.mapped, self.settings.to),
                command=self.settings.command(self.old.file),
            ),
            changes=changes,
            mapping=tuple(sorted(self.mapped, key=_group)),
            notes=tuple(self._notes(new, rows, compared)),
            terms=self._terms(),
            estimate=rows.result.estimate,
            files=tuple(self.files),
        )

    @property
    def _path(self) -> Path:
        return self.old.file.parent / f"{self.name}.yaml"

    def _first_changes(self) -> dict[str, Any]:
        """Return what the file says before the rows were looked at."""
        old, target = self.old, self.new.target
        train = self.given.get("train")
        given = train if isinstance(train, Mapping) else {}
        self.mapped.append(model_mapping(old.target, target, self.new.whence))
        self.mapped += train_mapping(old, target, given)
        start = start_mapping(self.session, target, given)
        self.mapped += [] if start is None else [start]
        self.mapped += shared_mapping(old)
        evaluation = questions.evaluation_changes(old, self.answers)
        self.mapped += questions.evaluation_mapping(old, self.answers, evaluation)
        return {
            "version": 1,
            "name": self.name,
            "extends": old.file.name,
            "description": f"{old.name} on {self.settings.to} instead of {old.target.name}.",
            "target": self.settings.to,
            **({} if self.new.known else {"targets": {self.settings.to: dict(self.new.raw)}}),
            **({} if self.answers is None else {"data": {"checks": {"recall": "off"}}}),
            **_train_changes(self.mapped),
            "eval": evaluation,
        }

    def _read(self, changes: Mapping[str, Any]) -> Experiment:
        """Return the new experiment as its file will say it, but for files that are not written yet;
        ConfigError for values of --set that can't be.
        """
        unwritten = {one.named for one in self.files}
        said = [one for one in as_overrides(changes) if not any(name in one for name in unwritten)]
        if self.asks is not None and self.answers is not None:  # the file that they are chosen from
            recorded = [{"path": self.answers.relative(self.answers.files.questions)}]
            said += as_overrides({"eval": {"prompts": recorded}})
        # gates are set once it is known what they are; those of the old file may name others
        gates = [] if "gates" in changes["eval"] else ["eval.gates=[]"]
        document = read_document(self.old.file, [*gates, *said, *self.settings.overrides])
        found = build_experiment(document, self.settings.to, validated=is_valid(document.digest))
        if self.asks is None:
            return found
        return replace(found, evaluation=replace(found.evaluation, prompts=self.asks))

    def _recalled(self, draft: Experiment, rows: RowFacts) -> frozenset[str]:
        """Return the ids of the questions that the training data ask."""
        training = ready_files(draft).get("train")
        if training is None or not training.is_file():
            return frozenset(rows.result.recall)
        prompts = draft.evaluation.prompts
        return overlap.recalled(prompts, _chats(training.read_bytes())) if prompts else frozenset()

    def _make_data(self, draft: Experiment, rows: RowFacts, changes: dict[str, Any]) -> None:
        """Make the files of rows that are not the old ones."""
        made = {}
        if self.settings.leave_out_rows:
            made = extra_rows.without_rows(draft, rows, self.name)
        if self.settings.with_answers and self.answers is not None:
            before = made["train"].content if "train" in made else ready_files(draft)["train"].read_bytes()
            ids = extra_rows.trained_ids(self.answers, before)
            added = extra_rows.answers_as_rows(self.answers, ids, before)
            content = extra_rows.with_rows(before, added)
            made["train"] = made_file(draft, self.name, "train", content)
            self._mention_answers(added, made["train"].named)
        data: dict[str, Any] = {}
        if "train" in made:
            data["sources"] = [{"path": made["train"].named}]
        if "validation" in made:
            data["split"] = {"validation": [{"path": made["validation"].named}]}
        changes["data"] = {**changes.get("data", {}), **data}
        if not changes["data"]:
            del changes["data"]
        self.files += made.values()

    def _remap(self, mapped: Mapped) -> None:
        """Say this, and nothing else, of its key."""
        self.mapped = [*(one for one in self.mapped if one.key != mapped.key), mapped]

    def _mention_answers(self, added: extra_rows.Added, named: str) -> None:
        count, unused, repeated = len(added.lines), added.unused, added.repeated
        shown = next(one.old for one in self.mapped if one.key == "data.sources")
        reason = (
            f"the same rows, and {count} answers of the old model to training questions ({WITH_ANSWERS}; "
            f"{repeated} more repeat a row, {unused} are not whole texts): no longer the file that it was "
            "trained on"
        )
        self._remap(Mapped.changed("data.sources", shown, named, reason))

    def _make_questions(self, draft: Experiment, changes: dict[str, Any], recalled: frozenset[str]) -> None:
        """Make the file of questions where the recorded ones aren't asked as they are."""
        if self.answers is None:
            self._own_questions(draft, changes)
            return
        if not self.settings.with_answers:
            return
        training = ready_files(draft)["train"].read_bytes()
        ids = recalled | extra_rows.trained_ids(self.answers, training)
        left = tuple(one for one in draft.evaluation.prompts if one.id not in ids)
        file = made_file(draft, self.name, "questions", extra_rows.other_questions(self.answers, ids))
        count, of = len(left), len(draft.evaluation.prompts)
        if not left:
            reason = (
                "every recorded question is in the training data: with its answers in it too, nothing would "
                "be left to ask"
            )
            hint = f"Record held-out questions with `ftrun rescue`, or leave out {WITH_ANSWERS}."
            self._remap(Mapped.refused("eval.prompts", None, reason, hint=hint))
            return
        self._ask(changes, file, left)
        reason = f"the {count} recorded questions that no training row asks: the others are trained on now"
        self._remap(Mapped.changed("eval.prompts", of, file.named, reason))

    def _own_questions(self, draft: Experiment, changes: dict[str, Any]) -> None:
        """Ask rows of the validation file, or training questions, where nothing else is asked."""
        if draft.evaluation.asks:
            return
        found = extra_rows.own_questions(draft)
        if not found:
            changes["eval"]["recall_sample"] = RECALL
            reason = "there are no other questions: it shows what was memorized, not what was learned"
            self.mapped.append(Mapped.changed("eval.recall_sample", None, RECALL, reason))
            return
        file = made_file(draft, self.name, "questions", extra_rows.question_lines(found))
        self._ask(changes, file, found)
        reason = f"{len(found)} rows of the validation file: the experiment asks nothing itself"
        self.mapped.append(Mapped.changed("eval.prompts", None, file.named, reason))

    def _ask(self, changes: dict[str, Any], file: MadeFile, prompts: tuple[EvalPrompt, ...]) -> None:
        changes["eval"]["prompts"] = [{"path": file.named}]
        self.files.append(file)
        self.asks = prompts

    def _compare(self, draft: Experiment, changes: dict[str, Any], recalled: frozenset[str]) -> Comparing:
        """Decide on metric and gates."""
        old, settings = self.old, self.settings
        asked = replace(draft.evaluation, gates=old.evaluation.gates)
        found = comparing(
            replace(draft, evaluation=asked),
            recalled,
            self.answers,
            metric=settings.metric,
            margin=settings.margin,
        )
        self.mapped += gate_mapping(old, found, chosen=settings.metric)
        if self.answers is not None and not takes_tools(self.new.target):
            self.mapped += questions.tool_mapping(draft)
        if settings.metric is not None and settings.metric != old.evaluation.metric:
            changes["eval"]["metric"] = settings.metric
        if list(found.gates) != list(old.evaluation.gates):
            changes["eval"]["gates"] = list(found.gates)
        return found

    def _mention_sets(self, changes: Mapping[str, Any]) -> None:
        """Add what --set changes beside what is mapped; what it replaces is not what was decided."""
        before = dict(leaves(changes))
        known = {one.key for one in self.mapped if one.reason == BY_SET}
        for key, value in leaves(self.given):
            if key in known or key.startswith(f"targets.{self.settings.to}."):
                continue
            self.mapped = [one for one in self.mapped if one.key != key or one.status == "refused"]
            self.mapped.append(Mapped.chosen(key, before.get(key), value))

    def _terms(self) -> str | None:
        """Return what to read before training on what a model answered."""
        if not self.settings.with_answers:
            return None
        service, model = service_name(self.old.target), tuned_model(self.session)
        return (
            f"{WITH_ANSWERS} trains on what {model} answered. The terms of {service} may forbid that: "
            "OpenAI's, for example, restrict training models that compete with its own on output of its "
            "models. Read them first; whether your use is allowed is for you to find out."
        )

    def _notes(self, new: Experiment, rows: RowFacts, compared: Comparing) -> Iterator[str]:
        """Yield what to know before anything runs."""
        from ftrun.targets.known_languages import language_note

        for problem in target_problems(new):
            yield f"{problem.message}. {problem.hint}"
        yield from language_note(new, rows.result.language, leaving=self.old.target.name)
        if self.answers is None:
            yield (
                "Without the old model's answers the verdict can say whether training helped, not whether "
                "the new "
                "model is as good as the old one."
            )
        yield from comparison_notes(compared, new)
        if new.target.capabilities.get("deployment") == "needed":
            yield (
                f"On {service_name(new.target)} the base model must be deployed under the name "
                f"{new.target.model} to be "
                "asked. Without it, leave it out: --set 'eval.models=[tuned, {name: old, answers: FILE}]'"
            )


def _chats(content: bytes) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a training file whose questions can be compared."""
    for row in extra_rows.rows_of(content):
        asked = row.get("messages", row.get("input"))
        if asked is not None or "prompt" in row:
            yield row


def _nothing_to_train(old: Experiment) -> UsageError:
    missing = old.imported.missing if old.imported is not None else ()
    if "training_file" not in missing:
        return no_data(old)
    return UsageError(
        f"{old.name} was imported without its training file, which the provider did not have or did not give",
        code="no_data",
        hint="If you have the data elsewhere, add them as `data.sources` of the experiment, then port it.",
    )


def _name(old: Experiment, settings: PortSettings) -> str:
    if settings.name is not None:
        if not NAME.fullmatch(settings.name):
            raise UsageError(
                f"--name {settings.name}: this can't be a name",
                code="usage",
                hint="A name is 1 to 64 of a-z, 0-9, dot, underscore and hyphen.",
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


def _group(one: Mapped) -> int:
    """Return where a thing comes in the table: the model, the data, the training, and then what is asked."""
    start = one.key.partition(".")[0].partition(" ")[0]
    return GROUPS.index(start) if start in GROUPS else len(GROUPS)


def _comments(mapped: Sequence[Mapped], target: str) -> dict[str, str]:
    """Return the reasons of what the file says, by key."""
    found = {one.key: one.reason for one in mapped if one.status == "changed"}
    found |= {f"targets.{target}": one.reason for one in mapped if one.key == "model"}
    return found
