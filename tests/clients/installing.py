"""Install a client with the versions of versions.toml: once, in the cache of the tests."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from filelock import FileLock

VERSIONS = tomllib.loads(Path(__file__).with_name("versions.toml").read_text(encoding="utf-8"))
PIP_QUICKLY = ("--retries", "1", "--timeout", "20")  # without an index, a test is skipped and doesn't wait
NPM_QUICKLY = ("--fetch-retries=1", "--fetch-retry-mintimeout=1000", "--fetch-timeout=20000")


def installed(name: str) -> Path:
    """Return the folder that a client is in, a virtual environment or one with `node_modules`.

    Skips the test, with the reason, where it can't be installed.
    """
    cache = os.environ.get("FTRUN_TEST_CACHE")
    if cache is None:
        pytest.skip("FTRUN_TEST_CACHE, which `make` sets, says where clients are kept")
    wanted = VERSIONS[name]
    if "node" in wanted and not (shutil.which("node") and shutil.which("npm")):
        pytest.skip("there is no node, or no npm, on this machine")
    of = json.dumps([wanted, sys.version_info[:2]], sort_keys=True)
    folder = Path(cache) / "clients" / f"{name}-{hashlib.sha256(of.encode()).hexdigest()[:12]}"
    complete = folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            for command in _commands(wanted, folder):
                _run(name, command)
            complete.touch()
    return folder


def _commands(wanted: dict[str, list[str]], folder: Path) -> list[list[str]]:
    if "node" in wanted:
        npm = ["npm", "install", "--silent", "--no-fund", *NPM_QUICKLY]
        return [[*npm, "--prefix", str(folder), *wanted["node"]]]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", str(folder / "bin/python")]
    return [
        [sys.executable, "-m", "venv", "--without-pip", str(folder)],
        [*pip, "install", "-q", "--no-deps", *PIP_QUICKLY, *wanted["python"]],
    ]


def _run(name: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
        pytest.skip(f"{name} could not be installed: {reason}")
