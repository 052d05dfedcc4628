"""How often the training examples are written: the weights of their sources, once all are divided."""

from __future__ import annotations

import itertools

from ftrun.data.pipeline.gathering import Gathered
from ftrun.data.readers.selection import copies
from ftrun.data.split.division import TRAIN

DIGEST = 16  # bytes
MOST = 255  # copies; the schema allows a weight of 100


def weigh(gathered: Gathered, parts: bytearray) -> bytearray:
    """Note how often each example is written, leave out those that are not; return the parts of the rest."""
    if all(weight == 1 for weight in gathered.weights):
        return parts
    times = bytearray(_times(gathered, index) if part == TRAIN else 1 for index, part in enumerate(parts))
    unused = bytearray(count == 0 for count in times)
    if any(unused):
        gathered.leave_out(unused)
    gathered.times = bytearray(count for count in times if count)
    return bytearray(itertools.compress(parts, times))


def _times(gathered: Gathered, index: int) -> int:
    weight = gathered.weights[gathered.place_of(index)[0]]
    return copies(weight, bytes(gathered.digests[index * DIGEST : (index + 1) * DIGEST]))


def fold(gathered: Gathered) -> None:
    """Take examples of one place that follow one another, as a weight writes them, for one."""
    places = itertools.pairwise(gathered.place_of(index) for index in range(len(gathered)))
    again = bytearray(itertools.chain((0,), (one == next_one for one, next_one in places)))
    if not any(again):
        return
    times = bytearray()
    for repeats in again:
        if repeats and times[-1] < MOST:
            times[-1] += 1
        elif not repeats:
            times.append(1)
    gathered.leave_out(again)
    gathered.times = times
