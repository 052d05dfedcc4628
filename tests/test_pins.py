"""What a fresh clone installs is pinned whole: someone else's release of tomorrow can't break it."""

from __future__ import annotations

import re
import runpy
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement

from conftest import ROOT

# a set: the extras and dependency groups in it
SETS = {
    "core": ((), ()),
    "engine": (("data", "eval", "engine"), ("build",)),
    "local": (("data", "eval", "engine", "local"), ("build", "torch")),
    "test": ((), ("test",)),
    "lint": ((), ("lint",)),
    "bench": ((), ("bench",)),
}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PIN = re.compile(
    r"^([a-z0-9.-]+)==([^ ;]+)[^\n]*\\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)", re.MULTILINE
)


def _pinned(name: str) -> str:
    return (ROOT / f".ci/requirements/{name}.txt").read_text(encoding="utf-8")


def _asked(name: str) -> list[Requirement]:
    extras, groups = SETS[name]
    project: dict[str, Any] = PROJECT["project"]
    wanted = [] if name in ("test", "lint", "bench") else list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    for group in groups:
        wanted += PROJECT["dependency-groups"][group]
    return [one for one in map(Requirement, wanted) if one.name not in ("ftrun", "torch")]


@pytest.mark.parametrize("name", SETS)
def test_what_the_project_asks_for_is_pinned_within_its_range(name: str) -> None:
    """A dependency that was added, or whose range was raised, without `make lock` is noticed."""
    pins: dict[str, list[str]] = {}
    for package, version, _ in PIN.findall(_pinned(name)):
        pins.setdefault(package, []).append(version)
    for asked in _asked(name):
        versions = pins.get(asked.name.lower(), [])
        assert versions, f"{asked.name} is not in {name}.txt: run `make lock`"
        assert all(asked.specifier.contains(version) for version in versions), (asked, versions)


@pytest.mark.parametrize("name", SETS)
def test_pins_hold_hashes_and_nothing_but(name: str) -> None:
    """Each line is a comment or a version with hashes; no address of an index, and no build of PyTorch."""
    text = _pinned(name)
    assert not re.sub(r"^ *#.*\n", "", PIN.sub("", text), flags=re.MULTILINE).strip()
    assert not re.search(r"^(torch|nvidia-|triton)|://", text, re.MULTILINE)


def test_every_set_takes_a_package_in_the_same_versions() -> None:
    """One set never replaces what another has installed."""
    found: dict[str, set[str]] = {}
    for name in SETS:
        for package in {package for package, _, _ in PIN.findall(_pinned(name))}:
            versions = sorted(version for one, version, _ in PIN.findall(_pinned(name)) if one == package)
            found.setdefault(package, set()).add(" ".join(versions))
    assert {package: versions for package, versions in found.items() if len(versions) > 1} == {}


def test_the_set_up_divides_the_pins_among_several_pips_and_loses_none(tmp_path: Path) -> None:
    """Each package, with all its hashes, is in exactly one part."""
    divide = runpy.run_path(str(ROOT / ".ci/install.py"))["_parts"]
    parts = [
        PIN.findall(path.read_text("utf-8")) for path in divide(ROOT / ".ci/requirements/local.txt", tmp_path)
    ]
    assert all(parts)
    assert sorted(chain(*parts)) == sorted(PIN.findall(_pinned("local")))
