"""Pass rates and flips: how many questions each candidate passed, and where tuned and base differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from ftrun.evaluation.answers import Record


@dataclass(frozen=True, slots=True, kw_only=True)
class PartScore:
    """The score of one candidate on some of the questions."""

    pass_rate: float | None
    passed: int
    judged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CandidateScore:
    """The score of a candidate. `judged` are questions with an `expect`; without any, `pass_rate` is None.

    If some questions are in the training data, `recall` is the score on these and `unseen` on the rest.
    """

    pass_rate: float | None
    passed: int
    judged: int
    asked: int
    recall: PartScore | None = None
    unseen: PartScore | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """A question that only one of the two passes: `fixed` by fine-tuning, or `broken` by it."""

    prompt_id: str
    change: Literal["fixed", "broken"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    """The scores of all candidates in the order asked, and the flips from base to tuned."""

    candidates: Mapping[str, CandidateScore] = field(default_factory=dict)
    flips: tuple[Flip, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Return the document of scores.json: {"candidates": {name: {…}}, "flips": [{prompt_id, change}]}."""
        candidates = {
            # missing parts are left out; without judged questions, `pass_rate` stays as null
            name: {
                key: value for key, value in asdict(score).items() if value is not None or key == "pass_rate"
            }
            for name, score in self.candidates.items()
        }
        return {"candidates": candidates, "flips": [asdict(flip) for flip in self.flips]}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Scores:
        """Return the scores of a document of scores.json; version 0.1 wrote `rivals` for `candidates`."""
        found = document.get("candidates", document.get("rivals", {}))
        return cls(
            candidates={name: _score_of(one) for name, one in found.items()},
            flips=tuple(Flip(**one) for one in document.get("flips", ())),
        )


def _score_of(values: Mapping[str, Any]) -> CandidateScore:
    parts = {name: PartScore(**values[name]) for name in ("recall", "unseen") if values.get(name)}
    return CandidateScore(**{**values, **parts})


def score(records: Sequence[Record], *, tuned: str = "tuned", base: str = "base") -> Scores:
    """Count passes per candidate, and compare `tuned` with `base` question by question."""
    names = dict.fromkeys(record.candidate for record in records)
    candidates = {name: _count([one for one in records if one.candidate == name]) for name in names}
    return Scores(candidates=candidates, flips=_flips(records, tuned, base))


def _count(records: Sequence[Record]) -> CandidateScore:
    known = [record for record in records if record.recall]
    whole, recall, rest = _part(records), _part(known), _part([one for one in records if not one.recall])
    return CandidateScore(
        pass_rate=whole.pass_rate,
        passed=whole.passed,
        judged=whole.judged,
        asked=len(records),
        recall=recall if known else None,
        unseen=rest if known else None,
    )


def _part(records: Sequence[Record]) -> PartScore:
    verdicts = [record.passed for record in records if record.passed is not None]
    rate = sum(verdicts) / len(verdicts) if verdicts else None
    return PartScore(pass_rate=rate, passed=sum(verdicts), judged=len(verdicts))


def _flips(records: Sequence[Record], tuned: str, base: str) -> tuple[Flip, ...]:
    verdict = {(record.prompt_id, record.candidate): record.passed for record in records}
    flips = []
    for prompt_id in dict.fromkeys(record.prompt_id for record in records):
        after, before = verdict.get((prompt_id, tuned)), verdict.get((prompt_id, base))
        if after is not None and before is not None and after != before:
            flips.append(Flip(prompt_id=prompt_id, change="fixed" if after else "broken"))
    return tuple(flips)
