"""The options of a scorer, taken from the experiment file one by one; what is wrong is said in a sentence."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from ftrun.errors import ConfigError
from ftrun.scoring.texts.json_values import short

# modules of the extra `eval`
EVAL = (
    *("numpy", "sacrebleu", "rouge_score", "nltk", "rapidfuzz"),
    *("sudachipy", "sudachidict_small", "bm25s", "junitparser"),
)


class Options:
    """What a scorer was given. `end` refuses options that nobody asked for.

    `checking`: the options are only checked, so packages may be missing, and models aren't loaded.
    """

    def __init__(self, scorer: str, given: Mapping[str, Any], *, checking: bool = False) -> None:
        self.scorer, self.checking = scorer, checking
        self._given = dict(given)
        self._known: list[str] = []

    def take(self, name: str, default: Any = None) -> Any:
        """Return any value as it is."""
        self._known.append(name)
        return self._given.pop(name, default)

    def flag(self, name: str, default: bool) -> bool:
        """Return true or false."""
        value = self.take(name, default)
        if not isinstance(value, bool):
            raise self.fault(name, value, "true or false")
        return value

    def text(self, name: str, default: str | None = None) -> str:
        """Return a text that is not empty; without a default it is required."""
        value = self.take(name, default)
        if value is None:
            raise self.error(f"The scorer {self.scorer} needs `{name}`.")
        if not isinstance(value, str) or not value:
            raise self.fault(name, value, "a text")
        return value

    def choice(self, name: str, choices: Sequence[str], default: str) -> str:
        """Return one of the choices."""
        value = self.take(name, default)
        if value not in choices:
            raise self.fault(name, value, f"one of {', '.join(choices)}")
        return str(value)

    def number(self, name: str, default: float, *, least: float = 0) -> float:
        """Return a number."""
        value = self.take(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value < float("inf"):
            raise self.fault(name, value, f"a number from {least:g}")
        return float(value)

    def count(self, name: str, default: int, *, least: int = 1, most: int = 100) -> int:
        """Return a whole number."""
        value = self.take(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.fault(name, value, f"a whole number from {least} to {most}")
        return int(value)

    def texts(self, name: str) -> tuple[str, ...] | None:
        """Return a list of different texts; None if it isn't given."""
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, list | tuple) or not value or not all(isinstance(one, str) for one in value):
            raise self.fault(name, value, "a list of texts")
        return tuple(value)

    def fault(self, name: str, value: Any, wanted: str) -> ConfigError:
        """Return the error for a value of the wrong kind."""
        value = short(value)
        return self.error(f"The option `{name}` of the scorer {self.scorer} must be {wanted}, not {value}.")

    def error(self, message: str, hint: str | None = None, *, code: str = "scorer") -> ConfigError:
        """Return an error of this scorer."""
        return ConfigError(message, code=code, hint=hint)

    def rest(self) -> dict[str, Any]:
        """Return all options that are left, as they are."""
        rest, self._given = self._given, {}
        return rest

    def end(self) -> None:
        """Refuse the options that are left."""
        for name in self._given:
            near = difflib.get_close_matches(name, self._known, n=1)
            known = ", ".join(self._known)
            raise self.error(
                f"The scorer {self.scorer} has no option `{name}`.",
                hint=f"Did you mean `{near[0]}`?" if near else f"Its options: {known}." if known else None,
            )

    def require(self, *packages: str, extra: str = "eval") -> None:
        """Raise ConfigError unless the packages that the scorer needs are installed; imports none of them."""
        missing = [one for one in packages if importlib.util.find_spec(one) is None]
        if missing and not self.checking:
            from ftrun.installation import install_extra

            raise ConfigError(
                f"The scorer {self.scorer} needs {', '.join(missing)} (the extra ftrun[{extra}]).",
                code="extra_missing",
                hint=f"Install what is missing: {install_extra(extra)}",
            )
