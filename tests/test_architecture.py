"""The direction of imports, and what starting up may load."""

from __future__ import annotations

import ast
import graphlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT, Ftrun

PACKAGE = ROOT / "pipeline" / "ftrun"
# A package may import itself and what comes in a later line.
LAYERS = (
    "cli",
    "runner",
    "stages",
    "paid",
    "watching",
    "workflow augment",
    "report scaffold",
    "evaluation",
    "data",
    "targets",
    "engine state",
    "cost",
    "protocol",
    "experiment",
    "scoring",
    "untrusted",
    "user_dirs processes installation concurrency",
    "files",
    "redaction waiting",
    "language",
    "text langid encoding_detection",
    "errors",
)
LEVEL = {name: level for level, line in enumerate(LAYERS) for name in line.split()}
KNOW_THE_ENGINE = ("cli", "targets", "engine")
NOT_FOR_THE_ENGINE = ("experiment", "cost", "state")
HEAVY = ("torch", "transformers", "openai", "jinja2", "jsonschema", "rich", "filelock", "tiktoken", "toktok")


def imports_of(file: Path) -> set[str]:
    """Return the dotted names of ftrun that a module imports, wherever it does."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name.startswith("ftrun.")}


def packages_of(file: Path) -> set[str]:
    """Return the packages of ftrun that a module imports from."""
    return {name.split(".")[1] for name in imports_of(file)} & LEVEL.keys()


def package_of(file: Path) -> str:
    """Return the package, or top-level module, that a file belongs to."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def test_every_package_has_its_layer() -> None:
    """A new package must say where it stands."""
    packages = {package_of(file) for file in PACKAGE.rglob("*.py")} - {"__init__", "__main__"}
    assert packages == LEVEL.keys()


def test_imports_point_one_way() -> None:
    """A package imports only what lies below it."""
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {name}"
        for file in sorted(PACKAGE.rglob("*.py"))
        if (package := package_of(file)) in LEVEL
        for name in sorted(packages_of(file) - {package})
        if LEVEL[name] <= LEVEL[package]
    ]
    assert not wrong, wrong


def test_the_engine_stands_apart() -> None:
    """Only the commands and the local target know the engine, and it knows nothing of experiments."""
    wrong = [
        f"{file.relative_to(PACKAGE)} imports {name}"
        for file in sorted(PACKAGE.rglob("*.py"))
        for name in packages_of(file)
        if (name == "engine" and package_of(file) not in KNOW_THE_ENGINE)
        or (package_of(file) == "engine" and name in NOT_FOR_THE_ENGINE)
    ]
    assert not wrong, wrong


@pytest.mark.parametrize(
    "package", ["data", "evaluation", "experiment", "engine", "paid", "scoring", "targets"]
)
def test_no_circle_inside_a_package(package: str) -> None:
    """The parts of a package depend on each other in one direction, as packages do."""
    needs: dict[str, set[str]] = {}
    for file in (PACKAGE / package).rglob("*.py"):
        inside = file.relative_to(PACKAGE / package).parts
        part = inside[0].removesuffix(".py")
        if part == "__init__":
            continue
        found = {name.split(".")[2] for name in imports_of(file) if name.startswith(f"ftrun.{package}.")}
        needs.setdefault(part, set()).update(found - {part})
    graphlib.TopologicalSorter(needs).prepare()


def test_stages_do_not_import_each_other() -> None:
    """What stages share is a module of its own, not another stage."""
    stages = {"prepare", "check", "upload", "train", "wait", "deploy", "evaluate", "undeploy", "report"}
    for name in stages:
        imported = imports_of(PACKAGE / "stages" / f"{name}.py")
        assert not {f"ftrun.stages.{other}" for other in stages - {name}} & imported, name


def test_only_the_targets_import_the_sdk() -> None:
    """The openai SDK's client is behind targets/; the engine may use its types alone."""
    for file in PACKAGE.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        package = file.relative_to(PACKAGE).parts[0]
        if "import openai" in text or "from openai import" in text:
            assert package == "targets", file


def loaded_by(code: str, environment: dict[str, str] | None = None) -> set[str]:
    """Return the heavy modules that are loaded after running `code` in a process of its own."""
    tail = f"\nimport sys; print('loaded:', *[m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code + tail],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **(environment or {})},
    )
    return set(done.stdout.splitlines()[-1].removeprefix("loaded:").split())


def test_importing_the_command_line_loads_nothing_heavy() -> None:
    """`import ftrun.cli` loads neither torch nor openai nor jinja2 nor jsonschema."""
    assert loaded_by("import ftrun.cli") == set()


def test_help_loads_nothing_heavy() -> None:
    """`ftrun --help` lists the commands without importing them."""
    code = "import ftrun.cli\ntry: ftrun.cli.main(['--help'])\nexcept SystemExit: pass"
    assert loaded_by(code) == set()


def test_a_run_with_nothing_to_do_loads_nothing_heavy(ftrun: Ftrun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once all is done, a rerun needs no validator, no template engine, no SDK and no lock."""
    assert ftrun("configs/toy.yaml").returncode == 0
    monkeypatch.chdir(ftrun.folder)
    code = (
        "import ftrun.cli\ntry: ftrun.cli.main(['configs/toy.yaml'])\n"
        "except SystemExit as end: assert end.code == 0"
    )
    assert loaded_by(code) == set()
