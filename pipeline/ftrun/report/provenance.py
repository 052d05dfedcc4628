"""Where a report's numbers came from: versions, hashes, git commit. None of it decides what runs."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import ftrun
from ftrun import data
from ftrun.experiment.model import Experiment
from ftrun.files import digest, sha256_file

LIBRARIES = ("openai", "torch", "transformers")
GIT_SECONDS = 5


def provenance(
    experiment: Experiment, *, store: str | None, dtype: str | None, ended: int | None
) -> dict[str, Any]:
    """Return the report's provenance facts; `store` is the local store's id, `dtype` the base model's number
    format, `ended` when the job did.

    The report's time is that of the job, so that a report that is written again is the same.
    """
    commit, dirty = _git(experiment.project)
    return {
        "ftrun": ftrun.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(terse=True),
        "config_sha256": digest([sha256_file(path) for path in experiment.files]),
        "data": {
            _shown(file.path, experiment.project): data.content_hash(file)
            for file in data.source_files(experiment, download=False)
            if file.format != "sql"  # what it holds by now is another matter
        },
        "libraries": {name: version for name in LIBRARIES if (version := _version(name))},
        "git_commit": commit,
        "git_dirty": dirty,
        "store": store,
        "dtype": dtype,
        "time": datetime.fromtimestamp(ended, UTC).isoformat(timespec="seconds") if ended else None,
    }


def _shown(path: Path, project: Path) -> str:
    return str(path.relative_to(project)) if path.is_relative_to(project) else path.name


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git(folder: Path) -> tuple[str | None, bool | None]:
    """Return the commit and whether files differ from it; nothing where there is no git or no commit."""
    commit = _git_says(folder, "rev-parse", "HEAD")
    if commit is None:
        return None, None
    return commit, bool(_git_says(folder, "status", "--porcelain", "--untracked-files=no"))


def _git_says(folder: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words],
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
