"""The data: sources become rows, rows chat examples, examples the files of a split; then checked.

The names below are what the rest of ftrun uses. Each is imported when it is first asked for: a run that has
nothing to do needs the fewest of them.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ftrun.data.pipeline.checking import check, examine, recalled, target_problems
    from ftrun.data.pipeline.inputs import content_hash, prepare_inputs, severity_inputs
    from ftrun.data.pipeline.preparing import prepare
    from ftrun.data.pipeline.samples import browsable
    from ftrun.data.readers.sources import source_files

MODULES = {
    "ftrun.data.pipeline.checking": ("check", "examine", "recalled", "target_problems"),
    "ftrun.data.pipeline.inputs": ("content_hash", "prepare_inputs", "severity_inputs"),
    "ftrun.data.pipeline.preparing": ("prepare",),
    "ftrun.data.pipeline.samples": ("browsable",),
    "ftrun.data.readers.sources": ("source_files",),
}

__all__ = [
    "browsable",
    "check",
    "content_hash",
    "examine",
    "prepare",
    "prepare_inputs",
    "recalled",
    "severity_inputs",
    "source_files",
    "target_problems",
]


def __getattr__(name: str) -> Any:
    """Import one of the names above."""
    for module, names in MODULES.items():
        if name in names:
            return getattr(importlib.import_module(module), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
