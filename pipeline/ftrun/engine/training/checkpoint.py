"""Checkpoints: the folders `step-N` of a job, with an adapter that chat can load and what training needs to
resume.

A folder is written under another name and renamed, so that it is complete or missing. Only the newest keeps
the optimizer's state, which is twice the size of the adapter.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ftrun.engine.models.lora import LoraLinear, save_adapter
from ftrun.files import delete, delete_folder, make_folder, rename, sync_folder, write_json

OPTIMIZER, PROGRESS = "optimizer.safetensors", "progress.json"
MOMENTS = ("exp_avg", "exp_avg_sq")  # of AdamW


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """A complete checkpoint after `step` steps."""

    step: int
    folder: Path
    metrics: Mapping[str, float]


def save_checkpoint(
    folder: Path,
    *,
    step: int,
    metrics: Mapping[str, float],
    base: str,
    layers: Mapping[str, LoraLinear],
    optimizer: torch.optim.Optimizer,
    parameters: Sequence[Tensor],
) -> Checkpoint:
    """Write `folder/step-N`, and delete the optimizer's state of earlier ones."""
    final, temporary = folder / f"step-{step}", folder / f".step-{step}.making"
    for left_over in (temporary, final):  # left by a process that was killed
        delete_folder(left_over)
    make_folder(temporary)
    save_adapter(temporary, layers, base=base)
    save_file(_moments(optimizer, parameters), temporary / OPTIMIZER)
    write_json(temporary / PROGRESS, {"step": step, "metrics": dict(metrics)})
    _sync_files(temporary)
    rename(temporary, final)
    sync_folder(folder)
    for earlier in folder.glob(f"step-*/{OPTIMIZER}"):
        if earlier.parent != final:
            delete(earlier)
    return Checkpoint(step=step, folder=final, metrics=metrics)


def last_checkpoint(folder: Path) -> Checkpoint | None:
    """Return the newest complete checkpoint that training can resume from."""
    found = [path.parent for path in folder.glob(f"step-*/{OPTIMIZER}")]
    if not found:
        return None
    newest = max(found, key=lambda path: int(path.name.removeprefix("step-")))
    progress = json.loads((newest / PROGRESS).read_text(encoding="utf-8"))
    return Checkpoint(step=progress["step"], folder=newest, metrics=progress["metrics"])


def restore_optimizer(
    checkpoint: Checkpoint, optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor]
) -> None:
    """Restore the optimizer's state from `checkpoint`."""
    saved = load_file(checkpoint.folder / OPTIMIZER)
    for number, parameter in enumerate(parameters):
        optimizer.state[parameter] = {"step": torch.tensor(float(checkpoint.step))} | {
            name: saved[f"{name}.{number}"].to(parameter.device) for name in MOMENTS
        }


def _moments(optimizer: torch.optim.Optimizer, parameters: Sequence[Tensor]) -> dict[str, Tensor]:
    return {
        f"{name}.{number}": optimizer.state[parameter][name].cpu().contiguous()
        for number, parameter in enumerate(parameters)
        for name in MOMENTS
    }


def _sync_files(folder: Path) -> None:
    for file in folder.iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)
