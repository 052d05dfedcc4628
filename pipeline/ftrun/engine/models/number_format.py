"""The number format of base models here: float32, or bfloat16 where that is clearly faster and right.

The variable FTRUN_DTYPE chooses. `auto`, the default, is decided by a short measurement of this processor,
which is kept in the model cache; a GPU is asked. Adapters, optimizer and loss are float32 in any case. This
module loads PyTorch only to measure.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from ftrun.engine.backends import NumberFormat
from ftrun.engine.models.matrix_products import Measurement, measure_products
from ftrun.engine.places import cache_home
from ftrun.errors import FtrunError, UsageError
from ftrun.files import digest, file_lock, make_folder, write_json

VARIABLE = "FTRUN_DTYPE"
FILE, LOCK = "number-format.json", ".number-format.lock"
LOCK_SECONDS = 2.0  # a measurement by another process takes about one
FormatSetting = Literal["auto", "float32", "bfloat16"]
SETTINGS: tuple[FormatSetting, ...] = get_args(FormatSetting)
LEAST_GAIN = 1.3  # times float32's speed: less does not pay for numbers of 8 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The format that was chosen, and a sentence for the user that says why."""

    format: NumberFormat
    reason: str


def format_setting() -> FormatSetting:
    """Return what FTRUN_DTYPE says; UsageError for a value that it can't have."""
    value = os.environ.get(VARIABLE) or "auto"
    for setting in SETTINGS:
        if value == setting:
            return setting
    raise UsageError(
        f"{VARIABLE} is {value!r}, which is not a number format.",
        code="unknown_dtype",
        hint=f"Set it to one of {', '.join(SETTINGS)}, or unset it.",
    )


def choose(found: Measurement) -> NumberFormat:
    """Return bfloat16 if its products are right and clearly faster, else float32."""
    return "bfloat16" if found.right and found.ratio >= LEAST_GAIN else "float32"


def number_format(*, cuda: bool, begun: NumberFormat | None = None) -> Choice:
    """Choose the format for a model on a GPU (`cuda`) or a processor; `begun` is that of a training that is
    continued here, which keeps it.
    """
    setting = format_setting()
    if begun is not None:
        return Choice(format=begun, reason=f"Number format: {begun}, in which this training began.")
    if setting != "auto":
        return Choice(format=setting, reason=f"Number format: {setting}, as FTRUN_DTYPE says.")
    return _of_gpu() if cuda else _of_processor(measurement())


def kept_measurement() -> Measurement | None:
    """Return the measurement of this processor with this PyTorch; None if there is none, or it is damaged."""
    try:
        measured = _kept()[_key()]["measured"]
        found = Measurement(**{name: float(value) for name, value in measured.items()})
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
    return found if found.float32 > 0 else None


def measurement(measure: Callable[[], Measurement] = measure_products) -> Measurement:
    """Return the measurement of this processor: the kept one, or a new one, which is then kept."""
    kept = kept_measurement()
    if kept is not None:
        return kept
    with _alone():
        kept = kept_measurement()  # another process may have measured meanwhile
        if kept is not None:
            return kept
        found = measure()
        entry = {"processor": _processor()[0], "torch": _torch_version(), "measured": asdict(found)}
        # where the cache can't be written, the next process measures again
        with contextlib.suppress(OSError, FtrunError):
            write_json(cache_home() / FILE, {**_kept(), _key(): entry})
    return found


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Let other processes wait that would measure, too: they would disturb each other."""
    with contextlib.ExitStack() as held:
        # where the cache can't be written, or it takes too long, without
        with contextlib.suppress(OSError, FtrunError):
            make_folder(cache_home())
            held.enter_context(file_lock(cache_home() / LOCK, timeout=LOCK_SECONDS))
        yield


def _of_processor(found: Measurement) -> Choice:
    chosen, times = choose(found), f"{found.ratio:.1f}"
    if chosen == "bfloat16":
        reason = (
            f"Number format: bfloat16, with adapters in float32; matrix products are {times} times as fast "
            "here as in float32. Set FTRUN_DTYPE to choose another format."
        )
    elif found.right:
        reason = f"Number format: float32; matrix products in bfloat16 are only {times} times as fast here."
    else:
        reason = "Number format: float32; matrix products in bfloat16 are wrong or missing here."
    return Choice(format=chosen, reason=reason)


def _of_gpu() -> Choice:
    import torch

    if torch.cuda.is_bf16_supported(including_emulation=False):
        reason = "Number format: bfloat16, with adapters in float32; the GPU supports it."
        return Choice(format="bfloat16", reason=reason)
    return Choice(format="float32", reason="Number format: float32; the GPU doesn't support bfloat16.")


def _kept() -> Mapping[str, Any]:
    """Return what is kept of all machines that share this cache."""
    try:
        found = json.loads((cache_home() / FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _key() -> str:
    return digest([*_processor(), _torch_version()])


def _torch_version() -> str | None:
    import importlib.metadata

    try:
        return importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        return None


def _processor() -> tuple[str, str]:
    """Return the processor's name and what it can do, as far as the system tells."""
    name, flags = platform.processor() or platform.machine(), ""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = (part.strip() for part in line.partition(":"))
            if key == "model name":
                name = value
            elif key in ("flags", "Features"):  # the latter on ARM
                return name, value
    return name, flags
