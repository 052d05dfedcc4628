"""The target to port to: of the experiment's own file, of another one (--config), or the built-in one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.errors import UsageError
from ftrun.experiment import build_experiment, read_document
from ftrun.experiment.build import BUILT_IN_TARGETS, choose_target
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.experiment.target import Target, target_of
from ftrun.runner.porting.mapping import BY_SET
from ftrun.runner.validated import is_valid
from ftrun.targets import identity_of, same_account


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenTarget:
    """A target as written; `known`: the experiment's own file has it; `whence` its model's name is."""

    name: str
    raw: Mapping[str, Any]
    known: bool
    whence: str

    def with_sets(self, given: Mapping[str, Any]) -> GivenTarget:
        """Return it with the values that --set has for it."""
        targets = given.get("targets")
        more = targets.get(self.name) if isinstance(targets, Mapping) else None
        if not isinstance(more, Mapping):
            return self
        raw = dict(self.raw)
        for key, value in more.items():
            before = raw.get(key)
            both = isinstance(before, Mapping) and isinstance(value, Mapping)
            raw[key] = {**before, **value} if both else value  # type: ignore[dict-item]
        whence = BY_SET if "model" in more else self.whence
        return GivenTarget(name=self.name, raw=raw, known=self.known, whence=whence)

    @property
    def target(self) -> Target:
        """Return it as the runner knows targets."""
        return target_of(self.name, self.raw)


def given_target(old: Experiment, to: str, config: Path | None, given: Mapping[str, Any]) -> GivenTarget:
    """Return the target of that name, with the values of --set; UsageError if there is none, or if it is
    where the old model was trained.
    """
    if to == old.target.name:
        others = [one.name for one in old.targets if one.name != to]
        raise UsageError(
            f"--to {to}: that is the target that the model was trained on",
            code="same_target",
            hint=f"Name another target: {', '.join([*others, *_missing(others, to)])}.",
        )
    found = _find(old, to, config).with_sets(given)
    now = identity_of(found.target)
    if same_account(now, identity_of(old.target)) and found.raw.get("model") == old.target.model:
        raise UsageError(
            f"--to {to}: that is the same model of the same service as {old.target.name}",
            code="same_target",
            hint="Name a target with another service or another model.",
        )
    return found


def _missing(known: Sequence[str], to: str) -> list[str]:
    return [name for name in BUILT_IN_TARGETS if name not in (*known, to)]


def _find(old: Experiment, to: str, config: Path | None) -> GivenTarget:
    own = read_document(old.file).data.get("targets") or {}
    other = None if config is None else _target_of_file(config, to)
    if to in own:
        if config is not None and other != own[to]:
            raise UsageError(
                f"the experiment and {shown_path(config)} both have a target {to}, and they differ",
                code="two_targets",
                hint="Leave out --config to use the experiment's own, or rename one of them.",
            )
        return GivenTarget(name=to, raw=own[to], known=True, whence=f"the model of target {to}")
    if config is not None and other is not None:
        whence = f"the model of target {to} in {shown_path(config)}"
        return GivenTarget(name=to, raw=other, known=False, whence=whence)
    if to in BUILT_IN_TARGETS:
        whence = f"the built-in model (another one: --set targets.{to}.model=NAME)"
        return GivenTarget(name=to, raw=BUILT_IN_TARGETS[to], known=False, whence=whence)
    here = ", ".join([*own, *_missing(list(own), to)])
    raise UsageError(
        f"--to {to}: there is no such target",
        code="unknown_target",
        hint=f"Targets here: {here}. To use another: write it into a file with `version`, `name` and "
        "`targets`, and add --config FILE.",
    )


def _target_of_file(config: Path, name: str) -> Mapping[str, Any]:
    """Return a target of another experiment file; ConfigError if it has none of that name, or is wrong."""
    document = read_document(config)
    choose_target(document, name)
    build_experiment(document, name, validated=is_valid(document.digest))
    found: Mapping[str, Any] = (document.data.get("targets") or BUILT_IN_TARGETS)[name]
    return found
