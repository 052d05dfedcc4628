"""The page that `ftrun check --html` writes: its facts, from the result and the usable rows."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ftrun
from ftrun import data
from ftrun.cli.check import verdict
from ftrun.data.pipeline.checking import CheckResult
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.files import write_atomic
from ftrun.language import screen_language
from ftrun.report import Facts

MOST_PROBLEMS = 500  # on the page


def write_page(experiment: Experiment, result: CheckResult, folder: Path, page: Path) -> None:
    """Write the page; `folder` holds the usable rows."""
    from ftrun.report.html import data_page

    tone = "bad" if result.errors else "neutral" if result.warnings else "good"
    write_atomic(page, data_page(_facts(experiment, result, folder), headline=verdict(result), tone=tone))


def _facts(experiment: Experiment, result: CheckResult, folder: Path) -> Facts:
    train = result.files["train"]
    estimate = dict(result.estimate or {})
    problems = list(_problems(result))
    return Facts.from_json(
        {
            "experiment": {
                "name": experiment.name,
                "description": experiment.description,
                "file": shown_path(experiment.file),
            },
            "target": experiment.target,
            "status": "checked",
            "language": screen_language(),
            "provenance": {
                "ftrun": ftrun.__version__,
                "python": platform.python_version(),
                "platform": platform.platform(),
            },
            "cost": estimate,
            "data": {
                "splits": {role: one.as_dict() for role, one in result.files.items() if one},
                "problems": problems[:MOST_PROBLEMS],
                "encoding": estimate.get("encoding"),
                "exact": estimate.get("exact", True),
                "examples": list(data.browsable(experiment, folder, problems)),
                **(train.histograms() if train else {}),
            },
        }
    )


def _problems(result: CheckResult) -> Iterator[dict[str, Any]]:
    for severity, found in (("error", result.errors), ("warning", result.warnings), ("note", result.notes)):
        for problem in found:
            yield {"severity": severity, **problem.as_dict()}
