"""Load PyTorch and Transformers, which takes seconds: in the background while a base model is downloaded.

Two threads must not load them at the same time: Python would let one of them see modules that the other has
not finished.
"""

from __future__ import annotations

import contextlib
import importlib
import threading

# what Transformers loads when it loads a model or a tokenizer of any architecture
PARTS = (
    "torch",
    "transformers.modeling_utils",
    "transformers.generation",
    "transformers.tokenization_utils_tokenizers",
)

_loading = threading.Lock()


def load_libraries() -> None:
    """Load both, or wait until they are loaded."""
    with _loading:
        for part in PARTS:
            importlib.import_module(part)


def begin_to_load() -> None:
    """Load both in the background; why one can't be loaded is found again, and told, by who needs it."""

    def load() -> None:
        with contextlib.suppress(Exception):
            load_libraries()

    threading.Thread(target=load, name="libraries", daemon=True).start()
