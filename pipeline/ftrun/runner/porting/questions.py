"""What the new model is asked: the questions that the old one answered, and how the two are compared."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ftrun.errors import UsageError
from ftrun.evaluation.asked.samples import prompt_sample
from ftrun.evaluation.evaluate import Sets, check, complete, evaluate, metrics_of
from ftrun.evaluation.recorded import read_recorded
from ftrun.evaluation.rescued_files import RescuedFiles, is_changed, rescued_of
from ftrun.evaluation.statistics.estimates import FEWEST
from ftrun.evaluation.verdict.non_inferiority import needed_of_alike, smallest_of_alike
from ftrun.experiment.gates import parse_gate
from ftrun.experiment.model import Evaluation, Experiment
from ftrun.experiment.places import shown_path
from ftrun.runner.porting.earlier import tuned_model
from ftrun.runner.porting.mapping import Mapped, Status, service_name
from ftrun.runner.session import Session
from ftrun.scoring.scorers import scorers_for
from ftrun.scoring.types import Metric, Sample, Scorer

OLD = "old"
SUBJECT, BASE = "tuned", "base"
MARGINS = {"share": 0.05, "points": 5.0}  # by the scale of the metric
RANGES: Mapping[str, float] = {"share": 1.0, "points": 100.0}
CODE = "no_recorded_answers"
LONGEST_LABEL, MOST_LABELS = 30, 20  # characters of a label, labels


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
        candidate = one.get("candidate", SUBJECT) if isinstance(one, dict) else None
        has_base |= candidate == BASE
        if candidate == SUBJECT:
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
        return {"models": [SUBJECT, BASE]}
    found: dict[str, Any] = {
        "models": [SUBJECT, BASE, {"name": OLD, "answers": answers.relative(answers.files.answers)}],
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
    dropped = [one for one in before if one not in (SUBJECT, BASE)]
    after = [SUBJECT, BASE, *([] if answers is None else [OLD])]
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
    if answers is None:
        return
    file = answers.relative(answers.files.questions)
    yield Mapped(
        key="eval.prompts",
        old=len(asked.prompts) or None,
        new=file,
        reason=f"exactly the questions that were recorded ({len(answers.answered)} of them answered by the "
        "old model)",
        status="changed",
    )
    reason = "questions of the training data are asked on purpose, to see what is recalled"
    yield Mapped(key="data.checks.recall", new="off", reason=reason, status="changed")
    sets = {"test_set": asked.test_set, "recall_sample": asked.recall_sample}
    for name, value in sets.items():
        if value:
            reason = "the recorded questions have them as far as they were recorded"
            yield Mapped(
                key=f"eval.{name}", old=value, new=changes.get(name), reason=reason, status="changed"
            )
    if "repeat" in changes:
        reason = "as many answers per question as were recorded"
        yield Mapped(
            key="eval.repeat", old=asked.repeat, new=answers.repeats, reason=reason, status="changed"
        )
    for name, value in (changes.get("sampling") or {}).items():
        reason = "sampled as the recorded answers were"
        yield Mapped(
            key=f"eval.sampling.{name}",
            old=asked.sampling.get(name),
            new=value,
            reason=reason,
            status="changed",
        )
    if is_changed(answers.files.answers):
        reason = "the file was changed after it was recorded: the checksum in its manifest is another one"
        yield Mapped(
            key="recorded answers",
            old=answers.files.answers.name,
            new="used",
            reason=reason,
            status="changed",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing:
    """How old and new are compared: `metric` and `scale` (None: nothing can be judged), the `margin`, the
    gates of the file, and how many questions the verdict rests on. `held_out`: none of these is in the
    training data. `gain`: how much better than its base the old model was on them, where that is recorded.
    """

    metric: str | None
    scale: str = "number"
    binary: bool = False
    lower_is_better: bool = False
    margin: float | None = None
    gates: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    n: int = 0
    recall: int = 0
    held_out: bool = True
    gain: float | None = None

    @property
    def gate(self) -> str | None:
        """Return the gate that tests whether the new model is at most the margin worse."""
        if self.metric is None or self.margin is None:
            return None
        op, sign = ("<=", "+") if self.lower_is_better else (">=", "-")
        return f"{SUBJECT}.{self.metric} {op} {OLD}.{self.metric} {sign} {self.margin:g} @95%"


def comparing(
    new: Experiment,
    recalled: Collection[str],
    answers: OldAnswers | None,
    *,
    metric: str | None,
    margin: float | None,
) -> Comparing:
    """Return how the two are compared; `new` is the new experiment without its gates, `recalled` are the ids
    of questions that are in the training data. UsageError or ConfigError for a metric that can't be used.
    """
    samples = [
        prompt_sample(one, system=None, of="recall" if one.id in recalled else "prompts")
        for one in new.evaluation.prompts
    ]
    names = list(new.evaluation.models)
    if not samples and new.evaluation.asks:  # of the test split or the like: the old rules hold
        return Comparing(metric=new.evaluation.metric, gates=new.evaluation.gates)
    if not samples:
        return Comparing(metric=None)
    scorers = complete(scorers_for(new.evaluation.scorers, samples), samples)
    wanted = metric or new.evaluation.metric
    key = check(samples=samples, candidates=names, scorers=scorers, metric=wanted)
    found = {one.name: one for one in metrics_of(scorers, samples)}
    known = found.get(key or "")
    known_metrics = {*found, *(("general",) if new.evaluation.general else ())}
    kept = [gate for gate in new.evaluation.gates if _usable(gate, names, known_metrics)]
    sets = Sets(samples)
    counted = [one for one in samples if one.id in sets.main and _answered(one, answers)]
    if key is None or known is None:
        return Comparing(metric=None, gates=tuple(kept), n=len(counted))
    if answers is not None and margin is None:
        margin = _usual_margin(known)
    _refuse_whole_range(known, margin)
    own = Comparing(
        metric=key,
        scale=known.scale,
        binary=known.binary,
        lower_is_better=known.higher_is_better is False,
        margin=margin if answers is not None else None,
        dropped=tuple(gate for gate in new.evaluation.gates if gate not in kept),
        n=len(counted),
        recall=len(sets.of.get("recall", ())),
        held_out=not sets.recall_counts and key != "recall",
        gain=None if answers is None else _gain(answers, samples, scorers, key),
    )
    gates = [*kept, *([] if own.gate is None or own.gate in kept else [own.gate])]
    return replace(own, gates=tuple(gates))


def _gain(
    answers: OldAnswers, samples: Sequence[Sample], scorers: Sequence[Scorer], metric: str
) -> float | None:
    """Return how much better the old model was than its base, by their recorded answers; None if unknown."""
    if not answers.has_base:
        return None
    found = [read_recorded(name, answers.files.answers, samples) for name in (OLD, BASE)]
    scores, _ = evaluate(
        experiment="",
        target="",
        samples=samples,
        records=[one for each in found for one in each.records],
        candidates=(OLD, BASE),
        models={},
        scorers=scorers,
        metric=metric,
    )
    compared = scores.comparison(BASE)
    return None if compared is None else compared.difference


def _answered(sample: Sample, answers: OldAnswers | None) -> bool:
    return (answers is None or sample.id in answers.answered) and (
        bool(sample.expect) or sample.reference is not None
    )


def _usable(text: str, candidates: Sequence[str], metrics: Collection[str]) -> bool:
    """Return whether a gate of the old experiment can be decided among the candidates here."""
    try:
        gate = parse_gate(text)
    except ValueError:
        return False
    sides = (gate.left, gate.right)
    named = all(side.candidate in (None, *candidates) for side in sides)
    return named and all(side.metric is None or side.metric in metrics for side in sides)


def _usual_margin(metric: Metric) -> float:
    if metric.scale in MARGINS:
        return MARGINS[metric.scale]
    name, scale = metric.name, metric.scale
    raise UsageError(
        f"{name} has no usual margin: it is neither a share nor points",
        code="margin",
        hint=f"Say how much worse the new model may be, in the unit of {name} ({scale}): --margin 0.5",
    )


def _refuse_whole_range(metric: Metric, margin: float | None) -> None:
    """Raise a UsageError for a margin that every model is within, such as 5 where 5 points were meant."""
    most = RANGES.get(metric.scale)
    if margin is None or most is None or margin < most:
        return
    raise UsageError(
        f"--margin {margin:g}: {metric.name} goes from 0 to {most:g}, so no model could be worse by more",
        code="margin",
        hint=f"5 points are --margin {most / 20:g}.",
    )


def check_margin(margin: float | None) -> None:
    """Raise a UsageError for a margin that is none."""
    if margin is not None and not 0 < margin < float("inf"):
        raise UsageError(
            f"--margin {margin:g}: a margin is a number above 0",
            code="margin",
            hint="For a pass rate, --margin 0.05 is 5 points.",
        )


def gate_mapping(old: Experiment, found: Comparing, *, chosen: str | None) -> Iterator[Mapped]:
    """Yield what becomes of the metric and the gates, with what so many questions can show."""
    asked = old.evaluation
    if found.metric is None:
        reason = (
            "no question says what a good answer is (`reference` or `expect`): read the answers side by side"
        )
        yield Mapped(
            key="eval.gates", old=list(asked.gates), new=list(found.gates), reason=reason, status="changed"
        )
        return
    why = "as you chose it" if chosen else "as before" if asked.metric else "by the usual rule"
    where = (
        "held-out questions"
        if found.held_out
        else "questions of the training data alone, so that it shows recall"
    )
    yield Mapped(
        key="eval.metric",
        old=asked.metric,
        new=found.metric,
        reason=f"{why}; the verdict rests on {found.n} {where}",
        status="kept" if asked.metric == found.metric else "changed",
    )
    for gate in found.dropped:
        reason = "it names a candidate or a metric that is not here"
        yield Mapped(key="eval.gates", old=gate, reason=reason, status="dropped")
    kept = [gate for gate in found.gates if gate != found.gate]
    if kept:
        yield Mapped(key="eval.gates", old=kept, new=kept, reason="they hold for the new model too")
    if found.gate is not None:
        reason = "the non-inferiority test: it is missed if the new model may be more than the margin worse"
        yield Mapped(key="eval.gates", new=found.gate, reason=reason, status="changed")


def tool_mapping(new: Experiment) -> Iterator[Mapped]:
    """Yield that questions with tools can't be asked, where the new target's models take none."""
    count = sum(bool(one.tools) for one in new.evaluation.prompts)
    if count:
        yield Mapped(
            key="eval.prompts",
            old=f"{count} questions with tools",
            reason=f"models at {service_name(new.target)} take no tools",
            status="refused",
            hint="Choose a target that takes them with --to, or record questions without tools.",
        )


def comparison_notes(found: Comparing, new: Experiment) -> Iterator[str]:
    """Yield what the comparison can't show."""
    if found.metric is None:
        return
    if not found.held_out:
        yield (
            "All judged questions are in the training data: the comparison shows what both models "
            "memorized. To compare on others, record held-out questions with `ftrun rescue` while the old "
            "model still answers."
        )
    note = power_note(found)
    if note is not None:
        yield note
    note = gain_note(found)
    if note is not None:
        yield note
    labels = {one.reference for one in new.evaluation.prompts if one.reference}
    short = labels and max(map(len, labels)) <= LONGEST_LABEL and len(labels) <= MOST_LABELS
    if short and found.metric == "chrf" and len(new.evaluation.prompts) > 2 * len(labels):
        yield (
            f"The references are {len(labels)} labels: `--metric exact_match` compares how many answers are "
            "right."
        )


