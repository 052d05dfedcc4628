"""What is installed: the schemas that ship, and commands for packages, which work where they are printed.

ftrun itself may be on no package index, so an extra is printed as the packages that it stands for.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

EXTRA = re.compile(r"""(?P<package>[^;]+);.*\bextra\s*==\s*["'](?P<extra>[\w-]+)["']""")
NAME = re.compile(r"[\w.-]+")


def schema_text(name: str) -> str:
    """Return a file of `schemas/`; it is in the wheel, or in the checkout."""
    package = Path(__file__).parent
    installed = package / "schemas" / name
    path = installed if installed.is_file() else package.parents[1] / "schemas" / name
    return path.read_text(encoding="utf-8")


def install_extra(extra: str) -> str:
    """Return the command that installs what the extra lacks here.

    It is `make setup` in a fresh checkout, else a command of pip or uv.
    """
    checkout = _unset_checkout()
    if checkout is not None and extra in ("eval", "engine", "local"):
        return "make setup" if checkout == Path.cwd() else f"make -C {shlex.quote(str(checkout))} setup"
    needed = list(_requirements(extra)) or [f"{_checkout()}[{extra}]"]  # installed before the extra existed
    missing = [one for one in needed if not _is_installed(one)]
    return install_packages(missing or needed)


def install_packages(packages: Sequence[str], *options: str) -> str:
    """Return the command that installs these packages into this environment."""
    if importlib.util.find_spec("pip") is not None:
        start = [sys.executable, "-m", "pip", "install"]
    elif shutil.which("uv") is not None:
        start = ["uv", "pip", "install", "--python", sys.executable]
    else:
        line = shlex.join([sys.executable, "-m", "pip", "install", *options, *packages])
        return f"{shlex.join([sys.executable, '-m', 'ensurepip'])} && {line}"
    return shlex.join([*start, *options, *packages])


def _checkout() -> Path:
    """Return the folder of the project, if ftrun runs from its sources."""
    return Path(__file__).resolve().parents[2]


def _unset_checkout() -> Path | None:
    """Return the checkout that ftrun runs from, if its environment is the one that `make setup` sets up and
    has not set up yet: otherwise make would find nothing to do, or work on another environment.
    """
    root = _checkout()
    ours = Path(sys.prefix) == root / ".venv"
    ready = (root / ".venv" / ".ready").exists()
    return root if ours and not ready and (root / "Makefile").is_file() else None


def _requirements(extra: str) -> Iterator[str]:
    """Yield the packages of an extra, as the metadata of the installed ftrun have them."""
    try:
        lines = metadata.requires("ftrun") or []
    except metadata.PackageNotFoundError:  # run from its sources without having been installed
        yield f"{_checkout()}[{extra}]"
        return
    for line in lines:
        found = EXTRA.fullmatch(line)
        if found is not None and found["extra"] == extra:
            yield found["package"].strip()


def _is_installed(requirement: str) -> bool:
    name = NAME.match(requirement)
    try:
        metadata.distribution(name[0] if name else requirement)
    except (metadata.PackageNotFoundError, ValueError):
        return False
    return True
