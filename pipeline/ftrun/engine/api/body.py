"""Read JSON bodies: each key is taken with its type and limits; a key that is left over is an error."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from fastapi import Request

from ftrun.engine.api.errors import ApiError, did_you_mean, shortened

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")  # written as an escape, the only way in

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


async def json_body(request: Request) -> Body:
    """Return the request's JSON object (a FastAPI dependency)."""
    try:
        value = parse_json(await request.body())
    except ValueError as error:
        raise ApiError(f"The body is not JSON: {error}.", code="invalid_json") from error
    if not isinstance(value, dict):
        raise ApiError("The body must be a JSON object.", code="invalid_json")
    return Body(value)


def parse_json(raw: bytes) -> Any:
    """Return the JSON value in `raw`; ValueError for one that is broken, or that can't be sent back."""
    try:
        value = json.loads(raw.decode(), parse_constant=_no_constant)
        if SURROGATE.search(raw):  # a lone one can't be stored or sent back
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


class Body:
    """A JSON object in a request. An explicit null counts as left out."""

    def __init__(self, values: Mapping[str, Any], path: str = "") -> None:
        """Read `values`, which are at `path` in the request."""
        self.values, self._path = values, path
        self._taken: set[str] = set()

    def param(self, name: str) -> str:
        """Return the full name of a key."""
        return f"{self._path}.{name}" if self._path else name

    def refuse(self, name: str, message: str, *, code: str = "invalid_value") -> NoReturn:
        """Raise the 400 for a key."""
        param = shortened(self.param(name))
        raise ApiError(f"{param} {message}", code=code, param=param)

    def missing(self, name: str) -> NoReturn:
        """Raise the 400 for a key that is required."""
        self.refuse(name, "is required.", code="missing_required_parameter")

    def take(self, name: str) -> Any:
        """Return the value of a key, unchecked; None if it is left out."""
        self._taken.add(name)
        return self.values.get(name)

    def text(self, name: str, *, shortest: int = 0, longest: int | None = None) -> str | None:
        """Return a string of `shortest` to `longest` characters."""
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.refuse(name, f"must be a string, not {_shown(value)}.")
        if len(value) < shortest or (longest is not None and len(value) > longest):
            self.refuse(name, f"must have {shortest} to {longest} characters, not {len(value)}.")
        return value

    def required_text(self, name: str) -> str:
        """Return a string that is required."""
        value = self.text(name)
        if not value:
            self.missing(name)
        return value

    def required_name(self, name: str) -> str:
        """Return the name of a function or a schema, which is required."""
        value = self.required_text(name)
        if not NAME.fullmatch(value):
            self.refuse(name, "must have 1 to 64 letters of a to z, digits, '_' and '-'.")
        return value

    def integer(self, name: str, *, least: int, most: int) -> int | None:
        """Return a whole number between `least` and `most`."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.refuse(name, f"must be a whole number from {least} to {most}, not {_shown(value)}.")
        return value

    def number(self, name: str, *, least: float, most: float) -> float | None:
        """Return a number between `least` and `most`."""
        value = self.take(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            self.refuse(name, f"must be a number from {least:g} to {most:g}, not {_shown(value)}.")
        return float(value)

    def choice(self, name: str, among: Sequence[str]) -> str | None:
        """Return a string that is one of those."""
        value: str | None = self.take(name)
        if value is not None and value not in among:
            self.refuse(name, f"must be one of {', '.join(among)}, not {_shown(value)}.")
        return value

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Return true or false; `default` if left out."""
        value = self.take(name)
        if value is not None and not isinstance(value, bool):
            self.refuse(name, f"must be true or false, not {_shown(value)}.")
        return default if value is None else bool(value)

    def object(self, name: str) -> Body | None:
        """Return an object."""
        value = self.take(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.refuse(name, f"must be an object, not {_shown(value)}.")
        return Body(value, self.param(name))

    def required_object(self, name: str) -> Body:
        """Return an object that is required."""
        found = self.object(name)
        if found is None:
            self.missing(name)
        return found

    def objects(self, name: str) -> list[Body]:
        """Return a list of objects; an empty one if left out."""
        value = self.take(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self.refuse(name, f"must be a list, not {_shown(value)}.")
        for index, one in enumerate(value):
            if not isinstance(one, dict):
                self.refuse(f"{name}[{index}]", f"must be an object, not {_shown(one)}.")
        return [Body(one, self.param(f"{name}[{index}]")) for index, one in enumerate(value)]

    def neutral(self, accepted: Mapping[str, Sequence[Any]]) -> None:
        """Take keys of which only the values that change nothing are accepted."""
        for name, values in accepted.items():
            value = self.take(name)
            if value is not None and not any(type(value) is type(one) and value == one for one in values):
                self.refuse(
                    name, f"{_shown(value)} is not supported by this engine.", code="unsupported_value"
                )

    def done(self, *, unsupported: Sequence[str] = ()) -> None:
        """Refuse keys that were not taken; those in `unsupported` are known, but not supported by this
        engine.
        """
        for name in self.values.keys() - self._taken:
            if self.values[name] is None:
                continue
            if name in unsupported:
                self.refuse(name, "is not supported by this engine.", code="unsupported_parameter")
            tip = did_you_mean(name, sorted(self._taken))
            self.refuse(name, f"is not a parameter of this request.{tip}", code="unknown_parameter")


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"
