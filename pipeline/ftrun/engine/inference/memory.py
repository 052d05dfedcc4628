"""How much memory answers may take, and how to recognise that there was too little."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

UNKNOWN = 4 << 30  # bytes, where the system doesn't say what is available
LARGEST_PREFIXES = 512 << 20  # bytes: more would be searched through for each question


def for_answers(device: torch.device) -> int:
    """Return the bytes that the key-value cache of all answers may take: a third of what is available."""
    return available(device) // 3


def for_prefixes(device: torch.device) -> int:
    """Return the bytes that kept prompts and answers may take."""
    return min(available(device) // 10, LARGEST_PREFIXES)


def available(device: torch.device) -> int:
    """Return the bytes that are free on a GPU, or available in this machine or container."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    return min(_of_the_machine(), _half_of_the_container() or sys.maxsize)


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory could not be allocated."""
    # the CPU's allocator raises a plain RuntimeError
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def _of_the_machine() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return _half_of_all()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024 if "MemAvailable" in fields else _half_of_all()


def _half_of_all() -> int:
    if not hasattr(os, "sysconf"):
        return UNKNOWN
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2


def _half_of_the_container() -> int | None:
    """Return half of a container's limit (control groups, version 2), None if there is none."""
    try:
        return int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii")) // 2
    except (OSError, ValueError):  # no such file, or "max"
        return None
