"""The rows of prepared files that are the user's: without the general ones that `data.replay` mixes in."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ftrun.data.readers.json_rows import json_value
from ftrun.data.types import DAMAGED, SOURCES, Origin, read_origin
from ftrun.files import damage_reported
from ftrun.protocol.spec import SplitName

BOM = b"\xef\xbb\xbf"


def own_lines(folder: Path, split: SplitName) -> Iterator[bytes]:
    """Yield the lines of a split's file in `folder`, none if there is no such file.

    Where sources.jsonl is lost, general rows are not recognized and are among them.
    """
    path = folder / f"{split}.jsonl"
    if not path.is_file():
        return
    with path.open("rb") as lines, contextlib.ExitStack() as ending:
        general = _general(folder, ending) if split == "train" else iter(())
        for line in lines:
            if line.strip() and not next(general, False):
                yield line.removeprefix(BOM)  # of a file that is sent as it is


def own_rows(folder: Path, split: SplitName) -> Iterator[Mapping[str, Any]]:
    """Yield the rows of a split's file in `folder`; FtrunError if it was damaged."""
    with damage_reported(folder / f"{split}.jsonl"):
        for line in own_lines(folder, split):
            yield dict(json_value(line))


def held_out_groups(folder: Path) -> tuple[str, ...]:
    """Return the group of each row of the test split, in the file's order; none if they are unknown."""
    with contextlib.suppress(*DAMAGED), (folder / SOURCES).open("rb") as file:
        return tuple(map(str, read_origin(file)[0].test_groups))
    return ()


def _general(folder: Path, ending: contextlib.ExitStack) -> Iterator[bool]:
    """Yield for each line of train.jsonl whether it is a general row; nothing if none is."""
    origin = Origin()
    with contextlib.suppress(*DAMAGED):
        file = ending.enter_context((folder / SOURCES).open("rb"))
        origin, places = read_origin(file)
    if not origin.replay:
        return
    with contextlib.suppress(*DAMAGED):
        yield from (index in origin.replay for role, index, _ in places if role == "train")