def gain_note(found: Comparing) -> str | None:
    """Return a sentence if the margin lets a model pass that lost most of what the old one had learned."""
    if found.gain is None or found.margin is None or found.gate is None or found.gain > 2 * found.margin:
        return None
    gain, margin = found.gain, found.margin
    if gain <= 0:
        return (
            f"On these questions the old model was no better than its base in {found.metric}: "
            "a new model that learned nothing may pass."
        )
    return (
        f"On these questions the old model was better than its base by {gain:.3g} in {found.metric}: "
        f"with a margin of {margin:g} a model passes that lost most of that. A smaller --margin says more."
    )


def power_note(found: Comparing) -> str | None:
    """Return a sentence if so few questions can't show the margin, whatever the answers are."""
    margin, n = found.margin, found.n
    if margin is None or found.gate is None:
        return None
    if not found.binary:
        if n >= FEWEST:
            return None
        return (
            f"{n} question{'' if n == 1 else 's'} can be compared in {found.metric}: {FEWEST} are needed "
            "to show anything."
        )
    least = smallest_of_alike(n)
    if least is not None and least <= margin:
        return None
    needed, smallest = needed_of_alike(margin), 1.0 if least is None else least
    return (
        f"With {n} question{'' if n == 1 else 's'} a margin of {margin:g} can't be shown, even if both "
        "models pass "
        f"the same ones: the smallest is {smallest:.2f}, and {margin:g} needs {needed:,} questions."
    )
