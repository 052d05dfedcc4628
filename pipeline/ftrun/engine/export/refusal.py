"""The error for a model that a format has no place for."""

from __future__ import annotations

from ftrun.errors import UsageError


def refused(what: str, why: str) -> UsageError:
    """Return the error that names what can't be written as GGUF, and why."""
    return UsageError(
        f"This model can't be written as GGUF because of {what}: {why}.",
        code="unsupported_export",
        hint="Use --format safetensors, and llama.cpp's converter (convert_hf_to_gguf.py) on that folder.",
    )
