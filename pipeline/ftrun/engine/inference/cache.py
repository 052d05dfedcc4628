"""The key-value cache of answers that are computed together: rows that join and leave, aligned to the right.

A row's last token is in the last column, and its padding is on the left. So its positions are contiguous, and
masks for windows of attention, which Transformers makes from columns, are right for every row. Each tensor
has spare room: a new token is written into it instead of copying everything, as `DynamicCache` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

from torch import Tensor
from transformers import Cache
from transformers.cache_utils import CacheLayerMixin

SPARE = 64  # columns, at least: how much a full tensor grows by
KeysAndValues: TypeAlias = tuple[Tensor, Tensor]  # each (heads, tokens, size): what a layer knows of one row


class _Layer(CacheLayerMixin):  # type: ignore[misc]  # transformers is not typed here
    """Keys and values of one layer: `rows` times `length` columns of larger tensors are in use."""

    is_sliding = False  # a layer with a window keeps everything too: its mask hides what is outside

    def __init__(self, room: int) -> None:
        super().__init__()
        self.keys: Any = None  # a Tensor once there is something
        self.values: Any = None
        self.rows, self.length = 0, 0
        self._room = room  # columns to begin with

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Do nothing: `update` makes the tensors."""

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> KeysAndValues:
        """Add columns, (rows, heads, columns, size), and return all of them."""
        start, self.rows = self.length, key_states.shape[0]
        self.length += key_states.shape[2]
        self.keys = self._written(self.keys, key_states, start)
        self.values = self._written(self.values, value_states, start)
        return self.keys[: self.rows, :, : self.length], self.values[: self.rows, :, : self.length]

    def _written(self, held: Tensor | None, new: Tensor, start: int) -> Tensor:
        if held is None or held.shape[2] < self.length:
            room = max(self._room, self.length if held is None else _more(self.length))
            rows = self.rows if held is None else held.shape[0]
            larger = new.new_empty(rows, new.shape[1], room, new.shape[3])
            if held is not None:
                larger[: self.rows, :, :start] = held[: self.rows, :, :start]
            held = larger
        held[: self.rows, :, start : self.length] = new
        return held

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        """Return how many columns a query sees, and the first of them."""
        return self.length + query_length, 0

    def get_seq_length(self) -> int:
        """Return the number of columns in use."""
        return self.length

    def get_max_length(self) -> int:
        """Return -1: there is no limit."""
        return -1

    def start(self, known: Sequence[KeysAndValues | None]) -> None:
        """Begin with one row for each entry of `known`; None is an empty row."""
        like = max((entry for entry in known if entry is not None), key=lambda entry: entry[0].shape[1])
        self.rows, self.length = len(known), like[0].shape[1]
        width, room = self.length, max(self._room, self.length)
        held = [each.new_zeros(self.rows, each.shape[0], room, each.shape[2]) for each in like]
        for row, entry in enumerate(known):
            for tensor, part in zip(held, entry or (), strict=bool(entry)):
                tensor[row, :, width - part.shape[1] : width] = part
        self.keys, self.values = held

    def join(self, other: _Layer) -> None:
        """Add the rows of `other` below these."""
        width = max(self.length, other.length)
        if self.keys is not None:
            self.keys = _joined(self.keys, other.keys, self, other)
            self.values = _joined(self.values, other.values, self, other)
        self.rows, self.length = self.rows + other.rows, width

    def leave(self, row: int) -> None:
        """Remove a row; the last one takes its place."""
        self.rows -= 1
        for tensor in (self.keys, self.values):
            if tensor is not None and row != self.rows:
                tensor[row, :, : self.length] = tensor[self.rows, :, : self.length]

    def row(self, row: int, start: int, stop: int) -> KeysAndValues | None:
        """Return a copy of some columns of a row."""
        if self.keys is None:
            return None
        return self.keys[row, :, start:stop].clone(), self.values[row, :, start:stop].clone()

    def trim(self, columns: int) -> None:
        """Remove columns on the left."""
        kept = self.length - columns
        for tensor in (self.keys, self.values):
            if tensor is not None:
                tensor[: self.rows, :, :kept] = tensor[: self.rows, :, columns : self.length].clone()
        self.length = kept


def _more(size: int) -> int:
    return size + max(SPARE, size // 4)


def _joined(above: Tensor, below: Tensor, one: _Layer, other: _Layer) -> Tensor:
    """Return a tensor with the rows of both layers, the narrower ones padded with zeros on the left."""
    rows, width = one.rows + other.rows, max(one.length, other.length)
    target = above
    if above.shape[0] < rows or above.shape[2] < width:
        # twice the rows: most joins find room
        most = above.shape[0] if above.shape[0] >= rows else 2 * rows
        room = above.shape[2] if above.shape[2] >= width else _more(width)
        target = above.new_empty(most, above.shape[1], room, above.shape[3])
    if target is not above or one.length < width:
        _align(target[: one.rows], above[: one.rows, :, : one.length], width)
    _align(target[one.rows : rows], below[: other.rows, :, : other.length], width)
    return target


def _align(target: Tensor, source: Tensor, width: int) -> None:
    padding = width - source.shape[2]
    if padding:
        source = source.clone()  # it may be a part of the target
        target[:, :, :padding] = 0  # masked, but what is not a number would spoil the row all the same
    target[:, :, padding:width] = source


class BatchCache(Cache):  # type: ignore[misc]
    """The keys and values of all layers; see the module."""

    def __init__(self, config: Any, *, room: int = 0) -> None:
        """Make an empty cache for a model; its tensors will begin with `room` columns."""
        super().__init__(layers=[_Layer(room) for _ in range(config.get_text_config().num_hidden_layers)])

    def start(self, known: Sequence[Sequence[KeysAndValues | None] | None]) -> None:
        """Begin with rows of which so much is known, each as `row` returned it; None is an empty row."""
        for place, layer in enumerate(self.layers):
            parts = [None if entry is None else entry[place] for entry in known]
            if any(part is not None for part in parts):
                layer.start(parts)

    def join(self, other: BatchCache) -> None:
        """Add the rows of another cache below these; it must not be used afterwards."""
        for layer, more in zip(self.layers, other.layers, strict=True):
            layer.join(more)

    def leave(self, row: int) -> None:
        """Remove a row; the last one takes its place."""
        for layer in self.layers:
            layer.leave(row)

    @property
    def bytes_per_token(self) -> int:
        """Return the bytes that a token of one row takes, once something was read."""
        held = [tensor for layer in self.layers for tensor in (layer.keys, layer.values)]
        return sum(tensor[0, :, 0].nbytes for tensor in held if tensor is not None)

    def trim(self, columns: int) -> None:
        """Remove columns on the left."""
        for layer in self.layers:
            layer.trim(columns)

    def row(self, row: int, start: int, stop: int) -> list[KeysAndValues | None]:
        """Return a copy of some columns of a row, layer by layer; None for a layer that has nothing."""
        return [layer.row(row, start, stop) for layer in self.layers]
