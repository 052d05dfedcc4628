"""Training of the top layers alone: the frozen layers below are run once per example, and what they return is
kept for every later step.

The body keeps its own forward pass, with its masks, rotary embeddings and kinds of layers. Layers that a pass
leaves out are replaced by ones that return what they are given; before training both ways are compared.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor, nn

from ftrun.engine.models.base import LoadedModel, is_same
from ftrun.errors import UserError
from ftrun.files import make_folder

IN_MEMORY = 2**30  # bytes of states
IN_FILE = 2**34  # bytes of those that memory doesn't hold; the rest is computed each time


class TopLayers:
    """A loaded model whose last `count` layers are trained; those below may have an adapter, but keep it."""

    def __init__(self, model: LoadedModel, count: int, folder: Path) -> None:
        """Keep states in `folder` if they are large. UserError if the model can't be run in two parts."""
        self.device, self._model, self._body = model.device, model, model.causal.base_model
        layers = layers_of(model)
        first = len(layers) - count
        self._reached = _Passed()
        self._lower = nn.ModuleList([*layers[:first], *[self._reached] * count])
        self._upper = nn.ModuleList([*[_Passed()] * first, *layers[first:]])
        self._kept = _Kept(folder)
        self._check()

    def close(self) -> None:
        """Drop the states."""
        self._kept.close()

    def hidden(self, ids: Tensor, positions: Tensor) -> Tensor:
        """Return what `LoadedModel.hidden` returns, with gradients for the top layers only."""
        starts = (positions[0] == 0).nonzero()[1:, 0]
        states = torch.cat([self._states_of(example) for example in ids[0].tensor_split(starts)])
        self._body.layers = self._upper
        return self._model.run(positions, inputs_embeds=states[None].to(self.device))

    def logits(self, states: Tensor) -> Tensor:
        """Return what `LoadedModel.logits` returns."""
        return self._model.logits(states)

    def _states_of(self, ids: Tensor) -> Tensor:
        """Return what the frozen layers make of one example, (tokens, width).

        It is run alone: its states must not depend on its neighbours in a row, which are others after a kill.
        """
        example = tuple(ids.tolist())
        states = self._kept.get(example)
        if states is None:
            with torch.no_grad():
                self._body.layers = self._lower
                self._model.run(torch.arange(len(ids))[None], input_ids=ids[None].to(self.device))
            states = self._reached.states[0].cpu()
            self._kept.add(example, states)
        return states

    def _check(self) -> None:
        """Raise UserError if both parts, one after the other, are not the whole body."""
        ids, positions = torch.arange(1, 17)[None], torch.cat([torch.arange(9), torch.arange(7)])[None]
        if not self._model.packs:
            positions = torch.arange(16)[None]
        try:
            with torch.no_grad():
                whole, split = self._model.hidden(ids, positions), self.hidden(ids, positions)
            same = is_same(split, whole, self._model.dtype)
        except Exception:  # whatever a body raises that does more with its layers than call them in turn
            same = False
        if not same:
            raise _unsupported(self._model)


class _Passed(nn.Module):  # type: ignore[misc]  # torch is not typed here
    """In the place of a layer: returns what it is given, and remembers it."""

    states: Tensor

    def forward(self, states: Tensor, *_: Any, **__: Any) -> Tensor:
        self.states = states
        return states


class _Kept:
    """States by the ids of their example: in memory, else in a file without a name, else not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._in_memory: dict[tuple[int, ...], Tensor] = {}
        self._in_file: dict[tuple[int, ...], tuple[int, int]] = {}  # place and size
        self._memory_left, self._file_left, self._end = IN_MEMORY, 0, 0
        self._file: IO[bytes] | None = None

    def close(self) -> None:
        if self._file is not None:
            self._file.close()

    def get(self, example: tuple[int, ...]) -> Tensor | None:
        if example not in self._in_file or self._file is None:
            return self._in_memory.get(example)
        place, size = self._in_file[example]
        self._file.seek(place)
        data = bytearray(self._file.read(size))
        return torch.frombuffer(data, dtype=self._dtype).view(len(example), -1)

    def add(self, example: tuple[int, ...], states: Tensor) -> None:
        if states.nbytes <= self._memory_left:
            self._memory_left -= states.nbytes
            self._in_memory[example] = states
            return
        if self._file is None:
            self._open(states.dtype)
        if states.nbytes <= self._file_left:
            self._write(example, states)

    def _open(self, dtype: torch.dtype) -> None:
        make_folder(self._folder)
        self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115  see `close`
        self._file_left = min(IN_FILE, shutil.disk_usage(self._folder).free // 2)
        self._dtype = dtype

    def _write(self, example: tuple[int, ...], states: Tensor) -> None:
        assert self._file is not None
        try:
            self._file.seek(self._end)
            self._file.write(memoryview(states.contiguous().view(torch.uint8).numpy()))
            self._file.flush()
        except OSError:  # the disk became full: what isn't kept is computed again
            self._file_left = 0
            return
        self._in_file[example] = self._end, states.nbytes
        self._end, self._file_left = self._end + states.nbytes, self._file_left - states.nbytes


def layers_of(model: LoadedModel) -> nn.ModuleList:
    """Return the model's transformer layers; UserError if they are not where they can be replaced."""
    layers = getattr(model.causal.base_model, "layers", None)
    if not isinstance(layers, nn.ModuleList):
        raise _unsupported(model)
    return layers


def _unsupported(model: LoadedModel) -> UserError:
    return UserError(
        f"The top layers of {model.name} can't be trained alone: its architecture doesn't allow it.",
        code="unsupported_architecture",
        hint="Remove train.hyperparameters.top_layers; all layers are trained then.",
    )
