"""The top of a report: the decision, what was trained on what, how it fits, and what changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from ftrun.evaluation.answers import Record
from ftrun.evaluation.showing.flips import Changes, all_changes
from ftrun.evaluation.showing.phrasing import LABELS, REHEARSED, decided_of, reasons_of
from ftrun.evaluation.verdict.deciding import Tone, headline, tone
from ftrun.language import localized
from ftrun.protocol.spec import SYSTEM_ROLES
from ftrun.report.facts import Facts
from ftrun.report.words import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The decision as a `label` (None: nothing was decided) with its tone, its headline and its reasons, what
    was trained on what, the fit (None: no metrics), and `warnings` about it.
    """

    tone: Tone
    label: str | None
    headline: str
    reasons: tuple[str, ...]
    trained: str | None
    fit: str | None
    warnings: tuple[str, ...]
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
    set: str = "prompts"
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedQuestions:
    """What changed from one candidate to another, and a few of the questions."""

    changes: Changes
    fixed: tuple[AnsweredQuestion, ...] = field(default=())
    broken: tuple[AnsweredQuestion, ...] = field(default=())


def verdict(facts: Facts) -> Verdict:
    """Return the verdict at the top of the report."""
    how, words = _headline(facts)
    rehearsal = facts.target.rehearses
    decided = decided_of(facts.scores) if facts.status == "done" and not rehearsal else None
    return Verdict(
        tone=how,
        label=LABELS[decided.decision] if decided else None,
        headline=words,
        reasons=reasons_of(facts.scores) if decided else (),
        trained=_trained(facts) if facts.job else None,
        fit=facts.fit.sentence if facts.fit and not rehearsal else None,
        warnings=(*facts.warnings, *facts.scores.warnings),
        rehearsal=rehearsal,
    )


def verdict_in(facts: Facts) -> Verdict:
    """Return the verdict in the report's language."""
    found, language = verdict(facts), facts.language
    return replace(
        found,
        label=None if found.label is None else localized(found.label, language),
        headline=localized(found.headline, language),
        reasons=tuple(localized(one, language) for one in found.reasons),
        warnings=tuple(localized(one, language) for one in found.warnings),
        trained=None if found.trained is None else localized(found.trained, language),
        fit=None if found.fit is None else localized(found.fit, language),
    )


def _headline(facts: Facts) -> tuple[Tone, str]:
    if facts.status != "done":
        return "bad" if facts.status == "failed" else "neutral", f"The run did not finish: {facts.status}."
    if facts.target.rehearses:
        return "neutral", REHEARSED
    if not facts.scores.candidates:
        return "neutral", "Nothing was evaluated."
    return tone(facts.scores), headline(facts.scores)


def _trained(facts: Facts) -> str:
    train = facts.data.splits.get("train")
    examples = f" on {counted(train.examples, 'example')}" if train else ""
    epochs = facts.job.resolved.get("n_epochs") if facts.job else None
    over = f" for {counted(epochs, 'epoch')}" if isinstance(epochs, int) else ""
    tokens = facts.job.trained_tokens if facts.job else None
    count = f" ({counted(tokens, 'token')} trained)" if tokens else ""
    if facts.target.rehearses:
        return f"Rehearsed{examples}{over}: losses and answers are made up. Target {facts.target.name}."
    return f"{facts.target.model} was fine-tuned{examples}{over}{count}, target {facts.target.name}."


def changed_questions(found: Changes, asked: Sequence[AnsweredQuestion], most: int) -> ChangedQuestions:
    """Return what changed, with at most so many questions of each kind."""
    by_id = {one.id: one for one in asked}
    fixed, broken = (
        tuple(by_id[name] for name in names[:most] if name in by_id) for names in (found.fixed, found.broken)
    )
    return ChangedQuestions(changes=found, fixed=fixed, broken=broken)


def changes_of(facts: Facts) -> tuple[Changes, ...]:
    """Return what changed most tellingly; nothing in a rehearsal."""
    return () if facts.target.rehearses else all_changes(facts.scores, facts.answers)


def side_by_side(answers: Sequence[Record], found: Sequence[Changes] = ()) -> tuple[AnsweredQuestion, ...]:
    """Return the questions in the order asked, each with its answers, and whether it is fixed or broken."""
    flips = {name: kind for one in found for name, kind in one.kinds.items()}
    groups: dict[str, list[Record]] = {}
    for answer in answers:
        groups.setdefault(answer.prompt_id, []).append(answer)
    return tuple(_asked(name, answers, flips.get(name)) for name, answers in groups.items())


def _asked(name: str, answers: list[Record], flip: str | None) -> AnsweredQuestion:
    first = next((one for one in answers if one.messages), answers[0])
    turns = [(str(one.get("role", "")), _content(one)) for one in first.messages]
    system = next((content for role, content in turns if role in SYSTEM_ROLES), None)
    spoken = [turn for turn in turns if turn[0] not in SYSTEM_ROLES]
    return AnsweredQuestion(
        id=name,
        question=spoken[-1][1] if spoken else "",
        system=system,
        turns=tuple(spoken[:-1]),
        answers=tuple(answers),
        flip=flip,
        recall=first.recall,
        reference=first.reference,
        set=first.set,
        tags=first.tags,
    )


def _content(message: Mapping[str, object]) -> str:
    """Return what a message says; of content in parts, the texts."""
    content = message.get("content")
    if isinstance(content, (list, tuple)):
        parts = [one.get("text") or f"({one.get('type')})" for one in content if isinstance(one, Mapping)]
        return "\n".join(map(str, parts))
    return "" if content is None else str(content)


def common_system(asked: Sequence[AnsweredQuestion]) -> str | None:
    """Return the system prompt if all questions have the same, so that it is shown once."""
    prompts = {one.system for one in asked}
    return prompts.pop() if len(prompts) == 1 else None


def by_interest(
    asked: Sequence[AnsweredQuestion], candidate: str | None, found: Sequence[Changes]
) -> list[AnsweredQuestion]:
    """Return the questions in the order of interest: broken, fixed, failed by the candidate, all others, and
    those of the general set after those about the task.
    """
    telling = dict.fromkeys(name for one in found for name in one.telling)
    places = {name: place for place, name in enumerate(telling)}

    def rank(one: AnsweredQuestion) -> tuple[int, bool]:
        failed = any(answer.candidate == candidate and answer.passed is False for answer in one.answers)
        apart = one.set == "general" and one.id not in places
        return places.get(one.id, len(places) + apart), not failed

    return sorted(asked, key=rank)
