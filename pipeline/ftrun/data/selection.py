"""Owns which examples are worth showing where not all fit: the flagged, the longest, the shortest, and a
seeded choice of the rest. The same files give the same choice.
"""

from __future__ import annotations

import hashlib
import heapq
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ftrun.data.samples import Sample, samples
from ftrun.data.turns import Sizes, Turn, tools_of, turns_of
from ftrun.experiment.model import Experiment

QUOTAS = {"train": 120, "validation": 40, "test": 40}
LONGEST_TEXT = 4000  # characters of one text
MOST_CHARACTERS = 1_000_000  # of all texts
Flags = Mapping[tuple[str, int], list[str]]  # place -> codes of what is wrong there


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
        for sample, tags in _chosen(samples(folder, experiment.project, split), quota, flags):
            example = sample.example
            shown = [_shown(turn) for turn in turns_of(example)]
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
                "tags": tags,
                "turns": shown,
            }


def _chosen(found: Iterable[Sample], quota: int, flags: Flags) -> Iterator[tuple[Sample, list[str]]]:
    """Yield at most `quota` examples in their order, each with what is remarkable about it."""
    flagged: list[Sample] = []
    longest: list[tuple[int, int, Sample]] = []
    shortest: list[tuple[int, int, Sample]] = []
    others: list[tuple[int, int, Sample]] = []
    for sample in found:
        size = len(sample.raw)
        if (sample.file, sample.line) in flags and len(flagged) < quota // 3:
            flagged.append(sample)
        _keep(longest, quota // 12, (size, -sample.number, sample))
        _keep(shortest, quota // 24, (-size, -sample.number, sample))
        _keep(others, quota, (-_rank(sample.raw), -sample.number, sample))
    tags: dict[int, list[str]] = defaultdict(list)
    chosen = {sample.number: sample for sample in flagged}
    for name, kept in (("longest", longest), ("shortest", shortest), ("", others)):
        for _, _, sample in sorted(kept, reverse=True):
            if name or len(chosen) < quota:
                chosen[sample.number] = sample
            if name and len(others) == quota:  # where all are shown, the longest is no news
                tags[sample.number].append(name)
    for number, sample in sorted(chosen.items()):
        yield sample, [*flags.get((sample.file, sample.line), ()), *tags[number]]


def _keep(heap: list[tuple[int, int, Sample]], most: int, one: tuple[int, int, Sample]) -> None:
    """Keep the `most` largest."""
    if len(heap) < most:
        heapq.heappush(heap, one)
    elif one > heap[0]:
        heapq.heapreplace(heap, one)


def _rank(raw: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest())


def _shown(turn: Turn) -> dict[str, Any]:
    cut = max(0, len(turn.text) - LONGEST_TEXT)
    return {"role": turn.role, "text": turn.text[:LONGEST_TEXT], "trained": turn.trained, "cut": cut}
