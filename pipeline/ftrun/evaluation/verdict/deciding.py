"""The verdict about the first candidate, after the rules of docs/evaluation.md, and its headline."""

from __future__ import annotations

from typing import Literal

from ftrun.evaluation.results import BASE, PASS_RATE, Comparison, Decision, GateResult, Scores, Verdict
from ftrun.evaluation.verdict.metric_texts import size_text, value_text
from ftrun.evaluation.verdict.non_inferiority import NonInferiority, non_inferiorities
from ftrun.evaluation.verdict.reasons import HINT, as_good_untrained, is_untrained, nothing_right, reasons
from ftrun.experiment.gates import parse_gate

Tone = Literal["good", "bad", "neutral"]
TONES: dict[Decision, Tone] = {"ship": "good", "do_not_ship": "bad", "not_enough_evidence": "neutral"}


def verdict(scores: Scores) -> Verdict:
    """Return the decision with its reasons: gates first, then what each comparison shows."""
    return Verdict(decision=decision(scores), reasons=tuple(reasons(scores)))


def decision(scores: Scores) -> Decision:
    """Return whether the first candidate should be used."""
    found = list(scores.against())
    if any(not gate.passed for gate in scores.gates) or any(one.worse for one in found):
        return "do_not_ship"
    others = list(scores.candidates)[1:]
    deciding = [BASE] if BASE in others else others
    better = bool(deciding) and deciding == [one.b for one in found if one.better and one.b in deciding]
    held = any(_decides(gate, scores.subject) for gate in scores.gates)
    return "ship" if better or held else "not_enough_evidence"


def _decides(gate: GateResult, subject: str | None) -> bool:
    """Return whether a gate compares the subject at a level."""
    try:
        parsed = parse_gate(gate.gate)
    except ValueError:  # written by another version
        return False
    return parsed.level is not None and subject in (parsed.left.candidate, parsed.right.candidate)


def tone(scores: Scores) -> Tone:
    """Return whether the verdict is good news."""
    return TONES[decision(scores)]


def headline(scores: Scores) -> str:
    """Return the verdict in one sentence."""
    name, decided = scores.subject, decision(scores)
    missed = [gate for gate in scores.gates if not gate.passed]
    one = _telling(scores)
    if name is None:
        return "Nothing was evaluated."
    if one is not None and one.worse:
        return _worse(scores, one)
    margin = next((gate for gate in non_inferiorities(scores) if gate.a == name), None)
    if missed and margin is not None and [gate.gate for gate in missed] == [margin.gate]:
        return _replaced(scores, margin)
    if missed:
        n, total = len(missed), len(scores.gates)
        return f"Don't ship {name}: {n} of {total} gate{'' if total == 1 else 's'} missed."
    if decided == "ship" and margin is not None:
        return _replaced(scores, margin)
    if decided == "ship":
        return _ship(scores, one)
    if scores.metric is None:
        return "Judge the answers yourself: no question has an `expect` or a reference."
    if one is not None and nothing_right(scores):
        return nothing_right_headline(scores, one.n)
    return _alone(scores, name) if one is None else _open(scores, one)


def nothing_right_headline(scores: Scores, n: int) -> str:
    """Return that every candidate scores nothing, from n questions."""
    key, value = scores.metric or "", value_text(scores, scores.metric or "", 0)
    return (
        f"Nobody got anything right: every candidate scores {value} in {key} "
        f"({n} question{'' if n == 1 else 's'})."
    )


def _telling(scores: Scores) -> Comparison | None:
    """Return the comparison that the headline is about: the worst of those that are lost, else that with the
    base model, else the closest one.
    """
    found = [one for one in scores.against() if one.difference is not None]
    return min(
        found,
        key=lambda one: (
            not one.worse,
            (one.difference or 0) if one.worse else 0,
            one.b != BASE,
            one.difference or 0,
        ),
        default=None,
    )


def _worse(scores: Scores, one: Comparison) -> str:
    candidate, facts = one.b, _facts(scores, one)
    if is_untrained(scores, one.a) or not is_untrained(scores, candidate):
        return f"It is worse than {candidate}: {facts}."
    if candidate == BASE:
        return f"It got worse: {facts}."
    return f"Fine-tuning is not worth it: {candidate} does better without training; {facts}."


def _replaced(scores: Scores, one: NonInferiority) -> str:
    """Return whether the subject was shown to be at most a margin worse than the other."""
    a, b, key, margin = one.a, one.b, one.metric, size_text(scores, one.metric, one.margin)
    if one.shown:
        return f"{a} can replace {b}: it is at most {margin} worse in {key}."
    return f"Not shown that {a} can replace {b}: it may be more than {margin} worse in {key}."


def _ship(scores: Scores, one: Comparison | None) -> str:
    rival = next((other.b for other in scores.against() if as_good_untrained(scores, other)), None)
    if one is None or not one.better:
        name = scores.subject
        return f"Ready to ship: {name} meets every gate."
    candidate, facts = one.b, _facts(scores, one)
    if rival is not None:
        return f"It helped, but {rival} does as well without training: {facts}."
    if is_untrained(scores, candidate) and not is_untrained(scores, one.a):
        return f"It helped: {facts}."
    return f"It is better than {candidate}: {facts}."


def _open(scores: Scores, one: Comparison) -> str:
    """Return the headline where nothing is proven."""
    facts, n, candidate = _facts(scores, one), one.n, one.b
    if n < HINT:
        return f"Only a hint, from {n} question{'' if n == 1 else 's'}: {facts}."
    if one.low is None:
        return f"Too few questions to tell: {facts}."
    if one.better:  # of several others not all are beaten
        return f"Better than {candidate}, but not better than all: {facts}."
    if one.difference == 0:
        return f"No difference: {facts}."
    if as_good_untrained(scores, one):
        return f"No sign that fine-tuning helped: {facts}."
    if (one.difference or 0) > 0:
        return f"Perhaps better, but the difference is not significant: {facts}."
    return f"Perhaps worse, but the difference is not significant: {facts}."


def _alone(scores: Scores, name: str) -> str:
    found = scores.estimate(name, scores.metric)
    if found is None or found.value is None:
        return "Nothing could be judged."
    key, value, n = scores.metric or "", value_text(scores, scores.metric or "", found.value), found.n
    return f"Nothing to compare with: {name} scores {value} in {key} ({n} question{'' if n == 1 else 's'})."


def _facts(scores: Scores, one: Comparison) -> str:
    """Return both values: passes where they are counts."""
    name, candidate, key, n = one.a, one.b, one.metric, one.n
    mine, others = scores.estimate(name, key), scores.estimate(candidate, key)
    if mine is None or others is None or mine.value is None or others.value is None:
        size = size_text(scores, key, abs(one.difference or 0))
        return f"the difference in {key} is {size}"
    passed, theirs = mine.value * n, others.value * n
    counts = one.flips is not None and mine.n == others.n == n
    if counts and all(abs(many - round(many)) < 1e-6 for many in (passed, theirs)):
        passed, theirs = round(passed), round(theirs)
        if key == PASS_RATE:
            return f"{name} passes {passed} of {n} question{'' if n == 1 else 's'}, {candidate} {theirs}"
        return f"{name} scores {passed} of {n} in {key}, {candidate} {theirs}"
    value, other = value_text(scores, key, mine.value), value_text(scores, key, others.value)
    return f"{name} scores {value} in {key}, {candidate} {other} ({n} question{'' if n == 1 else 's'})"
