"""Scorers of how much of the reference an answer's wording shares: BLEU and chrF as sacrebleu computes them,
ROUGE as rouge-score does, with Japanese words.

BLEU and chrF are of all answers together, computed from the summed statistics of single ones: sacrebleu
finds those, and what is computed from them here, for many sums at once, equals its corpus scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ftrun.scoring.metrics import Mean, quotient
from ftrun.scoring.options import Options
from ftrun.scoring.texts.words import dictionary_words, mostly_unspaced
from ftrun.scoring.types import Answer, Sample, Scale, Score

if TYPE_CHECKING:
    from ftrun.scoring.types import Matrix

TOKENIZERS = ("13a", "char", "intl", "zh", "none")
ROUGE = ("rouge_1", "rouge_2", "rouge_l")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bleu:
    """BLEU, 0-100, from sums of sacrebleu's statistics: lengths of answers and references, then of each order
    how many n-grams are right, then how many there are. Orders without any right one are smoothed (`exp`).
    """

    name: str = "bleu"
    higher_is_better: bool | None = True
    binary: bool = False
    scale: Scale = "points"
    resampled: bool = True

    def combine(self, sums: Matrix) -> Matrix:
        """Return sacrebleu's corpus score for each row of sums; NaN without answers."""
        import numpy as np

        said, wanted = sums[:, 0], sums[:, 1]
        right, total = np.split(sums[:, 2:], 2, axis=1)
        halved = np.where(right > 0, right, 0.5 ** np.cumsum(right == 0, axis=1))
        possible = np.asarray((total > 0).all(axis=1) & right.any(axis=1))
        precision = np.where(possible[:, None], quotient(halved, total), 1.0)
        penalty = np.exp(np.minimum(0.0, 1 - quotient(wanted, said, 1.0)))
        score = 100 * penalty * np.exp(np.log(precision).mean(axis=1))
        return np.where(sums.any(axis=1), np.where(possible, score, 0.0), np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chrf:
    """chrF, 0-100, from sums of sacrebleu's statistics: of each order how many n-grams the answers have, how
    many the references, and how many are in both.
    """

    name: str = "chrf"
    higher_is_better: bool | None = True
    binary: bool = False
    scale: Scale = "points"
    resampled: bool = True
    beta: int = 2

    def combine(self, sums: Matrix) -> Matrix:
        """Return sacrebleu's corpus score for each row of sums; NaN without answers."""
        import numpy as np

        said, wanted, both = np.moveaxis(sums.reshape(len(sums), -1, 3), 2, 0)
        counted = (said > 0) & (wanted > 0)
        orders = counted.sum(axis=1)
        precision = quotient(quotient(both, np.where(counted, said, 0), 0.0).sum(axis=1), orders, 0.0)
        recall = quotient(quotient(both, np.where(counted, wanted, 0), 0.0).sum(axis=1), orders, 0.0)
        weight = self.beta**2
        score = quotient((1 + weight) * precision * recall, weight * precision + recall, 0.0)
        return np.where(sums.any(axis=1), 100 * score, np.nan)


@dataclass(frozen=True, kw_only=True)
class CorpusOverlap:
    """BLEU or chrF of answers and references. `make` returns sacrebleu's metric, which is imported when it is
    needed: the one for a single answer, which leaves out n-grams that it is too short for.
    """

    name: str
    metrics: tuple[Bleu | Chrf, ...]
    make: Callable[[], Any]

    def score(self, sample: Sample, answer: Answer) -> Score | None:
        """Return the score of this answer alone, and its statistics; None without a reference."""
        if sample.reference is None:
            return None
        statistics = self._sacrebleu._extract_corpus_statistics([answer.text], [[sample.reference]])[0]
        value = float(self._sacrebleu._compute_score_from_stats(list(statistics)).score)
        return Score(value=value, statistics=tuple(map(float, statistics)))

    @cached_property
    def _sacrebleu(self) -> Any:
        return self.make()


def make_bleu(options: Options, samples: Sequence[Sample]) -> CorpusOverlap:
    """Return the scorer `bleu`. Where most references have no spaces between words, each character is one."""
    options.require("numpy", "sacrebleu")
    tokenize = options.choice("tokenize", ("auto", *TOKENIZERS), "auto")
    if tokenize == "auto":
        tokenize = "char" if mostly_unspaced(samples) else "13a"

    def make() -> Any:
        from sacrebleu.metrics.bleu import BLEU

        return BLEU(tokenize=tokenize, force=True, effective_order=True)

    return CorpusOverlap(name="bleu", metrics=(Bleu(),), make=make)


def make_chrf(options: Options) -> CorpusOverlap:
    """Return the scorer `chrf`; with `word_order: 2` chrF++."""
    options.require("numpy", "sacrebleu")
    word_order = options.count("word_order", 0, least=0, most=2)

    def make() -> Any:
        from sacrebleu.metrics.chrf import CHRF

        return CHRF(word_order=word_order)

    return CorpusOverlap(name="chrf", metrics=(Chrf(),), make=make)


class _Words:
    """The tokenizer that rouge-score is given: texts come as lists of words already."""

    def tokenize(self, words: list[str]) -> list[str]:
        return words


@dataclass(frozen=True, kw_only=True)
class Rouge:
    """The F-measures of ROUGE-1, ROUGE-2 and ROUGE-L, each the mean over the answers."""

    name: str = "rouge"
    metrics: tuple[Mean, ...] = tuple(Mean(name=name, column=column) for column, name in enumerate(ROUGE))

    def score(self, sample: Sample, answer: Answer) -> Score | None:
        """Return the main one to show and all three to add up; None without a reference."""
        if sample.reference is None:
            return None
        wanted, said = dictionary_words(sample.reference), dictionary_words(answer.text)
        found = self._scorer.score(wanted, said)
        values = [float(found[kind].fmeasure) for kind in ("rouge1", "rouge2")]
        values.append(rouge_l(wanted, said))
        main = self.metrics[0].column or 0
        shown = zip(("ROUGE-1", "ROUGE-2", "ROUGE-L"), values, strict=True)
        words = ", ".join(f"{kind} {one:.3f}" for place, (kind, one) in enumerate(shown) if place != main)
        return Score(value=values[main], explanation=words, statistics=(*values, 1.0))

    @cached_property
    def _scorer(self) -> Any:
        from rouge_score.rouge_scorer import RougeScorer

        return RougeScorer(["rouge1", "rouge2"], tokenizer=_Words())


def rouge_l(wanted: Sequence[str], said: Sequence[str]) -> float:
    """Return the F-measure of ROUGE-L: rouge-score's, with rapidfuzz's longest common subsequence, which is
    found hundreds of times faster.
    """
    from rapidfuzz.distance import LCSseq

    return 2 * LCSseq.similarity(wanted, said) / (len(wanted) + len(said)) if wanted and said else 0.0


def make_rouge(options: Options) -> Rouge:
    """Return the scorer `rouge`."""
    options.require("numpy", "rouge_score", "rapidfuzz", "sudachipy", "sudachidict_small")
    return Rouge()
