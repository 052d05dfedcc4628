"""How the new model is compared with the old one: by which metric, with which margin and gates, and what so
few questions can't show.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from ftrun.errors import UsageError
from ftrun.evaluation.asked.samples import prompt_sample
from ftrun.evaluation.evaluate import Sets, check, complete, evaluate, metrics_of
from ftrun.evaluation.recorded import read_recorded
from ftrun.evaluation.statistics.estimates import FEWEST
from ftrun.evaluation.verdict.non_inferiority import needed_of_alike, smallest_of_alike
from ftrun.experiment.evaluation import BASE, TUNED
from ftrun.experiment.gates import parse_gate
from ftrun.experiment.model import Experiment
from ftrun.runner.porting.mapping import Mapped
from ftrun.runner.porting.questions import OLD, OldAnswers
from ftrun.scoring.scorers import scorers_for
from ftrun.scoring.types import Metric, Sample, Scorer

MARGINS = {"share": 0.05, "points": 5.0}  # by the scale of the metric
RANGES = {"share": 1.0, "points": 100.0}
LONGEST_LABEL, MOST_LABELS = 30, 20  # characters of a label, labels


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparing:
    """How old and new are compared: `metric` (None: nothing can be judged), the `margin`, the gates of the
    file, and on how many questions the verdict rests. `held_out`: none of these is in the training data,
    `recall` are how many are. `gain`: how much better than its base the old model was on them, where that
    is recorded.
    """

    metric: str | None
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
        return f"{TUNED}.{self.metric} {op} {OLD}.{self.metric} {sign} {self.margin:g} @95%"


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
    asked, names = new.evaluation, list(new.evaluation.models)
    if not samples:  # but perhaps of the test split: then the old rules hold
        return Comparing(metric=asked.metric, gates=asked.gates) if asked.asks else Comparing(metric=None)
    scorers = complete(scorers_for(asked.scorers, samples), samples)
    key = check(samples=samples, candidates=names, scorers=scorers, metric=metric or asked.metric)
    found = {one.name: one for one in metrics_of(scorers, samples)}
    known = found.get(key or "")
    known_metrics = {*found, *(("general",) if asked.general else ())}
    kept = [gate for gate in asked.gates if _usable(gate, names, known_metrics)]
    sets = Sets(samples)
    n = sum(one.id in sets.main and _answered(one, answers) for one in samples)
    if key is None or known is None:
        return Comparing(metric=None, gates=tuple(kept), n=n)
    if answers is not None and margin is None:
        margin = _usual_margin(known)
    _refuse_whole_range(known, margin)
    own = Comparing(
        metric=key,
        binary=known.binary,
        lower_is_better=known.higher_is_better is False,
        margin=margin if answers is not None else None,
        dropped=tuple(gate for gate in asked.gates if gate not in kept),
        n=n,
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
        hint=f"Set how much worse the new model may be, in the unit of {name} ({scale}): --margin 0.5",
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
        if asked.gates == found.gates:
            yield Mapped.kept("eval.gates", list(asked.gates) or None, reason)
        else:
            yield Mapped.changed("eval.gates", list(asked.gates), list(found.gates) or None, reason)
        return
    usual = "by the usual rule (another one: --metric NAME)"
    why = "as you chose it" if chosen else "as before" if asked.metric else usual
    yield Mapped(
        key="eval.metric",
        old=asked.metric,
        new=found.metric,
        reason=f"{why}; {_resting_on(found)}",
        status="kept" if asked.metric == found.metric else "changed",
    )
    for gate in found.dropped:
        reason = "it names a candidate or a metric that is not used here"
        yield Mapped.dropped("eval.gates", gate, reason)
    kept = [gate for gate in found.gates if gate != found.gate]
    if kept:
        yield Mapped.kept("eval.gates", kept, "they apply to the new model too")
    if found.gate is not None:
        reason = (
            "the non-inferiority test: it fails if the new model may be more than the margin worse "
            "(another margin: --margin M)"
        )
        yield Mapped.changed("eval.gates", None, found.gate, reason)


def _resting_on(found: Comparing) -> str:
    """Return in words how many questions decide, and how many of the recorded ones don't."""
    if not found.held_out:
        return f"the verdict rests on {found.n} questions of the training data alone, so that it shows recall"
    if not found.recall:
        return f"the verdict rests on {found.n} held-out questions"
    return (
        f"the verdict rests on {found.n} held-out questions, not on the {found.recall} of the training data"
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
        f"with a margin of {margin:g} a model that lost most of that can pass. Consider a smaller --margin."
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
