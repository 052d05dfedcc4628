"""Decide whether `eval.gates` hold: values alone or, with `@95%`, the whole interval of left minus right."""

from __future__ import annotations

import operator
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from ftrun.errors import ConfigError
from ftrun.evaluation.comparisons import Interval, Pair
from ftrun.evaluation.estimates import estimated, value_of
from ftrun.evaluation.observed import Key, Observed
from ftrun.evaluation.resampling import Resampling
from ftrun.evaluation.results import GateResult
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
            raise ConfigError(f"the gate {text!r} is not valid: {error}", code="gate") from None
        for side in (gate.left, gate.right):
            if side.candidate is not None and side.candidate not in candidates:
                message = f"the gate {text!r} names an unknown candidate: {side.candidate}"
                hint = f"The candidates in `eval.models` are: {', '.join(candidates)}."
                raise ConfigError(message, code="gate", hint=hint)
            if side.metric is not None and side.metric not in metrics:
                message = f"the gate {text!r} names an unknown metric: {side.metric}"
                hint = f"The metrics of this evaluation are: {', '.join(metrics)}."
                raise ConfigError(message, code="gate", hint=hint)


def gate_results(
    gates: Sequence[str], observed: Mapping[Key, Observed], resampling: Resampling
) -> tuple[GateResult, ...]:
    """Return for each gate whether it holds."""
    return tuple(_result(parse_gate(text), observed, resampling) for text in gates)


def _result(gate: Gate, observed: Mapping[Key, Observed], resampling: Resampling) -> GateResult:
    values: list[float] = []
    for side in (gate.left, gate.right):
        value = _value(side, observed)
        if value is None:
            return _missed(gate, f"Gate missed: {gate.text} ({_name(side)} has no value).")
        values.append(value)
    value = round(values[0] - values[1], DIGITS)
    if gate.level is not None:
        return _at_level(gate, value, _interval(gate, gate.level / 100, observed, resampling))
    if OPERATORS[gate.op](value, 0):
        return GateResult(gate=gate.text, passed=True, value=value)
    left, right = values
    return _missed(gate, f"Gate missed: {gate.text} (left is {left:.4g}, right is {right:.4g}).", value)


def _at_level(gate: Gate, value: float, interval: Interval | None) -> GateResult:
    if interval is None:
        return _missed(gate, f"Gate missed: {gate.text} (too few questions for an interval).", value)
    low, high = (round(end, DIGITS) for end in interval)
    passed = all(OPERATORS[gate.op](end, 0) for end in (low, high))
    reason = (
        "" if passed else f"Gate missed: {gate.text} (left minus right is between {low:.4g} and {high:.4g})."
    )
    return GateResult(gate=gate.text, passed=passed, value=value, low=low, high=high, reason=reason)


def _missed(gate: Gate, reason: str, value: float | None = None) -> GateResult:
    return GateResult(gate=gate.text, passed=False, value=value, reason=reason)


def _name(side: Side) -> str:
    return f"{side.candidate}.{side.metric}"


def _value(side: Side, observed: Mapping[Key, Observed]) -> float | None:
    if side.candidate is None or side.metric is None:
        return side.number
    found = observed.get((side.candidate, side.metric))
    value = value_of(found) if found and found.sums else None
    return None if value is None else value + side.number


def _interval(
    gate: Gate, level: float, observed: Mapping[Key, Observed], resampling: Resampling
) -> Interval | None:
    """Return the interval of left minus right: paired for two candidates, else that of the one minus the
    number.
    """
    left, right = (_observed(side, observed) for side in (gate.left, gate.right))
    if left and right:
        found = Pair(left, right, resampling).interval(level)
        return found and _moved(found, gate.left.number - gate.right.number)
    one = left or right
    estimate = estimated(one, resampling, level) if one else None
    if estimate is None or estimate.low is None or estimate.high is None:
        return None
    offset = gate.left.number - gate.right.number
    if right:
        return _moved((-estimate.high, -estimate.low), offset)
    return _moved((estimate.low, estimate.high), offset)


def _observed(side: Side, observed: Mapping[Key, Observed]) -> Observed | None:
    if side.candidate is None or side.metric is None:
        return None
    return observed.get((side.candidate, side.metric))


def _moved(interval: Interval, by: float) -> Interval:
    return interval[0] + by, interval[1] + by
