"""Owns finding questions that are answered in different ways. Keeps 16 bytes an example."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import blake2b
from typing import TYPE_CHECKING

from ftrun.data.content.excerpt import excerpt
from ftrun.data.content.telling import also
from ftrun.data.content.turn import last_turn, normal
from ftrun.data.faults import Example, Fault
from ftrun.data.repeats import buckets
from ftrun.data.split import TRAIN

if TYPE_CHECKING:
    from ftrun.data.checks import Corpus

NOTHING = bytes(16)
MOST_SHOWN = 20  # pairs that are read again and compared word for word


class Contradictions:
    """Notes question, what was said before it, and answer of each training example as hashes."""

    size = 16

    def fact(self, example: Example) -> bytes:
        """Return 8 bytes of the question, 4 of what stands before it, 4 of the answer; zeros without one."""
        turn = last_turn(example)
        if turn is None:
            return NOTHING
        before = "\x1e".join(f"{role}\x1f{text}" for role, text in turn.before)
        return _hash(normal(turn.question), 8) + _hash(before, 4) + _hash(turn.answer.strip(), 4)

    def judge(self, facts: memoryview, corpus: Corpus) -> Iterator[tuple[int | None, Fault]]:
        """Yield one fault for all contradictions, at the first, with both places."""
        pairs = sorted(_pairs(facts, corpus))
        shown = pairs[:MOST_SHOWN]
        wanted = sorted({index for pair in shown for index in pair})
        turns = dict(zip(wanted, map(last_turn, corpus.examples(wanted)), strict=True))
        answers = {index: turn.answer if turn else "" for index, turn in turns.items()}
        real = [pair for pair in shown if normal(answers[pair[0]]) != normal(answers[pair[1]])]
        if not real:
            return
        (later, earlier), first = real[0], turns[real[0][0]]
        assert first is not None
        count = len(pairs) - len(shown) + len(real)
        file, line = corpus.place(earlier)
        others = [corpus.place(index) for index, _ in real[1:4]]
        message = (
            f"{excerpt(first.question)} is answered {excerpt(first.answer)} here and "
            f"{excerpt(answers[earlier])} at {file}:{line}"
        )
        if count > 1:
            message += also(corpus.place(later)[0], others, count - 1 - len(others))
        yield later, Fault("contradiction", message)


def _pairs(facts: memoryview, corpus: Corpus) -> Iterator[tuple[int, int]]:
    """Yield (later, earlier) for every training example whose answer is not that of the first like it."""
    for indices in buckets(facts):
        first: dict[bytes, int] = {}
        for index in indices:
            fact = bytes(facts[index * 16 : index * 16 + 16])
            if corpus.parts[index] != TRAIN or fact == NOTHING:
                continue
            earlier = first.setdefault(fact[:12], index)
            if facts[earlier * 16 + 12 : earlier * 16 + 16] != fact[12:]:
                yield index, earlier


def _hash(text: str, size: int) -> bytes:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest()
