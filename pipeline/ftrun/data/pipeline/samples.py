"""Reading single examples back from prepared files, with the place that each came from."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.data.pipeline.row_work import damaged_file
from ftrun.data.types import SOURCES, Origin, place_line, read_origin
from ftrun.experiment.places import shown_path
from ftrun.protocol.spec import SPLITS

DAMAGED = (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError)


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

    @property
    def shown(self) -> Mapping[str, Any]:
        """Return the example as people may see it: with a token in place of each secret."""
        from ftrun.data.quality.pii import mask  # its patterns cost milliseconds

        masked: Mapping[str, Any] = mask(self.example, ("secret",), Counter())
        return masked


def samples(folder: Path, project: Path, *splits: str) -> Iterator[Sample]:
    """Yield the examples of `splits` (left out: all) that were prepared into `folder`, if any.

    Places are those of the sources, or of the prepared file where sources.jsonl is lost.
    """
    for split in splits or SPLITS:
        yield from chosen(folder, project, split, None)


def chosen(folder: Path, project: Path, split: str, numbers: Container[int] | None) -> Iterator[Sample]:
    """Yield the examples of one split that have one of the `numbers` (from 1; None: all), in their order."""
    path = folder / f"{split}.jsonl"
    if not path.is_file():
        return
    origin = _origin(folder)
    names = [shown_path(project / name) for name in origin.files]
    own = shown_path(path)
    with path.open("rb") as file:
        lines = itertools.zip_longest(file, _place_lines(folder, split))
        for number, (raw, place) in enumerate(lines, 1):
            if raw is not None and (numbers is None or number in numbers):
                name, line = _place(place, names) or (own, number)
                yield Sample(split=split, number=number, file=name, line=line, raw=raw)


def numbers_at(folder: Path, project: Path, split: str, places: Iterable[tuple[str, int]]) -> Iterator[int]:
    """Yield the numbers of the examples whose rows stand at `places` (file as messages show it, line)."""
    indices = {shown_path(project / name): index for index, name in enumerate(_origin(folder).files)}
    wanted = {place_line((split, indices[file], line)) for file, line in places if file in indices}
    for number, line in enumerate(_place_lines(folder, split) if wanted else (), 1):
        if line in wanted:
            yield number


def _origin(folder: Path) -> Origin:
    with contextlib.suppress(*DAMAGED), (folder / SOURCES).open("rb") as file:
        return read_origin(file)[0]
    return Origin()


def _place_lines(folder: Path, split: str) -> Iterator[bytes]:
    """Yield the lines of sources.jsonl about a split, not parsed: most are only passed over."""
    start = f'["{split}",'.encode()
    with contextlib.suppress(OSError), (folder / SOURCES).open("rb") as file:
        yield from (line for line in file if line.startswith(start))


def _place(line: bytes | None, names: Sequence[str]) -> tuple[str, int] | None:
    with contextlib.suppress(*DAMAGED):
        _, index, number = json.loads(line or b"")
        return names[index], int(number)
    return None
