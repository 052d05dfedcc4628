"""The verdict at the top of a report: whether training helped, what was trained on what, and how it fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from ftrun.evaluation.answers import Record
from ftrun.evaluation.scores import CandidateScore, Flip
from ftrun.language import localized
from ftrun.protocol.spec import SYSTEM_ROLES
from ftrun.report.facts import Facts
from ftrun.report.words import counted

FEW = 10  # judged questions; with fewer, one answer decides the verdict
REHEARSAL = "rehearsal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The headline with its tone, what was trained on what, and the fit (None: no metrics)."""

    tone: Literal["good", "bad", "neutral"]
    headline: str
    trained: str
    fit: str | None
    rehearsal: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AnsweredQuestion:
    """One question with all candidates' answers. `flip`: fixed or broken by fine-tuning, or None.

    `recall`: it is in the training data.
    """

    id: str
    question: str
    system: str | None
    turns: tuple[tuple[str, str], ...]
    answers: tuple[Record, ...]
    flip: str | None
    recall: bool = False
    reference: str | None = None


def verdict(facts: Facts) -> Verdict:
    """Return the verdict at the top of the report."""
    tone, headline = _headline(facts)
    rehearsal = facts.target.model == REHEARSAL
    fit = facts.fit.sentence if facts.fit and not rehearsal else None
    return Verdict(tone=tone, headline=headline, trained=_trained(facts), fit=fit, rehearsal=rehearsal)


def verdict_in(facts: Facts) -> Verdict:
    """Return the verdict in the report's language."""
    found, language = verdict(facts), facts.language
    return replace(
        found,
        headline=localized(found.headline, language),
        trained=localized(found.trained, language),
        fit=None if found.fit is None else localized(found.fit, language),
    )


def _headline(facts: Facts) -> tuple[Literal["good", "bad", "neutral"], str]:
    if facts.status != "done":
        return "bad" if facts.status == "failed" else "neutral", f"The run did not finish: {facts.status}."
    if facts.target.model == REHEARSAL:
        return "neutral", "A rehearsal: every stage ran, but nothing was trained."
    tuned, base = (facts.scores.candidates.get(name) for name in ("tuned", "base"))
    if tuned is None or not tuned.judged:
        return "neutral", "Trained. Judge the answers yourself: no question has an `expect`."
    if base is None or not base.judged:
        return (
            "neutral",
            f"The tuned model passes {_passes(tuned)}; there is no base model to compare it with.",
        )
    return _compared(tuned, base)


def _compared(tuned: CandidateScore, base: CandidateScore) -> tuple[Literal["good", "bad", "neutral"], str]:
    better = (tuned.pass_rate or 0) - (base.pass_rate or 0)
    few = f" ({counted(tuned.judged, 'question')}: a hint, not proof)" if tuned.judged < FEW else ""
    if better == 0:
        return (
            "neutral",
            f"No difference: the tuned and the base model both pass {_passes(tuned)}{few}.",
        )
    passes = f"the tuned model passes {_passes(tuned)}, the base model {_passes(base)}{few}"
    return ("good", f"It helped: {passes}.") if better > 0 else ("bad", f"It got worse: {passes}.")


def _passes(score: CandidateScore) -> str:
    return f"{score.passed} of {counted(score.judged, 'check')}"


def _trained(facts: Facts) -> str:
    train = facts.data.splits.get("train")
    examples = f" on {counted(train.examples, 'example')}" if train else ""
    epochs = facts.job.resolved.get("n_epochs") if facts.job else None
    over = f" for {counted(epochs, 'epoch')}" if isinstance(epochs, int) else ""
    tokens = facts.job.trained_tokens if facts.job else None
    count = f" ({counted(tokens, 'token')} trained)" if tokens else ""
    if facts.target.model == REHEARSAL:
        return f"Rehearsed{examples}{over}: losses and answers are made up. Target {facts.target.name}."
    return f"{facts.target.model} was fine-tuned{examples}{over}{count}, target {facts.target.name}."


def ranked(facts: Facts) -> list[tuple[str, CandidateScore]]:
    """Return the candidates' scores in the order asked, which scores.json, sorted by name, has lost."""
    asked = list(dict.fromkeys(answer.candidate for answer in facts.answers))
    known = facts.scores.candidates
    names = [*(name for name in asked if name in known), *(name for name in known if name not in asked)]
    return [(name, known[name]) for name in names]


def side_by_side(answers: Sequence[Record], flipped: Sequence[Flip] = ()) -> tuple[AnsweredQuestion, ...]:
    """Return the questions in the order asked, each with its answers."""
    flips = {flip.prompt_id: flip.change for flip in flipped}
    groups: dict[str, list[Record]] = {}
    for answer in answers:
        groups.setdefault(answer.prompt_id, []).append(answer)
    return tuple(_asked(name, answers, flips.get(name)) for name, answers in groups.items())


def _asked(name: str, answers: list[Record], flip: str | None) -> AnsweredQuestion:
    turns = [(str(one.get("role", "")), str(one.get("content", ""))) for one in answers[0].messages]
    system = next((content for role, content in turns if role in SYSTEM_ROLES), None)
    spoken = [turn for turn in turns if turn[0] not in SYSTEM_ROLES]
    question = spoken[-1][1] if spoken else ""
    return AnsweredQuestion(
        id=name,
        question=question,
        system=system,
        turns=tuple(spoken[:-1]),
        answers=tuple(answers),
        flip=flip,
        recall=answers[0].recall,
        reference=answers[0].reference,
    )


def common_system(asked: tuple[AnsweredQuestion, ...]) -> str | None:
    """Return the system prompt if all questions have the same, so that it is shown once."""
    prompts = {one.system for one in asked}
    return prompts.pop() if len(prompts) == 1 else None
