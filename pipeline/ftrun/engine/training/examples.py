"""Training examples as tensors: read, encoded, cut at the context length, and packed into rows.

A row has whole examples one after the other, each with positions from 0, and no padding: Transformers keeps
attention within an example because the positions restart.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ftrun.engine.backends import Rejected
from ftrun.engine.examples import enumerate_examples
from ftrun.engine.models.chat_template import ChatEncoder, Encoded

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Examples:
    """Encoded examples, and warnings for the user about what was changed."""

    items: tuple[Encoded, ...]
    warnings: tuple[str, ...]

    @property
    def tokens(self) -> int:
        """Return the tokens of one epoch."""
        return sum(len(item.ids) for item in self.items)


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedRow:
    """Packed examples: `ids` and `positions` of shape (1, tokens), `predict` the indices whose next token is
    learned, `targets` those tokens.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    predict: torch.Tensor
    targets: torch.Tensor


def load_examples(path: Path, encoder: ChatEncoder, *, context: int, param: str) -> Examples:
    """Read and encode a file; examples longer than `context` tokens are cut at the end, with a warning."""
    items: list[Encoded] = []
    cut: list[int] = []
    for line, messages in enumerate_examples(path, param=param):
        for encoded in encoder.examples(messages):
            if len(encoded.ids) > context:
                cut += [line] if line not in cut[-1:] else []
            # five bytes per token instead of forty: a large file has millions
            item = Encoded(ids=array("i", encoded.ids[:context]), learned=bytes(encoded.learned[:context]))
            if any(item.learned[1:]):
                items.append(item)
    if not items:
        raise Rejected(
            f"The {param} has no example with anything to learn within {context} tokens.", param=param
        )
    return Examples(items=tuple(items), warnings=_warnings(cut, context, param))


def _warnings(cut: Sequence[int], context: int, param: str) -> tuple[str, ...]:
    if not cut:
        return ()
    lines = ", ".join(map(str, cut[:10])) + (", …" if len(cut) > 10 else "")
    return (
        f"{len(cut)} example(s) of the {param} are longer than {context} tokens and were cut at the end "
        f"(line {lines}); an example with nothing left to learn is not used.",
    )


def pack(examples: Sequence[Encoded], *, most_tokens: int) -> list[PackedRow]:
    """Pack whole examples into rows of up to `most_tokens`; a longer example gets its own row."""
    rows: list[list[Encoded]] = []
    size = 0
    for example in examples:
        if not rows or size + len(example.ids) > most_tokens:
            rows.append([])
            size = 0
        rows[-1].append(example)
        size += len(example.ids)
    return [_row(row) for row in rows]


def _row(examples: Sequence[Encoded]) -> PackedRow:
    import torch

    ids = [token for example in examples for token in example.ids]
    positions = [place for example in examples for place in range(len(example.ids))]
    # nothing comes before the first token of an example to predict it from
    learned = [
        place > 0 and example.learned[place] for example in examples for place in range(len(example.ids))
    ]
    targets = torch.tensor([place for place, flag in enumerate(learned) if flag], dtype=torch.long)
    row = torch.tensor([ids])
    return PackedRow(
        ids=row, positions=torch.tensor([positions]), predict=targets - 1, targets=row[0, targets]
    )
