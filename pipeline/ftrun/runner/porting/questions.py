"""What the new model is asked: the questions that the old one answered, and how the two are compared."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ftrun.errors import UsageError
from ftrun.evaluation.rescued_files import RescuedFiles, is_changed, rescued_of
from ftrun.experiment.evaluation import BASE, TUNED
from ftrun.experiment.model import Evaluation, Experiment
from ftrun.experiment.places import shown_path
from ftrun.runner.porting.earlier import tuned_model
from ftrun.runner.porting.mapping import Mapped, Status, service_name
from ftrun.runner.session import Session

OLD = "old"
CODE = "no_recorded_answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class OldAnswers:
    """The old model's recorded answers: files, the ids that it answered, and what the manifest says."""

    files: RescuedFiles
    folder: Path
    answered: frozenset[str]
    repeats: int = 1
    has_base: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)

    def relative(self, path: Path) -> str:
        """Return a path of theirs as the experiment file names it."""
        return path.relative_to(self.folder).as_posix()


def old_answers(session: Session) -> OldAnswers | None:
    """Return the recorded answers of the experiment's tuned model; None if there are none."""
    experiment, model = session.experiment, tuned_model(session)
    if model is None:
        return None
    files = rescued_of(experiment.file, name=experiment.name, target=experiment.target.name, model=model)
    if files is None:
        return None
    answered, repeats, has_base = set[str](), 0, False
    for line in files.answers.read_bytes().splitlines():
        try:
            one = json.loads(line)
        except ValueError:
            continue  # reading them for the evaluation says what is wrong
        candidate = one.get("candidate", TUNED) if isinstance(one, dict) else None
        has_base |= candidate == BASE
        if candidate == TUNED:
            answered.add(str(one.get("prompt_id")))
            repeat = one.get("repeat", 0)
            repeats = max(repeats, repeat + 1 if isinstance(repeat, int) else 1)
    return OldAnswers(
        files=files,
        folder=experiment.file.parent,
        answered=frozenset(answered),
        repeats=max(1, repeats),
        has_base=has_base,
        facts=files.facts(),
    )


def refuse_without_answers(session: Session, found: OldAnswers | None) -> None:
    """Raise a UsageError if there is nothing of the old model to compare with."""
    experiment = session.experiment
    config, target = shown_path(experiment.file), experiment.target.name
    if tuned_model(session) is None:
        raise UsageError(
            f"{experiment.name} on {target} has no tuned model: there is nothing to replace",
            code="no_model",
            hint=f"To train it on another target: {shlex.join(['ftrun', 'run', config, '--target'])} TARGET. "
            "Name the target that has the tuned model with --target.",
        )
    rescue = shlex.join(["ftrun", "rescue", config, "--target", target])
    if found is None:
        raise UsageError(
            f"no answers of {tuned_model(session)} are recorded: the new model can't be compared with it",
            code=CODE,
            hint=f"While it still answers: {rescue}. If it no longer does: add --without-old.",
        )
    if not found.files.questions.is_file():
        path = shown_path(found.files.questions)
        raise UsageError(
            f"{path} is missing: it has the questions that were answered",
            code=CODE,
            hint=f"Write it again: {rescue}",
        )


def evaluation_changes(old: Experiment, answers: OldAnswers | None) -> dict[str, Any]:
    """Return the keys of `eval` for the new experiment, without metric and gates."""
    asked = old.evaluation
    if answers is None:
        return {"models": [TUNED, BASE]}
    found: dict[str, Any] = {
        "models": [TUNED, BASE, {"name": OLD, "answers": answers.relative(answers.files.answers)}],
        "prompts": [{"path": answers.relative(answers.files.questions)}],
    }
    if asked.test_set:
        found["test_set"] = False
    if asked.recall_sample:
        found["recall_sample"] = 0
    if asked.repeat != answers.repeats:
        found["repeat"] = answers.repeats
    sampling = other_sampling(asked, answers)
    return {**found, "sampling": sampling} if sampling else found


def other_sampling(asked: Evaluation, answers: OldAnswers) -> dict[str, Any]:
    """Return the sampling settings of the recorded answers that the experiment has otherwise."""
    recorded = answers.facts.get("sampling")
    if not isinstance(recorded, Mapping):
        return {}
    names = ("temperature", "top_p", "max_tokens", "seed")
    both = {name: recorded.get(name) for name in names}
    return {name: value for name, value in both.items() if value != asked.sampling.get(name)}


def evaluation_mapping(
    old: Experiment, answers: OldAnswers | None, changes: Mapping[str, Any]
) -> Iterator[Mapped]:
    """Yield what becomes of who is asked, of the questions and of how answers are sampled."""
    asked = old.evaluation
    before = list(asked.models)
    dropped = [one for one in before if one not in (TUNED, BASE)]
    after = [TUNED, BASE, *([] if answers is None else [OLD])]
    reason = (
        "the new model, its base"
        if answers is None
        else "the new model, its base, and what the old one answered"
    )
    if dropped:
        names = ", ".join(dropped)
        reason = f"{reason}; not {names}, which would be asked again at a price and decide nothing here"
    if answers is None:
        reason = f"{reason}; nothing is known of the old model's answers (--without-old)"
    status: Status = "kept" if before == after else "changed"
    yield Mapped(key="eval.models", old=before, new=after, reason=reason, status=status)
    if answers is not None:
        yield from _recorded_mapping(asked, answers, changes)


def _recorded_mapping(asked: Evaluation, answers: OldAnswers, changes: Mapping[str, Any]) -> Iterator[Mapped]:
    """Yield what changes so that the recorded questions are asked, as they were asked then."""
    file = answers.relative(answers.files.questions)
    yield Mapped.changed(
        "eval.prompts",
        len(asked.prompts) or None,
        file,
        f"exactly the questions that were recorded ({len(answers.answered)} of them answered by the "
        "old model)",
    )
    reason = "questions of the training data are asked on purpose, to see what is recalled"
    yield Mapped.changed("data.checks.recall", None, "off", reason)
    sets = {"test_set": asked.test_set, "recall_sample": asked.recall_sample}
    for name, value in sets.items():
        if value:
            reason = "the recorded questions have them as far as they were recorded"
            yield Mapped.changed(f"eval.{name}", value, changes.get(name), reason)
    if "repeat" in changes:
        reason = "as many answers per question as were recorded"
        yield Mapped.changed("eval.repeat", asked.repeat, answers.repeats, reason)
    for name, value in (changes.get("sampling") or {}).items():
        reason = "sampled as the recorded answers were"
        yield Mapped.changed(f"eval.sampling.{name}", asked.sampling.get(name), value, reason)
    if is_changed(answers.files.answers):
        reason = "the file was changed after it was recorded: the checksum in its manifest is another one"
        yield Mapped.changed("recorded answers", answers.files.answers.name, "used", reason)


def tool_mapping(new: Experiment) -> Iterator[Mapped]:
    """Yield that questions with tools can't be asked, where the new target's models take none."""
    count = sum(bool(one.tools) for one in new.evaluation.prompts)
    if count:
        yield Mapped.refused(
            "eval.prompts",
            f"{count} questions with tools",
            f"models at {service_name(new.target)} take no tools",
            hint="Choose a target that takes them with --to, or record questions without tools.",
        )
