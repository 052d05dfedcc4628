"""What is published works: the sdist is the whole project, and the wheel built from it needs no checkout."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT


def run(*words: str | Path, cwd: Path) -> str:
    """Run a program to its end, hold it to exit code 0 and return what it printed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def sdist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist from a copy of the project, and unpack it."""
    source = tmp_path_factory.mktemp("source") / "ftrun"
    skip = shutil.ignore_patterns(".git", ".venv*", "runs", "__pycache__", ".*_cache", ".hypothesis", "out")
    shutil.copytree(ROOT, source, ignore=skip)
    out = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", out, cwd=source)
    safely: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # from 3.11.4 on
    shutil.unpack_archive(next(out.glob("*.tar.gz")), out, **safely)
    return next(folder for folder in out.iterdir() if folder.is_dir())


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel from the unpacked sdist, as a packager would."""
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", out, cwd=sdist)
    return next(out.glob("*.whl"))


def test_the_sdist_holds_every_tracked_file(sdist: Path) -> None:
    """`make run` and `make test` work in an unpacked sdist: nothing that git has is missing."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = run("git", "ls-files", "-z", cwd=ROOT).split("\0")
    tracked = {name for name in listed if name and (ROOT / name).is_file()}
    assert tracked and not {name for name in tracked if not (sdist / name).is_file()}
    assert run("sh", ".ci/find-python", cwd=sdist).strip()


def test_the_wheel_holds_what_the_program_reads(wheel: Path) -> None:
    """The schema, and every file of the package that is no Python, lie where the installed program looks."""
    package = ROOT / "pipeline/ftrun"
    data = {
        f"ftrun/{path.relative_to(package).as_posix()}"
        for path in package.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc")
    }
    assert "ftrun/report/report.css" in data
    inside = set(zipfile.ZipFile(wheel).namelist())
    assert data | {"ftrun/schemas/experiment.schema.json"} <= inside


def link_pinned(place: Path) -> None:
    """Put links to the pinned packages, and to no others, into an environment: nothing is downloaded."""
    (packages,) = place.glob("lib/python*/site-packages")
    pins = (ROOT / ".ci/requirements/core.txt").read_text("utf-8")
    pinned = re.findall(r"^([\w.-]+)==", pins, re.MULTILINE)
    for name in pinned:
        with contextlib.suppress(metadata.PackageNotFoundError):  # not needed by this Python, on this system
            found = metadata.distribution(name)
            for first in {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}:
                (packages / first).symlink_to(str(found.locate_file(first)))


def test_an_installed_wheel_checks_an_experiment_outside_the_checkout(
    wheel: Path, project: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Installed into an empty environment, `schema`, `check` and `plan` work without any extra."""
    place = tmp_path_factory.mktemp("venv")
    venv.create(place)
    link_pinned(place)
    pip = (sys.executable, "-m", "pip", "--python", place / "bin/python", "--disable-pip-version-check")
    run(*pip, "install", "-q", "--no-deps", "--no-index", wheel, cwd=project)
    program = place / "bin" / "ftrun"
    assert '"$schema"' in run(program, "schema", cwd=project)
    assert "12" in run(program, "check", "configs/toy.yaml", cwd=project)  # 14 rows less 2 for validation
    assert "prepare" in run(program, "plan", "configs/toy.yaml", cwd=project)
    assert "Fix: " in run(program, "explain", "few_examples", cwd=project)
    done = subprocess.run([program, "doctor"], cwd=project, capture_output=True, text=True, check=False)
    tip = next(line for line in done.stdout.splitlines() if "tip:" in line and "fastapi" in line)
    # an environment without pip: it is put there first, and ftrun, which is on no index, is not asked for
    assert f"{place}/bin/python" in tip and "'uvicorn>=" in tip and "ftrun[" not in done.stdout
    assert "make " not in done.stdout
