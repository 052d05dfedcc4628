"""Read scores.json, also as earlier versions wrote it: pass rates, and the flips from base to tuned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftrun.evaluation.results import BASE, PASS_RATE, CandidateResult, Comparison, Estimate, Flips, Scores
from ftrun.evaluation.statistics.estimates import FEWEST_PASSES
from ftrun.evaluation.statistics.proportions import detectable, mcnemar, tango, wilson

TUNED = "tuned"


def read_scores(document: Mapping[str, Any]) -> Scores:
    """Return the scores of a document of any version."""
    return Scores.from_dict(document) if "comparisons" in document else _older_scores(document)


def _older_scores(document: Mapping[str, Any]) -> Scores:
    """Return the scores of {"candidates": {NAME: {"pass_rate", "passed", …}}, "flips": […]}.

    Version 0.1 wrote `rivals` for `candidates`. The file is sorted by name; the tuned model is put first.
    """
    found = document.get("candidates", document.get("rivals", {}))
    names = sorted(found, key=lambda name: name != TUNED)
    candidates = {name: _candidate(found[name]) for name in names}
    flips = document.get("flips", ())
    metric = PASS_RATE if any(PASS_RATE in one.metrics for one in candidates.values()) else None
    comparison = _comparison(candidates, flips)
    return Scores(
        candidates=candidates,
        comparisons=() if comparison is None else (comparison,),
        metric=metric,
        scales={PASS_RATE: "share", "recall": "share"},
    )


def _candidate(values: Mapping[str, Any]) -> CandidateResult:
    metrics = {PASS_RATE: _estimate(values)} if values.get("judged") else {}
    parts = {name: {PASS_RATE: _estimate(values[name])} for name in ("recall", "unseen") if values.get(name)}
    if "recall" in parts:
        metrics["recall"] = parts["recall"][PASS_RATE]
    return CandidateResult(model=None, metrics=metrics, answered=values.get("asked", 0), parts=parts)


def _estimate(values: Mapping[str, Any]) -> Estimate:
    passed, n = values["passed"], values["judged"]
    low, high = wilson(passed, n) if n >= FEWEST_PASSES else (None, None)
    return Estimate(value=values["pass_rate"], n=n, low=low, high=high)


def _comparison(candidates: Mapping[str, CandidateResult], flips: Any) -> Comparison | None:
    """Return what the flips say; nothing unless both were judged on the same questions."""
    sizes = {
        candidates[name].metrics[PASS_RATE].n
        for name in (TUNED, BASE)
        if name in candidates and PASS_RATE in candidates[name].metrics
    }
    if len(sizes) != 1 or not {TUNED, BASE} <= candidates.keys():
        return None
    (n,) = sizes
    fixed, broken = (
        tuple(one["prompt_id"] for one in flips if one["change"] == change) for change in ("fixed", "broken")
    )
    better, worse = len(fixed), len(broken)
    low, high = tango(better, worse, n) if n >= FEWEST_PASSES else (None, None)
    return Comparison(
        a=TUNED,
        b=BASE,
        metric=PASS_RATE,
        difference=(better - worse) / n,
        low=low,
        high=high,
        p=mcnemar(better, worse) if n >= FEWEST_PASSES else None,
        n=n,
        flips=Flips(fixed=fixed, broken=broken, same=n - better - worse),
        detectable=detectable((better + worse) / n, n) if n >= FEWEST_PASSES else None,
    )
