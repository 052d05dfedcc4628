"""Where the JSON Schema of the experiment file is found: beside the package, or in a checkout."""

from __future__ import annotations

from pathlib import Path

NAME = "experiment.schema.json"


def schema_text() -> str:
    """Return the JSON Schema of the experiment file as text; works from a wheel and from a checkout."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "schemas" / NAME
    path = installed if installed.is_file() else package.parents[1] / "schemas" / NAME
    return path.read_text(encoding="utf-8")
