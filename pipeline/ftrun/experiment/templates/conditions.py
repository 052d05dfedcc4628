"""Conditions on rows (`where`): one Jinja2 expression in the templates' sandbox, true or false."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from ftrun.errors import ConfigError
from ftrun.experiment.templates.sandbox import ExperimentEnvironment, MissingError
from ftrun.untrusted import CapError, Capped


class ConditionError(Exception):
    """A condition can't be evaluated for a row; `hint` says what would help."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Condition:
    """One condition, in a process that may be killed. Not thread-safe."""

    def __init__(self, text: str, folder: Path) -> None:
        self._compiled = Capped(_Compiled, text, folder)

    def verdicts(self, rows: Sequence[Mapping[str, Any]]) -> list[bool | ConditionError]:
        """Return whether the condition is true for each of the rows, or why it can't be evaluated.

        ConfigError if that exceeds the limits.
        """
        try:
            found = self._compiled.call("verdicts", rows)
        except CapError as error:
            hint = "Simplify the condition, or prepare the rows in advance."
            raise ConfigError(f"where: {error}", code="template_limit", hint=hint) from error
        return [one if isinstance(one, bool) else ConditionError(*one) for one in found]


class _Compiled:
    """A compiled condition."""

    def __init__(self, text: str, folder: Path) -> None:
        self._text = text
        self._expression = ExperimentEnvironment(folder).compile_expression(
            text.strip(), undefined_to_none=False
        )

    def verdicts(self, rows: Sequence[Mapping[str, Any]]) -> list[bool | tuple[str, str | None]]:
        """Return a verdict for each row: true, false, or the reason why there is none and a hint."""
        return [self._verdict(row) for row in rows]

    def _verdict(self, row: Mapping[str, Any]) -> bool | tuple[str, str | None]:
        try:
            value = self._expression({**row, "row": row})
            if isinstance(value, bool):
                return value
            if not value:  # null and "" count as false; an undefined name raises here
                return False
        except (CapError, MemoryError):
            raise
        except MissingError as error:
            return _missing(error, row)
        except Exception as error:  # an expression can raise anything, and is at fault
            texts = "Values of text files are text: write `year|int >= 2025` to compare as numbers."
            return str(error) or type(error).__name__, texts if isinstance(error, TypeError) else None
        hint = f"Compare it: `({self._text}) != ''`, or with the value that is meant."
        return f"it evaluates to {_kind(value)}, not true or false", hint


def syntax_error(text: str, folder: Path) -> str | None:
    """Return what is wrong with a condition itself, None if nothing is."""
    try:
        Capped(_Compiled, text, folder).call("verdicts", [])
    except (TemplateError, CapError) as error:
        return str(error)
    except (RecursionError, SyntaxError) as error:
        return f"too deeply nested ({type(error).__name__})"
    except Exception as error:  # constants are computed here, and a computation can raise anything
        return str(error) or type(error).__name__
    return None


def _missing(error: MissingError, row: Mapping[str, Any]) -> tuple[str, str | None]:
    if error.owner is None and error.message != f"{error.name!r} is undefined":
        return str(error.message), None  # an attribute that does not exist, or that templates may not use
    known = [str(name) for name in (row if error.owner is None else error.owner)]
    near = difflib.get_close_matches(error.name, known, n=1)
    hint = f"Did you mean `{near[0]}`? " if near else ""
    return f"there is no column {error.name!r}", f"{hint}Columns: {', '.join(known)}."


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "a text"
    return "a number" if isinstance(value, (int, float)) else "a list or mapping"
