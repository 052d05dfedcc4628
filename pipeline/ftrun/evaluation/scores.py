"""Pass rates and flips: who answered how many questions right, and where tuned and base differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from ftrun.evaluation.answers import Judged


@dataclass(frozen=True, slots=True, kw_only=True)
class PartScore:
    """How one rival did on a part of the questions."""

    pass_rate: float | None
    passed: int
    judged: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RivalScore:
    """How one rival did. `judged` are the questions with an `expect`; without any, `pass_rate` is None.

    Where some questions stand in the training data, `recall` is the score on these and `unseen` on the rest.
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
    """The scores of all rivals in the order asked, and the flips from base to tuned."""

    rivals: Mapping[str, RivalScore]
    flips: tuple[Flip, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the document of scores.json: {"rivals": {rival: {…}}, "flips": [{prompt_id, change}]}."""
        rivals = {name: _without_nothing(asdict(score)) for name, score in self.rivals.items()}
        return {"rivals": rivals, "flips": [asdict(flip) for flip in self.flips]}


def score(records: Sequence[Judged], *, tuned: str = "tuned", base: str = "base") -> Scores:
    """Count passes per rival, and compare `tuned` with `base` question by question."""
    names = dict.fromkeys(record.rival for record in records)
    rivals = {name: _count([one for one in records if one.rival == name]) for name in names}
    return Scores(rivals=rivals, flips=_flips(records, tuned, base))


def _count(records: Sequence[Judged]) -> RivalScore:
    known = [record for record in records if record.recall]
    whole, recall, rest = _part(records), _part(known), _part([one for one in records if not one.recall])
    return RivalScore(
        pass_rate=whole.pass_rate,
        passed=whole.passed,
        judged=whole.judged,
        asked=len(records),
        recall=recall if known else None,
        unseen=rest if known else None,
    )


def _without_nothing(score: dict[str, Any]) -> dict[str, Any]:
    """Leave out the parts that there are not; without any judged question `pass_rate` stays, as null."""
    return {name: value for name, value in score.items() if value is not None or name == "pass_rate"}


def _part(records: Sequence[Judged]) -> PartScore:
    verdicts = [record.passed for record in records if record.passed is not None]
    rate = sum(verdicts) / len(verdicts) if verdicts else None
    return PartScore(pass_rate=rate, passed=sum(verdicts), judged=len(verdicts))


def _flips(records: Sequence[Judged], tuned: str, base: str) -> tuple[Flip, ...]:
    verdict = {(record.prompt_id, record.rival): record.passed for record in records}
    flips = []
    for prompt_id in dict.fromkeys(record.prompt_id for record in records):
        after, before = verdict.get((prompt_id, tuned)), verdict.get((prompt_id, base))
        if after is not None and before is not None and after != before:
            flips.append(Flip(prompt_id=prompt_id, change="fixed" if after else "broken"))
    return tuple(flips)
