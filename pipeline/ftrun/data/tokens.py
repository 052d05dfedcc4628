"""Owns counting tokens as OpenAI publishes it for chats: 3 a message, 1 a name, 3 an example.

Every text value of a message counts, its role and name included.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ftrun.errors import FtrunError

PER_MESSAGE = 3
PER_NAME = 1
PER_EXAMPLE = 3
CountTexts = Callable[[Sequence[str]], list[int]]


class Tokens(NamedTuple):
    """Tokens of one example, and of its assistant contents alone."""

    total: int
    assistant: int


def text_counter(encoding: str) -> CountTexts:
    """Return a function that gives the number of tokens of each text.

    FtrunError if neither toktok nor tiktoken can count in that encoding.
    """
    try:
        import toktok  # its extension module holds vocabularies: not before they are needed
    except ImportError:
        return _tiktoken_counter(encoding)

    def count(texts: Sequence[str]) -> list[int]:
        return list(toktok.batch_count(texts, encoding))

    return count


def _tiktoken_counter(encoding: str) -> CountTexts:
    import tiktoken

    try:
        codec = tiktoken.get_encoding(encoding)
    except Exception as error:  # whatever its download raises: requests, OSError, a wrong hash
        raise FtrunError(
            f"the vocabulary {encoding} can't be had: {type(error).__name__}",
            code="no_vocabulary",
            hint="Install toktok-rs, which brings it along, or connect once so that tiktoken can fetch it.",
        ) from error

    def count(texts: Sequence[str]) -> list[int]:
        return [len(codec.encode(text, disallowed_special=())) for text in texts]

    return count


def count_examples(examples: Iterable[Sequence[Mapping[str, Any]]], count: CountTexts) -> list[Tokens]:
    """Return the tokens of each example (a list of messages); all texts are counted in one batch."""
    texts: list[str] = []
    shapes: list[list[tuple[bool, bool]]] = []  # for each text: is it a name, is it learned
    fixed: list[int] = []
    for messages in examples:
        shape: list[tuple[bool, bool]] = []
        for message in messages:
            assistant = message.get("role") == "assistant"
            for key, value in message.items():
                if isinstance(value, str):
                    texts.append(value)
                    shape.append((key == "name", assistant and key == "content"))
        shapes.append(shape)
        fixed.append(PER_EXAMPLE + PER_MESSAGE * len(messages))
    counts = iter(count(texts))
    return [_sum(shape, counts, start) for shape, start in zip(shapes, fixed, strict=True)]


def _sum(shape: list[tuple[bool, bool]], counts: Iterable[int], start: int) -> Tokens:
    total, learned = start, 0
    for (is_name, is_learned), tokens in zip(shape, counts, strict=False):
        total += tokens + PER_NAME * is_name
        learned += tokens * is_learned
    return Tokens(total, learned)
