"""How much memory answers may take, and how to recognise that there was too little."""

from __future__ import annotations

import torch

from ftrun.engine.inference import room

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
    return room.available()


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory could not be allocated."""
    # the CPU's allocator raises a plain RuntimeError
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )
