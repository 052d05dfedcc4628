"""The verdict about the first candidate, after the rules of docs/evaluation.md, and its sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from ftrun.evaluation.results import (
    BASE,
    Decision,
    GateResult,
    Scores,
    Verdict,
)
from ftrun.experiment.gates import parse_gate

Tone = Literal["good", "bad", "neutral"]
TONES: dict[Decision, Tone] = {"ship": "good", "do_not_ship": "bad", "not_enough_evidence": "neutral"}
UNTRAINED = (BASE, "few-shot", "retrieval")
HINT = 10  # questions; what fewer say is a hint
MANY = 20_000  # questions; nobody writes more to settle a verdict


def verdict(scores: Scores) -> Verdict:
    """Return the decision with its reasons: gates first, then what each comparison shows."""
    return Verdict(decision=decision(scores), reasons=tuple(_reasons(scores)))


def decision(scores: Scores) -> Decision:
    """Return whether the first candidate should be used."""
    found = list(scores.against())
    if any(not gate.passed for gate in scores.gates) or any(one.worse for one in found):
        return "do_not_ship"
    bases = [one for one in found if one.b == BASE]
    if bases or BASE in list(scores.candidates)[1:]:
        better = any(one.better for one in bases)
    else:
        better = bool(found) and len(found) == len(scores.candidates) - 1 and all(one.better for one in found)
    held = any(_decides(gate, scores.subject) for gate in scores.gates)
    return "ship" if better or held else "not_enough_evidence"


def _decides(gate: GateResult, subject: str | None) -> bool:
    """Return whether a gate compares the subject at a level."""
    try:
        parsed = parse_gate(gate.gate)
    except ValueError:  # written by another version
        return False
    return parsed.level is not None and subject in (parsed.left.candidate, parsed.right.candidate)


def headline(scores: Scores) -> str:
    """Return the verdict in one sentence."""
    raise NotImplementedError


def _reasons(scores: Scores) -> Iterator[str]:
    yield from (gate.reason for gate in scores.gates if not gate.passed)
