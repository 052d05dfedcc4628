"""Scorers of the user's own: Python entry points of the group `ftrun.scorers`.

They are code, so they are loaded only when the command line names them (`--scorer NAME`), never because an
experiment file does. An entry point is a function (or class) that takes the options of the experiment file
as keywords and returns a scorer.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from ftrun.errors import ConfigError
from ftrun.scoring.types import Scorer

GROUP = "ftrun.scorers"
OF_METRIC = ("name", "higher_is_better", "binary", "scale", "resampled", "combine")


def own_scorer(name: str, options: Mapping[str, Any]) -> Scorer:
    """Load an entry point and return its scorer. ConfigError if it is missing, fails, or makes no scorer."""
    from importlib import metadata

    found = {one.name: one for one in metadata.entry_points(group=GROUP)}
    if name not in found:
        near = difflib.get_close_matches(name, found, n=1)
        tip = f"Did you mean {near[0]}?" if near else f"Installed: {', '.join(sorted(found)) or 'none'}."
        raise _error(f"No installed package has a scorer called {name} (entry point of {GROUP}).", tip)
    entry = found[name]
    try:
        make = entry.load()
    except Exception as error:
        raise _error(f"The scorer {name} ({entry.value}) can't be imported: {_said(error)}") from error
    if not callable(make):
        raise _error(f"The scorer {name} ({entry.value}) is not a function that returns a scorer.")
    try:
        scorer = make(**options)
    except ConfigError:
        raise
    except Exception as error:
        raise _error(f"The scorer {name} ({entry.value}) can't be created: {_said(error)}") from error
    fault = _fault(scorer)
    if fault:
        raise _error(
            f"What {entry.value} returns for the scorer {name} is not a scorer: {fault}",
            "docs/scorers.md has a complete example.",
        )
    made: Scorer = scorer
    return made


def _fault(scorer: Any) -> str:
    """Return what an object lacks to be a scorer."""
    if not isinstance(getattr(scorer, "name", None), str):
        return "it has no `name`."
    if not callable(getattr(scorer, "score", None)):
        return "it has no method `score(sample, answer)`."
    metrics = getattr(scorer, "metrics", None)
    if not isinstance(metrics, list | tuple) or not metrics:
        return "it has no `metrics`, a list of at least one."
    for metric in metrics:
        lacking = [one for one in OF_METRIC if not hasattr(metric, one)]
        if lacking:
            return f"a metric has no {', '.join(lacking)}."
    return ""


def _error(message: str, hint: str | None = None) -> ConfigError:
    return ConfigError(message, code="own_scorer", hint=hint)


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
