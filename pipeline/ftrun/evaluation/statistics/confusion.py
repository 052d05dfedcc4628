"""Confusion matrices of classifications: which labels each candidate says for which true ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ftrun.evaluation.statistics.observed import Key, Observed
from ftrun.scoring.classification import Classification, confusion
from ftrun.scoring.types import Scorer


def confusions(
    scorers: Iterable[Scorer], observed: Mapping[Key, Observed], candidates: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return each candidate's confusion matrix; nothing without a classification."""
    scorer = next((one for one in scorers if isinstance(one, Classification)), None)
    if scorer is None:
        return {}
    found = {}
    for candidate in candidates:
        of_sums = (observed.get((candidate, metric.name)) for metric in scorer.metrics)
        first = next((one for one in of_sums if one is not None and one.statistics is not None), None)
        if first is not None:
            found[candidate] = confusion(scorer.labels, _sums(first))
    return found


def _sums(observed: Observed) -> list[float]:
    sums = [0.0] * observed.width
    for question in observed.totals:
        for place, number in (observed.statistics or {})[question].items():
            sums[place] += number
    return sums
