"""Questions that are answered in different ways. Keeps 16 bytes per example."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any
from zlib import crc32

from ftrun.data.diagnostics.notes import further_places
from ftrun.data.quality.corpus import Corpus, CorpusCheck, CorpusFaults, last_turn, normal
from ftrun.data.quality.pii import excerpt
from ftrun.data.split.duplicates import buckets
from ftrun.protocol.chat import TrainingRow
from ftrun.protocol.faults import Fault

NOTHING = bytes(16)
ASKED = ("user", "assistant")  # how nearly every chat ends
MOST_READ = 20  # pairs that are read again and compared word for word


class Contradictions(CorpusCheck):
    """Notes the question, what was said before it, and the answer of each example as hashes.

    This covers all splits: a held-out answer that contradicts a learned one measures nothing, and with
    another seed both may be learned.
    """

    size = 16

    def __init__(self) -> None:
        self._first: tuple[Any, Any] = ("", "")  # how the last example began: mostly the system prompt
        self._checksum = _checksum([self._first])

    def facts(self, examples: Sequence[TrainingRow]) -> bytes:
        """Return 8 bytes of the question, 4 of what comes before it, 4 of the answer; zeros without one."""
        return b"".join(map(self._fact, examples))

    def _fact(self, made: TrainingRow) -> bytes:
        chat = made.chat
        if chat is not None and chat.roles[-2:] == ASKED and chat.texts[-1]:
            *said, question, answer = chat.texts
            before = [*zip(chat.roles, said, strict=False)]
        else:
            turn = last_turn(made.example)
            if turn is None:
                return NOTHING
            question, answer, before = turn.question, turn.answer, [*turn.before]
        asked = blake2b(normal(question).encode("utf-8", "surrogatepass"), digest_size=8).digest()
        taught = crc32(answer.strip().encode("utf-8", "surrogatepass"))
        return asked + self._context(before).to_bytes(4) + taught.to_bytes(4)

    def _context(self, before: list[tuple[Any, Any]]) -> int:
        if not before:
            return 0
        if before[0] != self._first:
            self._first, self._checksum = before[0], _checksum(before[:1])
        return _checksum(before[1:], self._checksum) if len(before) > 1 else self._checksum

    def judge(self, facts: memoryview, corpus: Corpus) -> CorpusFaults:
        """Yield one fault for all contradictions, at the first, with both places."""
        pairs = sorted(_pairs(facts))
        read = pairs[:MOST_READ]
        wanted = sorted({index for pair in read for index in pair})
        turns = dict(zip(wanted, map(last_turn, corpus.examples(wanted)), strict=True))
        answers = {index: turn.answer if turn else "" for index, turn in turns.items()}
        real = [pair for pair in read if _comparable(answers[pair[0]]) != _comparable(answers[pair[1]])]
        if not real:
            return
        (later, earlier), first = real[0], turns[real[0][0]]
        file, line = corpus.place(earlier)
        message = (
            f"{excerpt(first.question if first else '')} is answered {excerpt(answers[later])} here and "
            f"{excerpt(answers[earlier])} at {file}:{line}"
        )
        others = [corpus.place(index) for index, _ in real[1:4]]
        more = len(pairs) - len(read) + len(real) - 1 - len(others)
        yield later, Fault("contradiction", message + further_places(corpus.place(later)[0], others, more))


def _pairs(facts: memoryview) -> Iterator[tuple[int, int]]:
    """Yield (later, earlier) for every example whose answer is not that of the first with its question."""
    for indices in buckets(facts):
        first: dict[bytes, int] = {}
        for index in indices:
            fact = bytes(facts[index * 16 : index * 16 + 16])
            if fact == NOTHING:
                continue
            earlier = first.setdefault(fact[:12], index)
            if facts[earlier * 16 + 12 : earlier * 16 + 16] != fact[12:]:
                yield index, earlier


def _comparable(answer: str) -> str:
    """Return an answer without differences that don't matter: width, space, the two wave dashes."""
    return "".join(unicodedata.normalize("NFKC", normal(answer)).replace("〜", "~").split())


def _checksum(said: list[tuple[Any, Any]], start: int = 0) -> int:
    joined = "".join([f"{role}\x1f{text}\x1e" for role, text in said])
    return crc32(joined.encode("utf-8", "surrogatepass"), start)
