"""Sentences beside the verdict: what is wrong with the answers or the questions that it rests on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from ftrun.evaluation.answers import Record
from ftrun.evaluation.results import BASE, Scores
from ftrun.evaluation.verdict.metric_texts import value_text
from ftrun.evaluation.verdict.reasons import is_untrained
from ftrun.scoring.texts.degenerate import degenerate, expected_language
from ftrun.scoring.types import Sample

GENERAL = "general"


def cautions(scores: Scores, only_recall: bool) -> Iterator[str]:
    """Yield the warnings; `only_recall`: no question but those of the training data could be judged."""
    if only_recall:
        yield (
            "All judged questions are in the training data: scores show what was memorized, "
            "not what was learned."
        )
    for name, one in scores.candidates.items():
        answered, total = one.answered, one.missing + one.answered
        if one.missing:
            yield (
                f"Answers are missing: {name} answered {answered} of {total} "
                f"question{'' if total == 1 else 's'}; its comparisons leave out the others."
            )
    yield from _forgotten(scores)


def _forgotten(scores: Scores) -> Iterator[str]:
    """Yield what was forgotten: the subject passes significantly fewer general questions than the base."""
    name, found = scores.subject or "", scores.comparison(BASE, GENERAL)
    if found is None or not found.worse or is_untrained(scores, name):
        return
    mine, base = (scores.estimate(one, GENERAL) for one in (name, BASE))
    if mine is not None and base is not None and mine.value is not None and base.value is not None:
        value, other = (value_text(scores, GENERAL, one) for one in (mine.value, base.value))
        yield (
            f"General ability was lost: {name} passes {value} of the general questions, base {other}. "
            f"Mix general examples into the training data: set `data.replay`."
        )


def degenerate_answers(records: Sequence[Record], samples: Mapping[str, Sample]) -> Iterator[str]:
    """Yield for each candidate how many of its answers loop, are broken or in a language nobody asked for."""
    languages = {name: expected_language(one) for name, one in samples.items()}
    found: dict[str, list[tuple[str, str]]] = {}
    for record in records:
        if record.prompt_id in samples:
            fault = degenerate(record.answer, languages[record.prompt_id])
            found.setdefault(record.candidate, []).extend([(record.prompt_id, fault)] if fault else [])
    for name, faults in found.items():
        if faults:
            n, (key, fault) = len(faults), faults[0]
            yield f"Degenerate answers: {n} from {name}, such as the one to {key}, which {fault}."
