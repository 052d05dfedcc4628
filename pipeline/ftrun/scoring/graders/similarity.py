"""How similar two texts are, 0-1, by the measures of OpenAI's `text_similarity` grader.

OpenAI names the measures, not all of their settings: `fuzzy_match` is rapidfuzz's ratio, `bleu` sacrebleu's
of a single text, `gleu` and `meteor` nltk's (METEOR without WordNet, which is a download), ROUGE the F1
of rouge-score. Words of Japanese are SudachiPy's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from ftrun.scoring.overlap import rouge_l
from ftrun.scoring.texts.words import dictionary_words

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "fuzzy_match": ("rapidfuzz",),
    "bleu": ("sacrebleu", "sudachipy", "sudachidict_small"),
    "gleu": ("nltk", "sudachipy", "sudachidict_small"),
    "meteor": ("nltk", "sudachipy", "sudachidict_small"),
    "rouge": ("rouge_score", "rapidfuzz", "sudachipy", "sudachidict_small"),
}
Measure = Callable[[str, str], float]


def fuzzy_match(said: str, wanted: str) -> float:
    """Return rapidfuzz's ratio."""
    from rapidfuzz import fuzz

    return float(fuzz.ratio(said, wanted)) / 100


def bleu(said: str, wanted: str) -> float:
    """Return the BLEU of a single text."""
    from sacrebleu.metrics.bleu import BLEU

    metric = BLEU(tokenize="none", effective_order=True, force=True)
    texts = [" ".join(dictionary_words(one)) for one in (said, wanted)]
    return min(1.0, float(metric.sentence_score(texts[0], [texts[1]]).score) / 100)


def gleu(said: str, wanted: str) -> float:
    """Return Google's BLEU of a single text."""
    from nltk.translate.gleu_score import sentence_gleu

    words = dictionary_words(said)
    return float(sentence_gleu([dictionary_words(wanted)], words)) if words else 0.0


class _NoWordNet:
    """Stands for WordNet: knows no synonyms."""

    def synsets(self, word: str) -> Sequence[object]:
        return ()


def meteor(said: str, wanted: str) -> float:
    """Return METEOR from equal words and equal stems."""
    from nltk.translate.meteor_score import single_meteor_score

    return float(single_meteor_score(dictionary_words(wanted), dictionary_words(said), wordnet=_NoWordNet()))


def rouge_n(said: str, wanted: str, *, order: int) -> float:
    """Return the F-measure of ROUGE-N."""
    from rouge_score.rouge_scorer import RougeScorer

    kind = f"rouge{order}"
    return float(RougeScorer([kind], tokenizer=_Words()).score(wanted, said)[kind].fmeasure)


class _Words:
    """The tokenizer that rouge-score is given."""

    def tokenize(self, text: str) -> list[str]:
        return dictionary_words(text)


MEASURES: Mapping[str, Measure] = {
    "fuzzy_match": fuzzy_match,
    "bleu": bleu,
    "gleu": gleu,
    "meteor": meteor,
    **{f"rouge_{order}": partial(rouge_n, order=order) for order in range(1, 6)},
    "rouge_l": lambda said, wanted: rouge_l(dictionary_words(wanted), dictionary_words(said)),
}
