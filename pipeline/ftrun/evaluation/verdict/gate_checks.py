"""Decide whether `eval.gates` hold: values alone or, with `@95%`, the whole interval of left minus right."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ftrun.errors import ConfigError
from ftrun.evaluation.results import Estimate, GateResult
from ftrun.evaluation.statistics.comparisons import Pair
from ftrun.evaluation.statistics.estimates import estimated, value_of
from ftrun.evaluation.statistics.observed import Key, Observed
from ftrun.evaluation.statistics.resampling import Resampling
from ftrun.evaluation.verdict.question_counts import rounded_up
from ftrun.experiment.gates import Gate, Side, parse_gate

DIGITS = 9  # 0.92 - 0.02 >= 0.9 holds, though floats differ in the sixteenth digit
OPERATORS: Mapping[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def check_gates(gates: Iterable[str], candidates: Collection[str], metrics: Collection[str]) -> None:
    """Raise ConfigError for a gate that can't be read, or names a candidate or metric that isn't there."""
    for text in gates:
        try:
            gate = parse_gate(text)
        except ValueError as error:
            message = f"`eval.gates` has {text!r}, which is not a gate: {error}"
            hint = "Write a gate as in: tuned.chrf >= base.chrf - 0.05 @95%"
            raise ConfigError(message, code="gate", hint=hint) from None
        for side in (gate.left, gate.right):
            if side.candidate is not None and side.candidate not in candidates:
                name, names = side.candidate, ", ".join(candidates)
                message = f"`eval.gates` has {text!r}, but there is no candidate {name}"
                raise ConfigError(message, code="gate", hint=f"Candidates here: {names}.")
            if side.metric is not None and side.metric not in metrics:
                key, names = side.metric, ", ".join(metrics)
                message = f"`eval.gates` has {text!r}, but there is no metric {key}"
                raise ConfigError(message, code="unknown_metric", hint=f"Metrics here: {names}.")


def gate_results(
    gates: Sequence[str], observed: Mapping[Key, Observed], resampling: Resampling
) -> tuple[GateResult, ...]:
    """Return for each gate whether it holds."""
    return tuple(_result(parse_gate(text), observed, resampling) for text in gates)


def _result(gate: Gate, observed: Mapping[Key, Observed], resampling: Resampling) -> GateResult:
    values: list[float] = []
    for side in (gate.left, gate.right):
        value = _value(side, observed, resampling)
        if value is None:
            return _missed(gate, f"Gate missed: {gate.text} ({_name(side)} has no value).")
        values.append(value)
    if gate.level is not None:
        return _at_level(gate, observed, resampling)
    left, right = values
    value = round(left - right, DIGITS)
    if OPERATORS[gate.op](value, 0):
        return GateResult(gate=gate.text, passed=True, value=value)
    return _missed(gate, f"Gate missed: {gate.text} (left is {left:.4g}, right is {right:.4g}).", value)


def _at_level(gate: Gate, observed: Mapping[Key, Observed], resampling: Resampling) -> GateResult:
    found = _paired(gate, observed, resampling)
    if found.value is None:
        return _missed(gate, f"Gate missed: {gate.text} (no question was answered by both).")
    if found.low is None or found.high is None:
        n = found.n
        return _missed(gate, f"Gate missed: {gate.text} (too few questions: {n}).", found.value)
    low, high = round(found.low, DIGITS), round(found.high, DIGITS)
    holds = [OPERATORS[gate.op](one, 0) for one in (found.value, low, high)]
    reason = "" if all(holds) else f"Gate missed: {gate.text} (left minus right is {low:.4g} to {high:.4g})."
    if reason and holds[0] and found.value:
        more = _more(found.value, low if found.value > 0 else high, found.n)
        reason = (
            f"Gate missed: {gate.text} (left minus right is {low:.4g} to {high:.4g}; "
            f"about {more} more questions may settle it)."
        )
    return GateResult(gate=gate.text, passed=all(holds), value=found.value, low=low, high=high, reason=reason)


def _more(value: float, end: float, n: int) -> int:
    """Return how many more questions would narrow the interval so that it no longer reaches the limit."""
    return rounded_up(n * ((value - end) / value) ** 2 - n)


def _missed(gate: Gate, reason: str, value: float | None = None) -> GateResult:
    return GateResult(gate=gate.text, passed=False, value=value, reason=reason)


def _name(side: Side) -> str:
    return f"{side.candidate}.{side.metric}"


def _value(side: Side, observed: Mapping[Key, Observed], resampling: Resampling) -> float | None:
    if side.candidate is None or side.metric is None:
        return side.number
    found = observed.get((side.candidate, side.metric))
    value = value_of(found, resampling) if found and found.totals else None
    return None if value is None else value + side.number


def _paired(gate: Gate, observed: Mapping[Key, Observed], resampling: Resampling) -> Estimate:
    """Return left minus right with its interval at the gate's level: on the questions that both answered or,
    against a number, on all of one candidate's.
    """
    level, offset = (gate.level or 0) / 100, gate.left.number - gate.right.number
    left, right = (_observed(side, observed) for side in (gate.left, gate.right))
    if left and right:
        pair = Pair(left, right, resampling)
        low, high = pair.interval(level) or (None, None)
        found = Estimate(value=pair.difference, n=pair.n, low=low, high=high)
    elif left:
        found = estimated(left, resampling, level)
    else:
        assert right is not None  # a gate has a metric on one side at least
        one = estimated(right, resampling, level)
        found = Estimate(value=_turned(one.value), n=one.n, low=_turned(one.high), high=_turned(one.low))
    low, high = (None if end is None else end + offset for end in (found.low, found.high))
    value = None if found.value is None else round(found.value + offset, DIGITS)
    return Estimate(value=value, n=found.n, low=low, high=high)


def _turned(value: float | None) -> float | None:
    return None if value is None else -value


def _observed(side: Side, observed: Mapping[Key, Observed]) -> Observed | None:
    if side.candidate is None or side.metric is None:
        return None
    return observed.get((side.candidate, side.metric))
