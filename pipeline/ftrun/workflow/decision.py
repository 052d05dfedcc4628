"""How a stage decides whether it runs: a value with an action and its reasons in words."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from ftrun.files import canonical_json, digest
from ftrun.workflow.context import Context

Action = Literal["run", "skip", "adopt", "wait", "blocked"]
HASH = re.compile('"[0-9a-f]{16,}"')
OLD_NAMES = {"rivals": "candidates"}  # of inputs; the state keeps the old ones
SHORT = 60  # bytes of canonical JSON; the state holds the hash of longer values


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What would be done with a stage, and why. `code` says what blocks it, such as `unclear`."""

    action: Action
    reasons: tuple[str, ...]
    code: str = ""


def fingerprint(inputs: Mapping[str, Any]) -> str:
    """Return the fingerprint of a stage's inputs."""
    return digest(dict(inputs))


def shortened(inputs: Mapping[str, Any]) -> dict[str, str]:
    """Return the inputs as the state holds them: small values themselves, others as a hash."""
    return {name: _short(value) for name, value in inputs.items()}


def _short(value: Any) -> str:
    text = canonical_json(value)
    return text.decode() if len(text) <= SHORT else f"sha256:{digest(value)[:16]}"


def by_fingerprint(
    context: Context, name: str, inputs: Mapping[str, Any], outputs: Sequence[str]
) -> Decision:
    """Run a stage when it never ran, its inputs changed, it was forced, or its files are gone."""
    record = context.state.stages.get(name)
    if context.settings.force == name:
        return Decision(action="run", reasons=("--force",))
    if record is None:
        return Decision(action="run", reasons=("first run",))
    if record.status != "done":
        return Decision(action="run", reasons=("it did not finish",))
    if record.fingerprint != fingerprint(inputs):
        return Decision(action="run", reasons=changes(record.inputs, shortened(inputs)))
    gone = [file for file in outputs if not (context.folder / file).exists()]
    if gone:
        return Decision(action="run", reasons=tuple(f"{file} is missing" for file in gone))
    return Decision(action="skip", reasons=("unchanged",))


def changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """Return in words which inputs differ."""
    names = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    return tuple(_change(name, old.get(name), new.get(name)) for name in names) or ("changed",)


def _change(name: str, old: str | None, new: str | None) -> str:
    if old is None or new is None or not (_says_something(old) and _says_something(new)):
        return f"{OLD_NAMES.get(name, name)} changed"
    return f"{name}: {_shown(old)} → {_shown(new)}"


def _shown(short: str) -> str:
    return "not set" if short == "null" else str(json.loads(short)) if short.startswith('"') else short


def _says_something(short: str) -> bool:
    """Return whether a value is one that people read: no hash, no list, no mapping."""
    return not short.startswith(("sha256:", "[", "{")) and HASH.fullmatch(short) is None
