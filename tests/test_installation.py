"""The command that installs packages works where it is printed: in a checkout, a wheel, without pip."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from conftest import ROOT
from ftrun import installation
from ftrun.installation import install_extra, install_packages

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"][
    "optional-dependencies"
]


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=~!; ]", one)[0] for one in requirements} - {"ftrun"}


def _without(monkeypatch: pytest.MonkeyPatch, *missing: str) -> None:
    """Act as if these modules were not installed."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name in missing else find(name, *a)
    )


@pytest.mark.parametrize("extra", ["data", "eval", "engine", "local", "remote", "azure"])
def test_an_extra_is_printed_as_its_packages(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every package of pyproject.toml is named, with its bounds, and ftrun, which is on no index, is not."""
    monkeypatch.setattr(installation, "_is_installed", lambda requirement: False)
    python, *words = shlex.split(install_extra(extra))
    assert (python, words[:3]) == (sys.executable, ["-m", "pip", "install"])
    assert _names(words[3:]) >= _names(EXTRAS[extra]) and not any("ftrun" in one for one in words[3:])
    assert all(re.search(r"[<>=]", one) for one in words[3:])


def test_only_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there already need not be installed."""
    monkeypatch.setattr(
        installation, "_is_installed", lambda requirement: not requirement.startswith("torch")
    )
    assert install_extra("local").partition(" install ")[2] in ("'torch<3,>=2.6'", "'torch>=2.6,<3'")


def test_sources_newer_than_their_installation_name_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """After `git pull` the metadata may not know an extra yet: the command installs the checkout's."""
    monkeypatch.setattr("importlib.metadata.requires", lambda name: ["click>=8"])
    assert shlex.split(install_extra("eval"))[-1] == f"{ROOT}[eval]"


def test_the_command_of_pip_is_one_that_pip_takes() -> None:
    """The printed line runs: what is installed already satisfies it, so nothing is fetched."""
    line = f"{install_packages(['click>=8', 'pyyaml>=6'])} --no-deps --no-index --dry-run --quiet"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_without_pip_uv_is_used_or_pip_is_put_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that uv made has no pip."""
    _without(monkeypatch, "pip")
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}")
    assert install_packages(["a>=1"]) == f"uv pip install --python {shlex.quote(sys.executable)} 'a>=1'"
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert install_packages(["a>=1"]).startswith(f"{shlex.quote(sys.executable)} -m ensurepip && ")


@pytest.mark.parametrize(
    ("venv", "ready", "line"),
    [
        (".venv", False, "make setup"),
        (".venv", True, None),  # make would say that there is nothing to do
        ("elsewhere", False, None),  # make would set up another environment
    ],
)
def test_make_is_named_where_it_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, venv: str, ready: bool, line: str | None
) -> None:
    """Only in a checkout whose own environment is not set up yet, and from any folder."""
    root = tmp_path / "a folder"
    (root / ".venv").mkdir(parents=True)
    (root / "Makefile").touch()
    if ready:
        (root / ".venv" / ".ready").touch()
    monkeypatch.setattr(installation, "__file__", str(root / "pipeline" / "ftrun" / "installation.py"))
    monkeypatch.setattr(sys, "prefix", str(root / venv))
    monkeypatch.chdir(root)
    assert (install_extra("local") == "make setup") == (line is not None)
    assert " install " in install_extra("azure")  # make does not install this one
    monkeypatch.chdir(tmp_path)
    assert (install_extra("engine") == f"make -C {shlex.quote(str(root))} setup") == (line is not None)


def test_an_extra_that_the_installed_metadata_lack_is_named_by_the_checkout(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After a `git pull` the metadata may be older than the extra; the command still names something."""
    monkeypatch.setattr("importlib.metadata.requires", lambda name: ["click>=8"])
    assert shlex.split(install_extra("eval"))[-1] == f"{ROOT}[eval]"


def test_a_path_with_spaces_can_be_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The interpreter of a folder with spaces and Japanese characters is quoted."""
    monkeypatch.setattr(sys, "executable", "/home/太郎/my project/.venv/bin/python")
    assert shlex.split(install_packages(["a"]))[0] == sys.executable
