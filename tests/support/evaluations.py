"""Evaluations made by hand: samples, answers, and what evaluation says of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ftrun.evaluation.answers import Record
from ftrun.evaluation.evaluate import evaluate
from ftrun.evaluation.results import Scores
from ftrun.scoring.scorers import scorers_for
from ftrun.scoring.types import Sample


def sample(name: str, **values: Any) -> Sample:
    """Return a question whose answer must contain はい, unless `values` say otherwise."""
    given = {"turns": ({"role": "user", "content": "質問です"},), "expect": {"contains": "はい"}, **values}
    return Sample(id=name, **given)


def record(prompt_id: str, candidate: str, answer: str, **values: Any) -> Record:
    """Return an answer that nobody has scored."""
    given: dict[str, Any] = {"model": f"model-of-{candidate}", "usage": {}, "seconds": 1.0, **values}
    return Record(
        prompt_id=prompt_id,
        candidate=candidate,
        messages=({"role": "user", "content": "質問です"},),
        answer=answer,
        expect=None,
        passed=None,
        cache_key="k",
        **given,
    )


def passing(passed: Mapping[str, Sequence[bool]], *, start: int = 0) -> list[Record]:
    """Return answers of which these pass, question by question, q0 first."""
    return [
        record(f"q{start + number}", candidate, "はい" if one else "いいえ")
        for candidate, several in passed.items()
        for number, one in enumerate(several)
    ]


def some(passed: int, n: int, *, offset: int = 0) -> list[bool]:
    """Return that `passed` of n questions are passed, from the one at `offset` on."""
    return [(number - offset) % n < passed for number in range(n)]


def evaluated(
    records: Sequence[Record], samples: Sequence[Sample] | None = None, **values: Any
) -> tuple[Scores, list[Record]]:
    """Return what evaluation says of answers; candidates are in the order in which they come."""
    samples = samples or [sample(name) for name in dict.fromkeys(one.prompt_id for one in records)]
    given = {
        "experiment": "e",
        "target": "t",
        "candidates": list(dict.fromkeys(one.candidate for one in records)),
        "models": {one.candidate: one.model for one in records},
        "scorers": scorers_for((), samples),
        **values,
    }
    return evaluate(samples=samples, records=records, **given)


def scores_of(passed: Mapping[str, Sequence[bool]], **values: Any) -> Scores:
    """Return the scores where these answers pass."""
    return evaluated(passing(passed), **values)[0]
