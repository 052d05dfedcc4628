"""The training rows as examples and as documents: which of them are nearest to a question (BM25).

Only rows of the training split are here, never one of validation or test. The order is the same on every
machine: rows with equal scores keep the order of the file.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ftrun.data.pipeline.own_rows import own_rows
from ftrun.errors import UsageError
from ftrun.files import damage_reported
from ftrun.protocol.spec import SYSTEM_ROLES
from ftrun.scoring.texts.normal_form import normalised
from ftrun.scoring.texts.words import UNSPACED
from ftrun.scoring.types import Message

if TYPE_CHECKING:  # numpy and bm25s are of the extra `eval`
    import numpy as np
    from numpy.typing import NDArray

# scripts that are looked for by pairs of characters: those without spaces between words, and Hangul, whose
# words end in particles
PAIRED = f"{UNSPACED}\uac00-\ud7af"
TERM = re.compile(f"[{PAIRED}]+|[^\\W{PAIRED}]+")
IS_PAIRED = re.compile(f"[{PAIRED}]")
KEPT = 2  # training files that are kept in memory


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRow:
    """A training example: its turns without the system prompt, its last question and the answer to it."""

    turns: tuple[Message, ...]
    question: str
    answer: str


class TrainingRows:
    """The rows that can serve as examples: chats of texts that end with an answer."""

    def __init__(self, rows: Sequence[TrainingRow]) -> None:
        self.rows = tuple(rows)
        self._found: dict[tuple[bool, str, int, str | None], list[TrainingRow]] = {}

    @cached_property
    def language(self) -> str | None:
        """Return the ISO 639-1 code of the language that most answers are in, None if it is not clear."""
        from ftrun.langid.majority import main_language  # a run with nothing to do needs none

        return main_language(row.answer for row in self.rows)

    def examples(self, question: str, count: int, *, but: str | None = None) -> list[TrainingRow]:
        """Return the rows whose questions are nearest, the nearest first; `but`: none that asks this."""
        key = (False, question, count, but)
        if key not in self._found:
            self._found[key] = [self.rows[one] for one in self._nearest(self._questions, *key[1:])]
        return self._found[key]

    def documents(self, question: str, count: int, *, but: str | None = None) -> list[TrainingRow]:
        """Return the rows that say most about a question, the best first; none without a word of it."""
        key = (True, question, count, but)
        if key not in self._found:
            best, scores = self._nearest(self._whole, *key[1:]), self._whole.scores(question)
            self._found[key] = [self.rows[one] for one in best if scores[one] > 0]
        return self._found[key]

    def _nearest(self, index: _Index, question: str, count: int, but: str | None) -> list[int]:
        own = self._asking.get(normalised(but, case=False), frozenset()) if but is not None else frozenset()
        best = index.best(question, count + len(own))
        return [one for one in best if one not in own][:count]

    @cached_property
    def _questions(self) -> _Index:
        return _Index(row.question for row in self.rows)

    @cached_property
    def _whole(self) -> _Index:
        return _Index(f"{row.question}\n{row.answer}" for row in self.rows)

    @cached_property
    def _asking(self) -> Mapping[str, frozenset[int]]:
        """Return the rows that ask each question."""
        found: dict[str, set[int]] = {}
        for number, row in enumerate(self.rows):
            found.setdefault(normalised(row.question, case=False), set()).add(number)
        return {question: frozenset(numbers) for question, numbers in found.items()}


def training_rows(train: Path, sha: str | None) -> TrainingRows:
    """Return the usable rows of a prepared training file, which has this hash; none without a file."""
    return _read(train, sha) if train.is_file() else TrainingRows(())


@lru_cache(KEPT)
def _read(train: Path, _sha: str | None) -> TrainingRows:
    with damage_reported(train):
        return TrainingRows(list(usable(own_rows(train.parent, "train"))))


def usable(examples: Iterable[Mapping[str, Any]]) -> Iterator[TrainingRow]:
    """Yield the examples that are chats of texts and end with an answer; of a preference, the better one."""
    for example in examples:
        messages = example.get("messages", ())
        if "preferred_output" in example:
            messages = [*example.get("input", {}).get("messages", ()), *example["preferred_output"]]
        turns = [one for one in messages if one.get("role") not in SYSTEM_ROLES]
        roles = [one.get("role") for one in turns]
        texts = [one.get("content") for one in turns]
        if roles[-2:] != ["user", "assistant"] or set(roles) != {"user", "assistant"}:
            continue
        if all(isinstance(text, str) and text.strip() for text in texts):
            told = tuple({"role": one["role"], "content": one["content"]} for one in turns)
            yield TrainingRow(turns=told, question=texts[-2], answer=texts[-1])


class _Index:
    """BM25 (Lucene's form, k1 = 1.5, b = 0.75) over texts."""

    def __init__(self, texts: Iterable[str]) -> None:
        import numpy as np

        bm25 = _bm25s()
        corpus = [terms(text) for text in texts]
        self._size, self._none = len(corpus), np.zeros(len(corpus), dtype=np.float32)
        self._index = None
        if any(corpus):
            self._index = bm25.BM25()
            self._index.index(corpus, show_progress=False)

    def scores(self, text: str) -> NDArray[np.float32]:
        """Return the score of every text."""
        wanted = [] if self._index is None else self._index.get_tokens_ids(terms(text))
        if self._index is None or not wanted:
            return self._none
        found: NDArray[np.float32] = self._index.get_scores_from_ids(wanted)
        return found

    def best(self, text: str, count: int) -> list[int]:
        """Return the numbers of the best texts, the best first; of equal ones the first."""
        import numpy as np

        count = min(count, self._size)
        if count == 0:
            return []
        scores = self.scores(text)
        level = np.partition(scores, -count)[-count]
        among = np.flatnonzero(scores >= level)
        return [int(one) for one in among[np.argsort(-scores[among], kind="stable")][:count]]


def terms(text: str) -> list[str]:
    """Return what a text is looked for by: its words or, in some scripts, pairs of characters."""
    found: list[str] = []
    for run in TERM.findall(unicodedata.normalize("NFKC", text).casefold()):
        if IS_PAIRED.match(run) and len(run) > 1:
            found += (run[one : one + 2] for one in range(len(run) - 1))
        else:
            found.append(run)
    return found


def _bm25s() -> Any:
    try:
        import bm25s
    except ModuleNotFoundError as error:
        from ftrun.installation import install_extra

        raise UsageError(
            "to look for the nearest training rows (few-shot, retrieval), ftrun needs the package bm25s",
            code="extra_missing",
            hint=install_extra("eval"),
        ) from error
    return bm25s
