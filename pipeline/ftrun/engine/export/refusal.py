"""The error for a model that llama.cpp would not run alike."""

from __future__ import annotations

from ftrun.errors import UsageError


def not_as_gguf(message: str) -> UsageError:
    """Return the error with this message, which names what can't be written as GGUF."""
    return UsageError(
        message,
        code="unsupported_export",
        hint="Use --format safetensors, and llama.cpp's converter (convert_hf_to_gguf.py) on that folder.",
    )
