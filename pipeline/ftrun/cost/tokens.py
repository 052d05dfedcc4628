"""Counting tokens as OpenAI publishes it for chats: 3 per message, 1 per name, 3 per example.

Every string value of a message counts, its role and name included.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ftrun.cost.tool_tokens import Countable
from ftrun.errors import FtrunError
from ftrun.protocol.faults import Example
from ftrun.protocol.plain_chats import Chat, TrainingRow, chat_of
from ftrun.protocol.training_rows import asked_of, is_completion, messages_of

PER_MESSAGE = 3
PER_NAME = 1
PER_EXAMPLE = 3
CountTexts = Callable[[Sequence[str]], list[int]]


class Tokens(NamedTuple):
    """Tokens of one example, and of what its assistant says. `flags` say what of them is an estimate."""

    total: int
    assistant: int
    flags: int = 0


def text_counter(encoding: str, threads: int = 0) -> CountTexts:
    """Return a function that counts the tokens of each text, with as many threads as cores by default.

    FtrunError if neither toktok nor tiktoken can count in that encoding.
    """
    try:
        import toktok  # its extension module holds the vocabularies: only when they are needed

        return lambda texts: list(toktok.batch_count(texts, encoding, threads))
    except ImportError:
        import tiktoken
    try:
        codec = tiktoken.get_encoding(encoding)
    except Exception as error:  # whatever its download raises: requests, OSError, a wrong hash
        raise FtrunError(
            f"the vocabulary {encoding} is not available: {type(error).__name__}",
            code="no_vocabulary",
            hint="Install toktok-rs, which contains it, or go online once so that tiktoken can download it.",
        ) from error
    return lambda texts: [len(codec.encode(text, disallowed_special=())) for text in texts]


def count_examples(examples: Iterable[Example], count: CountTexts, family: str | None = None) -> list[Tokens]:
    """Return the tokens of each example; the count of tools depends on the model's `family`."""
    return count_rows([TrainingRow(dict(example), chat_of(example)) for example in examples], count, family)


def count_rows(rows: Iterable[TrainingRow], count: CountTexts, family: str | None = None) -> list[Tokens]:
    """Return the tokens of each row. All texts go in one batch, and one that repeats is counted once."""
    shapes = [row.chat or countable(row.example, family) for row in rows]
    roles = {shape.roles for shape in shapes if isinstance(shape, Chat)}
    texts = itertools.chain(*roles, itertools.chain.from_iterable(shape.texts for shape in shapes))
    unique = list(dict.fromkeys(texts))
    counts = dict(zip(unique, count(unique), strict=True))
    fixed = {one: PER_EXAMPLE + sum(PER_MESSAGE + counts[role] for role in one) for one in roles}
    trained = {one: [role == "assistant" for role in one] for one in roles}
    tokens = []
    for shape in shapes:
        each = list(map(counts.__getitem__, shape.texts))
        if isinstance(shape, Chat):
            said = sum(itertools.compress(each, trained[shape.roles]))
            tokens.append(Tokens(fixed[shape.roles] + sum(each), said))
        else:
            said = sum([each[index] for index in shape.trained])
            tokens.append(Tokens(shape.fixed + sum(each), said, shape.flags))
    return tokens


def countable(example: Example, family: str | None = None) -> Countable:
    """Return what is counted of an example; KeyError, TypeError or AttributeError if it is damaged."""
    if is_completion(example) and "messages" not in example:
        return Countable(0, [example["prompt"], example["completion"]], [1])
    found = Countable(PER_EXAMPLE)
    for message in messages_of(example):
        found.fixed += PER_MESSAGE + PER_NAME * isinstance(message.get("name"), str)
        for key, value in message.items():
            start = len(found.texts)
            if isinstance(value, str):
                found.texts.append(value)
            elif key == "content" and value:
                found.add_parts(value)
            elif key == "tool_calls" and value:
                found.add_calls(value)
            if key in ("content", "tool_calls") and message.get("role") == "assistant":
                found.trained.extend(range(start, len(found.texts)))
    asked = example if "messages" in example else asked_of(example)
    if tools := asked.get("tools"):
        found.add_tools(tools, family)
    return found
