"""Owns reading single examples back from prepared files, with the place that each came from."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.data.prepared import ROLES, SOURCES, read_origin
from ftrun.data.rowwork import damaged_file
from ftrun.experiment.places import shown_path

DAMAGED = (OSError, ValueError, TypeError, KeyError, IndexError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A written line: its number (from 1) in its split's file, the place of its row, and its bytes."""

    split: str
    number: int
    file: str
    line: int
    raw: bytes

    @property
    def example(self) -> Mapping[str, Any]:
        """Return what the line says; DataError if it is damaged."""
        try:
            value = json.loads(self.raw)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise damaged_file(f"{self.split}.jsonl", self.number)
        return value


def samples(folder: Path, project: Path, *splits: str) -> Iterator[Sample]:
    """Yield the examples of `splits` (left out: all) that were prepared into `folder`, if any.

    Places are those of the sources, or of the prepared file where sources.jsonl is lost.
    """
    for split in splits or ROLES:
        path = folder / f"{split}.jsonl"
        if not path.is_file():
            continue
        with path.open("rb") as file:
            lines = zip(file, _places(folder, project, split, shown_path(path)), strict=False)
            for number, (raw, (name, line)) in enumerate(lines, 1):
                yield Sample(split=split, number=number, file=name, line=line, raw=raw)


def _places(folder: Path, project: Path, split: str, own: str) -> Iterator[tuple[str, int]]:
    number = 0
    with contextlib.suppress(*DAMAGED), (folder / SOURCES).open("rb") as file:
        origin, places = read_origin(file)
        names = [shown_path(project / name) for name in origin.files]
        for role, index, line in places:
            if role == split:
                number += 1
                yield names[index], line
    yield from ((own, line) for line in itertools.count(number + 1))
