"""Read a GGUF file: its metadata, and its tensors as float32. Knows nothing about models.

Only files whose hash was verified are read here. The package `gguf` dequantizes; its own reader creates a
numpy object for every token of the vocabulary, which takes minutes for 262,144 tokens.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy

MAGIC = b"GGUF"
ALIGNMENT = 32  # bytes; the format's default
# the format's codes of scalar types, as struct spells them
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
TEXT, ARRAY = 8, 9


class GgufFile:
    """An open GGUF file: `metadata` by key; `tensors()` yields names and arrays."""

    def __init__(self, path: Path) -> None:
        """Read the header of `path`; raises ValueError if it is not a GGUF file."""
        with path.open("rb") as file:
            self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        if self._bytes[:4] != MAGIC:
            raise ValueError(f"{path} is not a GGUF file")
        self._at = 8
        tensors, keys = self._scalar("Q"), self._scalar("Q")
        self.metadata: dict[str, Any] = {self._text(): self._value(self._scalar("I")) for _ in range(keys)}
        self._tensors = [self._describe() for _ in range(tensors)]
        alignment = int(self.metadata.get("general.alignment", ALIGNMENT))
        self._data = -(-self._at // alignment) * alignment

    def tensors(self) -> Iterator[tuple[str, numpy.ndarray[Any, Any]]]:
        """Yield (name, float32 array); dimensions are in numpy's order, the last one contiguous."""
        import numpy
        from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
        from gguf.quants import dequantize

        for name, shape, code, offset in self._tensors:
            kind = GGMLQuantizationType(code)
            block, size = GGML_QUANT_SIZES[kind]
            rows = (*shape[:-1], shape[-1] // block * size)
            count = int(numpy.prod(rows, dtype=numpy.int64))
            raw = numpy.frombuffer(self._bytes, numpy.uint8, count, self._data + offset).reshape(rows)
            if kind is GGMLQuantizationType.F32:
                yield name, raw.view(numpy.float32)
            else:
                yield name, dequantize(raw, kind)

    def _describe(self) -> tuple[str, tuple[int, ...], int, int]:
        name = self._text()
        shape = tuple(self._scalar("Q") for _ in range(self._scalar("I")))[::-1]
        return name, shape, self._scalar("I"), self._scalar("Q")

    def _scalar(self, kind: str) -> Any:
        (value,) = struct.unpack_from(f"<{kind}", self._bytes, self._at)
        self._at += struct.calcsize(f"<{kind}")
        return value

    def _text(self) -> str:
        length = self._scalar("Q")
        start, self._at = self._at, self._at + length
        return self._bytes[start : self._at].decode("utf-8")

    def _value(self, kind: int) -> Any:
        if kind == TEXT:
            return self._text()
        if kind == ARRAY:
            return self._array()
        return self._scalar(SCALARS[kind])

    def _array(self) -> list[Any]:
        kind, count = self._scalar("I"), self._scalar("Q")
        if kind not in SCALARS:
            return [self._value(kind) for _ in range(count)]
        layout = f"<{count}{SCALARS[kind]}"
        values = struct.unpack_from(layout, self._bytes, self._at)
        self._at += struct.calcsize(layout)
        return list(values)
