"""Which examples are worth showing where not all fit: the flagged, the longest, the shortest, and a
seeded choice of the rest. The same files give the same choice.
"""

from __future__ import annotations

import heapq
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ftrun.data.examples.views import Sizes, Turn, tools_of, turns_of
from ftrun.data.pipeline.samples import chosen, numbers_at
from ftrun.experiment.model import Experiment

QUOTAS = {"train": 120, "validation": 40, "test": 40}
LONGEST_TEXT = 4000  # characters of one text
MOST_CHARACTERS = 1_000_000  # of all texts


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
                "tags": [*flags.get((sample.file, sample.line), ()), *numbers[sample.number]],
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
    if number > quota:  # where all are shown, the longest is no news
        for name, kept in (("longest", longest), ("shortest", shortest)):
            for _, negative in kept:
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


def _shown(turn: Turn) -> dict[str, Any]:
    cut = max(0, len(turn.text) - LONGEST_TEXT)
    name = {"name": turn.name} if turn.name else {}
    return {"role": turn.role, **name, "text": turn.text[:LONGEST_TEXT], "trained": turn.trained, "cut": cut}
