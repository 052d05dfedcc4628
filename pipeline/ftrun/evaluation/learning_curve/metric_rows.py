"""Read the result CSV of a fine-tuning job: the columns that OpenAI writes, old and new."""

from __future__ import annotations

import contextlib
import csv
import io
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

# our name -> the column's names, the newest first
COLUMNS: Mapping[str, tuple[str, ...]] = {
    "train_loss": ("train_loss",),
    "train_accuracy": ("train_mean_token_accuracy", "train_accuracy"),
    "valid_loss": ("valid_loss",),
    "valid_accuracy": ("valid_mean_token_accuracy", "valid_accuracy"),
    "full_valid_loss": ("full_valid_loss",),
    "full_valid_accuracy": ("full_valid_mean_token_accuracy", "full_valid_accuracy"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRow:
    """One step. `valid_*` are of one batch, `full_valid_*` of the whole validation file; None: not measured.

    Losses are mean negative log-likelihoods per token (nats), accuracies shares of tokens from 0 to 1.
    """

    step: int
    train_loss: float | None = None
    train_accuracy: float | None = None
    valid_loss: float | None = None
    valid_accuracy: float | None = None
    full_valid_loss: float | None = None
    full_valid_accuracy: float | None = None


def parse_metrics(text: str) -> tuple[MetricRow, ...]:
    """Return the rows of a result CSV in the order of their steps.

    Unknown columns are ignored; an empty or unreadable cell is None; a row without a step number, or
    with nothing measured, is left out.
    """
    found = (_row({str(name).strip(): cell for name, cell in row.items()}) for row in _cells(text))
    return tuple(sorted((row for row in found if row is not None), key=lambda row: row.step))


def row_of_event(data: Mapping[str, object]) -> MetricRow | None:
    """Return the row of an event of a running job, as servers send them; None if it is about no step."""
    return _row(data)


def _cells(text: str) -> Iterator[Mapping[str, str]]:
    with contextlib.suppress(csv.Error):  # no CSV from here on: a cell of more than 131,072 characters
        yield from csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))


def _row(cells: Mapping[str, object]) -> MetricRow | None:
    step = _number(cells.get("step"))
    values = {name: _first(cells, columns) for name, columns in COLUMNS.items()}
    if step is None or all(value is None for value in values.values()):
        return None
    return MetricRow(step=int(step), **values)


def _first(cells: Mapping[str, object], columns: tuple[str, ...]) -> float | None:
    numbers = (_number(cells.get(column)) for column in columns)
    return next((number for number in numbers if number is not None), None)


def _number(cell: object) -> float | None:
    try:
        number = float(str(cell))
    except ValueError:
        return None
    return number if math.isfinite(number) else None
