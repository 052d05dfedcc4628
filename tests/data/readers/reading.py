"""What a source gives: its rows, and what is wrong with them."""

from __future__ import annotations

from typing import Any

from ftrun.data.diagnostics.findings import FilePlace, Findings
from ftrun.data.readers.rows import Choices, read_rows
from ftrun.data.readers.sources import usable_files
from ftrun.data.types import Row
from ftrun.experiment.model import Experiment, Prompt, Template

WHOLE = Prompt(user=Template(text="{{ row | tojson }}"))  # every column matters
Rows = list[tuple[int, Any]]
FAQ = [("納期は？", "三日です。"), ("返品は？", "七日以内です。"), ("支払は？", "カードです。")]


def read(experiment: Experiment) -> tuple[Rows, Findings]:
    """Return (line, values) of every row of all files, and what is wrong."""
    findings = Findings()
    found: list[Row] = []
    files = usable_files(experiment, findings)
    for file in files:
        choice = Choices(experiment, files, findings).of(file)
        found += read_rows(experiment, file, FilePlace(file.path.name, findings), choice)
    return [(row.line, dict(row.values)) for row in found], findings


def errors(experiment: Experiment) -> list[tuple[str, int | None]]:
    """Return code and line of every problem."""
    return [(problem.code, problem.line) for problem in read(experiment)[1].errors]
