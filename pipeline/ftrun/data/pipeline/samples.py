"""Examples of prepared files, each with the place that it came from; and a choice of them to browse."""

from __future__ import annotations

import contextlib
import heapq
import itertools
import json
import zlib
from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.data.examples.views import ShownText, Sizes, tools_of, turns_of
from ftrun.data.pipeline.row_work import damaged_file
from ftrun.data.types import DAMAGED, SOURCES, Origin, place_line, read_origin, shown_source
from ftrun.experiment.model import Experiment
from ftrun.experiment.places import shown_path
from ftrun.protocol.spec import SPLITS

QUOTAS = {"train": 120, "validation": 40, "test": 40}
LONGEST_TEXT = 4000  # characters of one text
MOST_CHARACTERS = 1_000_000  # of all texts


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedExample:
    """A written line: its number (from 1) in its split's file, the place of its row, and its bytes.

    `general`: it is not the user's, but one that `data.replay` mixed in.
    """

    split: str
    number: int
    file: str
    line: int
    raw: bytes
    general: bool = False

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


def samples(folder: Path, project: Path, *splits: str) -> Iterator[PreparedExample]:
    """Yield the examples of `splits` (left out: all) that were prepared into `folder`, if any.

    Places are those of the sources, or of the prepared file where sources.jsonl is lost.
    """
    for split in splits or SPLITS:
        yield from chosen(folder, project, split, None)


def chosen(
    folder: Path, project: Path, split: str, numbers: Container[int] | None
) -> Iterator[PreparedExample]:
    """Yield the examples of one split that have one of the `numbers` (from 1; None: all), in their order."""
    path = folder / f"{split}.jsonl"
    if not path.is_file():
        return
    origin = _origin(folder)
    names = [shown_source(project, name) for name in origin.files]
    general = {names[index] for index in origin.replay}
    own = shown_path(path)
    with path.open("rb") as file:
        lines = itertools.zip_longest(file, _place_lines(folder, split))
        for number, (raw, place) in enumerate(lines, 1):
            if raw is not None and (numbers is None or number in numbers):
                name, line = _place(place, names) or (own, number)
                yield PreparedExample(
                    split=split, number=number, file=name, line=line, raw=raw, general=name in general
                )


def numbers_at(folder: Path, project: Path, split: str, places: Iterable[tuple[str, int]]) -> Iterator[int]:
    """Yield the numbers of the examples whose rows are at `places` (file as messages show it, line)."""
    indices = {shown_source(project, name): index for index, name in enumerate(_origin(folder).files)}
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


def browsable(
    experiment: Experiment, folder: Path, problems: Iterable[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield at most 200 examples of the prepared files as JSON values, in their order.

    `problems` have `file`, `line` and `code`, as in `check --json`. Long texts are cut.
    """
    flags: dict[tuple[str, int], list[str]] = defaultdict(list)
    for one in problems:
        if one["file"] and one["line"]:
            flags[one["file"], one["line"]].append(one["code"])
    sizes = Sizes(experiment.target)
    left = MOST_CHARACTERS
    for split, quota in QUOTAS.items():
        path = folder / f"{split}.jsonl"
        if not path.is_file() or not path.stat().st_size:
            continue
        flagged = list(numbers_at(folder, experiment.project, split, flags))
        numbers = _numbers(path, quota, flagged)
        for sample in chosen(folder, experiment.project, split, numbers):
            example = sample.example
            shown = [_shown(turn) for turn in turns_of(sample.shown)]
            left -= sum(len(one["text"]) for one in shown)
            if left < 0:
                return
            yield {
                "split": split,
                "number": sample.number,
                "file": sample.file,
                "line": sample.line,
                "tokens": sizes.total(example),
                "trained_tokens": sizes.trained(example),
                "tools": list(tools_of(example)),
                "tags": [
                    *(["general"] if sample.general else []),
                    *flags.get((sample.file, sample.line), ()),
                    *numbers[sample.number],
                ],
                "turns": shown,
            }


def _numbers(path: Path, quota: int, flagged: Sequence[int]) -> dict[int, list[str]]:
    """Return the numbers of at most `quota` lines, each with what is remarkable about its size."""
    longest: list[tuple[int, int]] = []
    shortest: list[tuple[int, int]] = []
    others: list[tuple[int, int]] = []
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            size = len(raw)
            _keep(longest, quota // 12, (size, -number))
            _keep(shortest, quota // 24, (-size, -number))
            _keep(others, quota, (-zlib.crc32(raw), -number))  # a seeded choice needs no better hash
    tags: dict[int, list[str]] = {number: [] for number in flagged[: quota // 3]}
    if number > quota:  # where all are shown, the longest needs no tag
        for name, found in (("longest", longest), ("shortest", shortest)):
            for _, negative in found:
                tags.setdefault(-negative, []).append(name)
    for _, negative in sorted(others, reverse=True):
        if len(tags) < quota:
            tags.setdefault(-negative, [])
    return tags


def _keep(heap: list[tuple[int, int]], most: int, one: tuple[int, int]) -> None:
    """Keep the `most` largest."""
    if len(heap) < most:
        heapq.heappush(heap, one)
    elif one > heap[0]:
        heapq.heapreplace(heap, one)


def _shown(turn: ShownText) -> dict[str, Any]:
    cut = max(0, len(turn.text) - LONGEST_TEXT)
    name = {"name": turn.name} if turn.name else {}
    return {"role": turn.role, **name, "text": turn.text[:LONGEST_TEXT], "trained": turn.trained, "cut": cut}
