"""Questions that are answered in different ways. Keeps 16 bytes per example."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from zlib import crc32

from ftrun.data.diagnostics.notes import further_places
from ftrun.data.quality.corpus import Corpus, CorpusCheck, CorpusFaults, last_turn, normal
from ftrun.data.quality.pii import excerpt
from ftrun.data.split.duplicates import buckets
from ftrun.protocol.faults import Fault
from ftrun.protocol.plain_chats import TrainingRow

NOTHING = bytes(16)
ASKED = ("user", "assistant")  # how nearly every chat ends
MOST_READ = 20  # pairs that are read again and compared word for word


class Contradictions(CorpusCheck):
    """Notes the question, what was said before it, and the answer of each example as hashes.

    This covers all splits: a held-out answer that contradicts a learned one measures nothing, and with
    another seed both may be learned.
    """

    size = 16

    def facts(self, examples: Sequence[TrainingRow]) -> bytes:
        """Return 8 bytes of the question, 4 of what comes before it, 4 of the answer; zeros without one."""
        return b"".join(map(_fact, examples))

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


def _fact(row: TrainingRow) -> bytes:
    if row.chat is not None and row.chat.roles[-2:] == ASKED and row.chat.texts[-1]:
        *said, question, answer = row.chat.texts
        before: Iterable[tuple[str, str]] = zip(row.chat.roles, said, strict=False)
    else:
        turn = last_turn(row.example)
        if turn is None:
            return NOTHING
        question, answer, before = turn.question, turn.answer, turn.before
    context = "".join([f"{role}\x1f{text}\x1e" for role, text in before])
    asked = blake2b(normal(question).encode("utf-8", "surrogatepass"), digest_size=8).digest()
    checksums = (crc32(text.encode("utf-8", "surrogatepass")) for text in (context, answer.strip()))
    return asked + b"".join(one.to_bytes(4) for one in checksums)


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
