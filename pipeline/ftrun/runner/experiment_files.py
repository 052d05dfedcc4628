"""Where experiments are: the current folder's own, and those that were imported into it."""

from __future__ import annotations

from pathlib import Path

PROJECTS = (".", "imported")  # folders that have `configs` and `runs`


def experiment_files() -> list[Path]:
    """Return the experiment files in `configs` and `imported/configs` of the current folder."""
    return sorted(
        path
        for project in PROJECTS
        for path in Path(project, "configs").glob("*.y*ml")
        if path.suffix in (".yaml", ".yml") and not path.name.startswith(".") and path.is_file()
    )
