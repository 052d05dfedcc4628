"""The experiment file: read, merged, validated, and turned into frozen dataclasses.

Importing this costs nothing; the work is imported when a function is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ftrun.experiment.document import Document
    from ftrun.experiment.model import Experiment

SCHEMA = "experiment.schema.json"


def read_document(path: Path, overrides: Sequence[str] = (), *, questions: Sequence[Path] = ()) -> Document:
    """Read an experiment file, what it extends, its template files and the --set `overrides`. `questions` are
    files that a person named, which are added to `eval.prompts`.

    ConfigError carries file, line and column of everything that can't be read. Nothing is validated yet.
    """
    from ftrun.experiment.document import read

    return read(path, overrides, questions)


def build_experiment(document: Document, target: str | None = None, *, validated: bool = False) -> Experiment:
    """Return the experiment for `target` (None: the one that the file names).

    Validates first, all problems in one ConfigError, unless `validated` says that this digest passed before;
    then neither jsonschema nor jinja2 is imported.
    """
    from ftrun.experiment.build import build

    if not validated or document.problems:
        from ftrun.experiment.validate import validate

        validate(document)
    return build(document, target)


def schema_text() -> str:
    """Return the JSON Schema of the experiment file as text."""
    from ftrun import installation

    return installation.schema_text(SCHEMA)


__all__ = ["build_experiment", "read_document", "schema_text"]
