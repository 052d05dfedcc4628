"""The formula of a `multi` grader, such as `0.7 * style + 0.3 * facts`: parsed by Python, computed here.

Numbers, the graders' names, `+ - * / ^` and the functions min, max, abs, floor, ceil, exp, sqrt and log.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Collection, Mapping

LONGEST = 500  # characters, which bounds its depth
OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: math.pow,
}
FUNCTIONS: Mapping[str, Callable[..., float]] = {
    "min": lambda *numbers: min(numbers),
    "max": lambda *numbers: max(numbers),
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "exp": math.exp,
    "sqrt": math.sqrt,
    "log": math.log,
}


class FormulaError(ValueError):
    """A formula that can't be read, or computed for these scores."""


class Formula:
    """A formula over named scores."""

    def __init__(self, text: str, names: Collection[str]) -> None:
        """Read it; FormulaError if it has anything but numbers, operators, functions and these names."""
        if len(text) > LONGEST:
            raise FormulaError(f"it has more than {LONGEST:,} characters")
        try:
            self._tree = ast.parse(text.replace("^", "**").strip(), mode="eval").body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            raise FormulaError("it is not a formula") from None
        self._names = names
        self.used: set[str] = set()
        _check(self._tree, names, self.used)

    def of(self, scores: Mapping[str, float]) -> float:
        """Return its value; FormulaError where there is none, such as for a division by zero."""
        try:
            value = _computed(self._tree, scores)
        except ArithmeticError:
            raise FormulaError("it divides by zero or is too large") from None
        except ValueError:
            raise FormulaError("it has no real value") from None
        if not math.isfinite(value):
            raise FormulaError("it has no finite value")
        return value


def _check(node: ast.expr, names: Collection[str], used: set[str]) -> None:
    match node:
        case ast.Constant(value=bool()):
            raise FormulaError("it must not contain True or False")
        case ast.Constant(value=int() | float()):
            return
        case ast.Name(id=name) if name in names:
            used.add(name)
        case ast.Name(id=name):
            raise FormulaError(f"{name} is not one of its graders ({', '.join(sorted(names))})")
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=inner):
            _check(inner, names, used)
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in OPERATORS:
            _check(left, names, used)
            _check(right, names, used)
        case ast.Call(func=ast.Name(id=name), args=[_, *_] as given, keywords=[]) if name in FUNCTIONS:
            if name not in ("min", "max") and len(given) != 1:
                raise FormulaError(f"{name} takes one number")
            for one in given:
                _check(one, names, used)
        case _:
            raise FormulaError(f"it must not contain {ast.unparse(node)[:40]}")


def _computed(node: ast.expr, scores: Mapping[str, float]) -> float:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            return scores[name]
        case ast.UnaryOp(op=sign, operand=inner):
            value = _computed(inner, scores)
            return -value if isinstance(sign, ast.USub) else value
        case ast.BinOp(left=left, op=sign, right=right):
            return OPERATORS[type(sign)](_computed(left, scores), _computed(right, scores))
        case ast.Call(func=ast.Name(id=name), args=given):
            return float(FUNCTIONS[name](*(_computed(one, scores) for one in given)))
    raise FormulaError("it is not a formula")
