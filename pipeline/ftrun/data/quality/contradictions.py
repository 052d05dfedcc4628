"""Questions that are answered in ways that can't both be right. Keeps 16 bytes per example.

Several good answers to one question are a common design, so only those count that conflict: yes and no, other
numbers or names in the same sentence, other labels, or statements of fact that share nothing.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from zlib import crc32

from ftrun.data.diagnostics.notes import further_places
from ftrun.data.quality.corpus import Corpus, CorpusCheck, CorpusFaults, LastTurn, last_turn, normal, unsaid
from ftrun.data.quality.pii import excerpt
from ftrun.data.split.duplicates import buckets
from ftrun.data.wording.conflicts import OPEN, SOME_OF_MANY, Conflict, conflict
from ftrun.protocol.faults import Fault
from ftrun.protocol.plain_chats import TrainingRow

NOTHING = bytes(16)
ASKED = ("user", "assistant")  # how nearly every chat ends
MOST_READ = 2_000  # pairs that are read again and compared word for word
MOST_SHOWN = 3
BY_DESIGN = 2  # further answers to a question: so many are meant


class Contradictions(CorpusCheck):
    """Notes the question, what was said and shown before it, and the answer of each example as hashes.

    This covers all splits: a held-out answer that contradicts a learned one measures nothing, and with
    another seed both may be learned.
    """

    size = 16

    def facts(self, examples: Sequence[TrainingRow]) -> bytes:
        """Return 8 bytes of the question, 4 of what comes before it, 4 of the answer; zeros without one."""
        return b"".join(map(_fact, examples))

    def judge(self, facts: memoryview, corpus: Corpus) -> CorpusFaults:
        """Yield one fault for all contradictions, at the first, with both places."""
        pairs = sorted(_pairs(facts))[:MOST_READ]
        wanted = sorted({index for pair in pairs for index in pair})
        turns = dict(zip(wanted, map(last_turn, corpus.examples(wanted)), strict=True))
        real = _real(pairs, turns)
        if not real:
            return
        later, earlier = real[0]
        here, there = turns[later], turns[earlier]
        assert here is not None
        assert there is not None
        file, line = corpus.place(earlier)
        message = (
            f"{excerpt(here.question)} is answered {excerpt(here.answer)} here and "
            f"{excerpt(there.answer)} at {file}:{line}"
        )
        others = [corpus.place(index) for index, _ in real[1 : MOST_SHOWN + 1]]
        more = len(real) - 1 - len(others)
        places = further_places(corpus.place(later)[0], others, more)
        yield [index for index, _ in real], Fault("contradiction", message + places)


def _fact(row: TrainingRow) -> bytes:
    if row.chat is not None and row.chat.roles[-2:] == ASKED and row.chat.texts[-1]:
        *said, question, answer = row.chat.texts
        before: Iterable[tuple[str, str]] = zip(row.chat.roles, said, strict=False)
        other: list[str] = []
    else:
        turn = last_turn(row.example)
        if turn is None:
            return NOTHING
        question, answer, before = turn.question, turn.answer, turn.before
        other = unsaid(row.example)
    if row.example.get("tools"):
        other = [*other, json.dumps(row.example["tools"], sort_keys=True, default=str)]
    context = "".join([*(f"{role}\x1f{text}\x1e" for role, text in before), *other])
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


def _real(pairs: list[tuple[int, int]], turns: Mapping[int, LastTurn | None]) -> list[tuple[int, int]]:
    """Return the pairs whose answers conflict. Those that just share nothing count only where several answers
    to a question aren't usual in these data.
    """
    sure, loose = set[tuple[int, int]](), set[tuple[int, int]]()
    for pair in pairs:
        here, there = (turns[index] for index in pair)
        if here is None or there is None or _comparable(here.answer) == _comparable(there.answer):
            continue
        is_open = any(one.search(here.question) for one in (OPEN, SOME_OF_MANY))
        found = conflict(here.question, here.answer, there.answer, labels=not is_open)
        if found is Conflict.SURE:
            sure.add(pair)
        elif found is Conflict.LOOSE:
            loose.add(pair)
    answered = Counter(earlier for _, earlier in pairs)
    usual = len(pairs) - len(sure) - len(loose) > len(loose)
    real = sure if usual else sure | {pair for pair in loose if answered[pair[1]] < BY_DESIGN}
    return [pair for pair in pairs if pair in real]


def _comparable(answer: str) -> str:
    """Return an answer without differences that don't matter: width, space, the two wave dashes."""
    return "".join(unicodedata.normalize("NFKC", normal(answer)).replace("〜", "~").split())
