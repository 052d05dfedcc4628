"""How much memory a base model takes in a process of its own, and how much there is. Loads nothing."""

from __future__ import annotations

import os
from pathlib import Path

from ftrun.engine.models.catalogue import find_model
from ftrun.engine.places import cache_home

PROCESS_BYTES = 512 << 20  # Python with PyTorch, and the answers of a small model
REHEARSAL_BYTES = 64 << 20
# built-in models are downloaded with about four bits per weight and loaded with up to 32; models in other
# folders have at least 16
UNPACKED, WIDENED = 8, 2


def needed(model: str) -> int | None:
    """Return about how many bytes a process that answers for `model` takes; None for one that still has to be
    downloaded from the hub.
    """
    entry = find_model(model)
    if entry is not None:
        return PROCESS_BYTES + entry.download_mb * 1_000_000 * UNPACKED if entry.wheels else REHEARSAL_BYTES
    files = list(Path(model).glob("*.safetensors"))
    if not files:
        hub = cache_home() / "hub" / f"models--{model.replace('/', '--')}" / "snapshots"
        files = list(hub.glob("*/*.safetensors"))
    weights = sum(file.stat().st_size for file in files)
    return PROCESS_BYTES + weights * WIDENED if weights else None


def available() -> int:
    """Return the bytes that are available in this machine or container."""
    return min([_of_machine(), *_of_container()])


def _of_machine() -> int:
    fields = _numbers(Path("/proc/meminfo"))
    if "MemAvailable:" in fields:
        return fields["MemAvailable:"] * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2  # where the system doesn't say


def _of_container() -> list[int]:
    """Return the bytes that a control group (version 2) still allows; nothing where there is no limit."""
    group = Path("/sys/fs/cgroup")
    try:
        most = int((group / "memory.max").read_text(encoding="ascii"))
        taken = int((group / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):  # no such file, or "max"
        return []
    return [most - taken + _numbers(group / "memory.stat").get("inactive_file", 0)]


def _numbers(file: Path) -> dict[str, int]:
    """Return the numbers of a file with a name and a number in each line; empty if there is none."""
    try:
        lines = [line.split() for line in file.read_text(encoding="ascii").splitlines()]
    except OSError:
        return {}
    return {words[0]: int(words[1]) for words in lines if len(words) > 1}
