"""BLEU, chrF and ROUGE equal the libraries that define them, in English and Japanese."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pytest
import sacrebleu
from rouge_score.rouge_scorer import RougeScorer

from ftrun.scoring.overlap import CorpusOverlap, Rouge
from ftrun.scoring.scorers import make_scorers
from ftrun.scoring.texts.words import dictionary_words
from ftrun.scoring.types import Answer, Sample, Score, Scorer

JAPANESE = [
    "それはあなたの感想ですよね。",
    "データはありますか？",
    "東京都の人口は約１４００万人です。",
    "国家公務員は二人います。",
    "なんだろう、嘘つくのやめてもらっていいですか。",
    "猫は液体である。",
    "Windowsで十分だと思います。",
    "",
]
ENGLISH = ["the", "cat", "sat", "on", "a", "mat", "and", "dog", "did", "not", "the", "log", "at", "all", "on"]
Pairs = list[tuple[str, str]]  # answer, reference


def english(seed: int, longest: int = 14) -> Pairs:
    """Return random sentences that share words, some of them empty or very short."""
    draw = random.Random(seed)
    texts = [" ".join(draw.choices(ENGLISH, k=draw.randrange(longest))) for _ in range(60)]
    return list(zip(texts[::2], texts[1::2], strict=True))


def japanese(seed: int) -> Pairs:
    """Return random texts of a few Japanese sentences."""
    draw = random.Random(seed)
    texts = ["".join(draw.choices(JAPANESE, k=draw.randrange(1, 4))) for _ in range(60)]
    return list(zip(texts[::2], texts[1::2], strict=True))


def samples_of(pairs: Pairs) -> list[Sample]:
    """Return samples with the references."""
    return [Sample(id=str(number), turns=(), reference=wanted) for number, (_, wanted) in enumerate(pairs)]


def scores_of(scorer: Scorer, pairs: Pairs) -> list[Score]:
    """Return the score of each answer."""
    found = [
        scorer.score(sample, Answer(text=said))
        for sample, (said, _) in zip(samples_of(pairs), pairs, strict=True)
    ]
    return [one for one in found if one is not None]


def summed(scores: Sequence[Score]) -> np.ndarray:
    """Return the sums of statistics, as one row."""
    return np.array([[sum(column) for column in zip(*(one.statistics for one in scores), strict=True)]])


def overlap(name: str, pairs: Pairs, **options: object) -> CorpusOverlap:
    """Return a scorer made for these pairs."""
    (scorer,) = make_scorers([(name, options)], samples=samples_of(pairs))
    assert isinstance(scorer, CorpusOverlap)
    return scorer


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("longest", [3, 14])
def test_bleu_equals_sacrebleu(seed: int, longest: int) -> None:
    """The corpus score with sacrebleu's default tokenizer is computed from sums, smoothing included."""
    pairs = english(seed, longest)
    scorer = overlap("bleu", pairs)
    wanted = sacrebleu.corpus_bleu([said for said, _ in pairs], [[right for _, right in pairs]]).score
    assert scorer.metrics[0].combine(summed(scores_of(scorer, pairs)))[0] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_bleu_of_japanese_takes_characters(seed: int) -> None:
    """Japanese has no spaces, so that each character is a word."""
    pairs = japanese(seed)
    scorer = overlap("bleu", pairs)
    said, right = [one for one, _ in pairs], [[one for _, one in pairs]]
    wanted = sacrebleu.corpus_bleu(said, right, tokenize="char").score
    assert scorer.metrics[0].combine(summed(scores_of(scorer, pairs)))[0] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("word_order", [0, 2])
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("language", [english, japanese])
def test_chrf_equals_sacrebleu(language: object, seed: int, word_order: int) -> None:
    """chrF and chrF++ of both languages are sacrebleu's corpus scores."""
    assert callable(language)
    pairs = language(seed)
    scorer = overlap("chrf", pairs, word_order=word_order)
    said, right = [one for one, _ in pairs], [[one for _, one in pairs]]
    wanted = sacrebleu.corpus_chrf(said, right, word_order=word_order).score
    assert scorer.metrics[0].combine(summed(scores_of(scorer, pairs)))[0] == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("name", ["bleu", "chrf"])
def test_resampled_sums_give_what_each_corpus_gives(name: str) -> None:
    """Many rows at once, as intervals are computed, are what sacrebleu says of each resampled corpus."""
    pairs = english(3)
    scorer = overlap(name, pairs)
    statistics = np.array([list(one.statistics) for one in scores_of(scorer, pairs)], dtype=float)
    draws = np.random.default_rng(1).integers(0, len(pairs), (20, len(pairs)))
    found = scorer.metrics[0].combine(np.array([statistics[draw].sum(axis=0) for draw in draws]))
    corpus = sacrebleu.corpus_bleu if name == "bleu" else sacrebleu.corpus_chrf
    for draw, value in zip(draws, found, strict=True):
        said, right = [pairs[one][0] for one in draw], [[pairs[one][1] for one in draw]]
        assert value == pytest.approx(corpus(said, right).score, abs=1e-9)
    assert np.isnan(scorer.metrics[0].combine(np.zeros((1, statistics.shape[1])))[0])


def test_the_score_of_one_answer_is_sacrebleus_of_a_sentence() -> None:
    """What is shown beside an answer leaves out n-grams that it is too short for."""
    pairs = [("the cat", "the cat"), ("the cat sat on it", "the cat sat on a mat"), ("", "the cat")]
    for scorer, alone in (
        (overlap("bleu", pairs), sacrebleu.sentence_bleu),
        (overlap("chrf", pairs), sacrebleu.sentence_chrf),
    ):
        for score, (said, right) in zip(scores_of(scorer, pairs), pairs, strict=True):
            assert score.value == pytest.approx(alone(said, [right]).score, abs=1e-9)


class Words:
    """The words that ROUGE is computed from, for rouge-score."""

    def tokenize(self, text: str) -> list[str]:
        """Return the words of a text."""
        return dictionary_words(text)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("language", [english, japanese])
def test_rouge_is_the_mean_of_rouge_scores_f(language: object, seed: int) -> None:
    """ROUGE-1, ROUGE-2 and ROUGE-L equal rouge-score's; English with its own tokenizer, too."""
    assert callable(language)
    pairs: Pairs = language(seed)
    (scorer,) = make_scorers([("rouge", {})])
    assert isinstance(scorer, Rouge)
    sums = summed(scores_of(scorer, pairs))
    kinds = ("rouge1", "rouge2", "rougeL")
    oracle = RougeScorer(kinds, tokenizer=Words()) if language is japanese else RougeScorer(kinds)
    found = [oracle.score(right, said) for said, right in pairs]
    for kind, metric in zip(kinds, scorer.metrics, strict=True):
        wanted = np.mean([one[kind].fmeasure for one in found])
        assert metric.combine(sums)[0] == pytest.approx(wanted, abs=1e-9)


def test_words_of_both_languages() -> None:
    """Japanese is divided by a dictionary, whatever its width; Latin words keep their accents."""
    assert dictionary_words("国家公務員がＷｉｎｄｏｗｓ 11を使う。") == [
        *("国家", "公務", "員", "が", "windows", "11", "を", "使う")
    ]
    assert dictionary_words("Don't say naïve_things!") == ["don", "t", "say", "naïve", "things"]
    assert len(dictionary_words("あ、" + "猫" * 60_000)) > 1  # longer than Sudachi takes at once
