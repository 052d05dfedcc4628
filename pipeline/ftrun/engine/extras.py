"""Check which optional packages are installed, without importing them."""

from __future__ import annotations

from importlib.util import find_spec

from ftrun.engine.backends import REHEARSAL
from ftrun.errors import FtrunError
from ftrun.installation import install_extra

ENGINE = ("fastapi", "uvicorn", "python_multipart")
LOCAL = ("torch", "transformers", "tokenizers", "safetensors", "gguf", "llguidance")


def require_engine() -> None:
    """Raise FtrunError if packages that the engine's server needs are not installed."""
    _require(ENGINE, extra="engine", purpose="The engine")


def require_backend(model: str) -> None:
    """Raise FtrunError if packages that training the base model `model` needs are not installed."""
    if model != REHEARSAL:
        _require(LOCAL, extra="local", purpose=f"Training and running {model}")


def _require(packages: tuple[str, ...], *, extra: str, purpose: str) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        listed = ", ".join(missing)
        raise FtrunError(
            f"{purpose} needs packages that are not installed: {listed} (the extra ftrun[{extra}]).",
            code="extra_missing",
            hint=f"Install them: {install_extra(extra)}",
        )
