"""`dedupe: near`: rows that nearly repeat an earlier one are left out before the rows are divided."""

from __future__ import annotations

from ftrun.data.pipeline.gathering import Gathered
from ftrun.data.split.division import TRAIN


def leave_out_near(gathered: Gathered) -> None:
    """Leave out of the rows that are divided those that nearly repeat an earlier one that stays.

    Held-out files of their own keep all their rows. quality/similarity.py states time and memory.
    """
    from ftrun.data.quality.similarity import compared, dropped, near_pairs

    indices = [index for index, role in enumerate(gathered.roles) if role == TRAIN]
    gone = dropped(near_pairs(indices, lambda wanted: map(compared, gathered.spool.examples(wanted))))
    if not gone:
        return
    gathered.near, gathered.first_near = len(gone), gathered.place_of(min(gone))
    gathered.leave_out(bytearray(index in gone for index in range(len(gathered))))
