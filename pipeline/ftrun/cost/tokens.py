"""Counting tokens as OpenAI publishes it for chats: 3 a message, 1 a name, 3 an example.

Every text value of a message counts, its role and name included.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from ftrun.cost.tool_tokens import Counted, calls_counted, parts_counted, tools_counted
from ftrun.errors import FtrunError
from ftrun.protocol.chat import Chat, Made, chat_of
from ftrun.protocol.faults import Example
from ftrun.protocol.rows import asked_of, is_completion, messages_of

PER_MESSAGE = 3
PER_NAME = 1
PER_EXAMPLE = 3
CountTexts = Callable[[Sequence[str]], list[int]]


class Tokens(NamedTuple):
    """Tokens of one example, and of what its assistant says alone. `flags`: what of them is an estimate."""

    total: int
    assistant: int
    flags: int = 0


class Texts(NamedTuple):
    """What is counted of an example: `fixed` tokens, its texts, and which of these (indices) are learned."""

    fixed: int
    texts: list[str]
    learned: list[int]
    flags: int


def text_counter(encoding: str, threads: int = 0) -> CountTexts:
    """Return a function that gives the number of tokens of each text; 0 threads: one on each core.

    FtrunError if neither toktok nor tiktoken can count in that encoding.
    """
    try:
        import toktok  # its extension module holds vocabularies: not before they are needed
    except ImportError:
        return _tiktoken_counter(encoding)

    def count(texts: Sequence[str]) -> list[int]:
        return list(toktok.batch_count(texts, encoding, threads))

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


def count_examples(examples: Iterable[Example], count: CountTexts, family: str | None = None) -> list[Tokens]:
    """Return the tokens of each example; all texts go in one batch, and one that repeats is counted once.

    `family` is that of the model, on which the count of tools depends.
    """
    return count_made([Made(dict(example), chat_of(example)) for example in examples], count, family)


def count_made(made: Iterable[Made], count: CountTexts, family: str | None = None) -> list[Tokens]:
    """Return the tokens of each example, as `count_examples` does."""
    shapes = [one.chat or texts_of(one.example, family) for one in made]
    roles = {shape.roles for shape in shapes if isinstance(shape, Chat)}
    texts = itertools.chain(*roles, itertools.chain.from_iterable(shape.texts for shape in shapes))
    unique = list(dict.fromkeys(texts))
    counts = dict(zip(unique, count(unique), strict=True))
    fixed = {one: PER_EXAMPLE + sum(PER_MESSAGE + counts[role] for role in one) for one in roles}
    learned = {one: [role == "assistant" for role in one] for one in roles}
    return [
        _sum_of_chat(fixed[shape.roles], learned[shape.roles], list(map(counts.__getitem__, shape.texts)))
        if isinstance(shape, Chat)
        else _sum(shape, list(map(counts.__getitem__, shape.texts)))
        for shape in shapes
    ]


def _sum_of_chat(fixed: int, learned: Sequence[bool], counts: Sequence[int]) -> Tokens:
    return Tokens(fixed + sum(counts), sum(itertools.compress(counts, learned)))


def texts_of(example: Example, family: str | None = None) -> Texts:
    """Return what is counted of an example."""
    texts: list[str] = []
    learned: list[int] = []
    fixed, flags = PER_EXAMPLE, 0
    for message in messages_of(example):
        fixed += PER_MESSAGE + PER_NAME * isinstance(message.get("name"), str)
        said = message.get("role") == "assistant"
        for key, value in message.items():
            if isinstance(value, str):
                if said and key == "content":
                    learned.append(len(texts))
                texts.append(value)
            elif key in ("content", "tool_calls") and value:
                more = parts_counted(value) if key == "content" else calls_counted(value)
                if said:
                    learned.extend(range(len(texts), len(texts) + len(more.texts)))
                fixed, flags = fixed + more.fixed, flags | more.flags
                texts += more.texts
    if "messages" not in example or "tools" in example:
        more = _beside(example, family)
        fixed, flags = fixed + more.fixed, flags | more.flags
        if is_completion(example):
            learned.append(len(texts) + 1)
        texts += more.texts
    return Texts(fixed, texts, learned, flags)


def _beside(example: Example, family: str | None) -> Counted:
    """Return what is counted of a row beside its messages: tools, or a prompt and its completion."""
    if is_completion(example):
        return Counted(-PER_EXAMPLE, [example["prompt"], example["completion"]], 0)
    tools = asked_of(example).get("tools")
    return tools_counted(tools, family) if tools else Counted(0, [], 0)


def _sum(shape: Texts, counts: list[int]) -> Tokens:
    total = shape.fixed + sum(counts)
    return Tokens(total, sum([counts[index] for index in shape.learned]), shape.flags)
