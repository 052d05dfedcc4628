"""Accuracy, precision, recall and F1 equal scikit-learn's over the declared labels."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from sklearn import metrics as oracle

from ftrun.errors import ConfigError
from ftrun.scoring.classification import Classification, confusion
from ftrun.scoring.scorers import make_scorers
from ftrun.scoring.types import Answer, Sample

LABELS = ["ポジティブ", "ネガティブ", "どちらでもない", "rare"]
SAID = [*LABELS, "わかりません", "ポジティブです。"]


def scorer_of(labels: list[str] | None, references: list[str]) -> Classification:
    """Return the scorer for samples with these references."""
    samples = [Sample(id=str(number), turns=(), reference=one) for number, one in enumerate(references)]
    options = {} if labels is None else {"labels": labels}
    (scorer,) = make_scorers([("classification", options)], samples=samples)
    assert isinstance(scorer, Classification)
    return scorer


def statistics_of(scorer: Classification, true: list[str], said: list[str]) -> np.ndarray:
    """Return the statistics of the answers, a row for each."""
    rows = []
    for reference, text in zip(true, said, strict=True):
        score = scorer.score(Sample(id="", turns=(), reference=reference), Answer(text=text))
        assert score is not None
        rows.append(list(score.statistics))
    return np.array(rows)


@pytest.mark.parametrize("seed", range(20))
def test_every_metric_equals_scikit_learns(seed: int) -> None:
    """Over the declared labels with zero_division=0, with labels nobody says and answers that are none."""
    draw = random.Random(seed)
    true = [*LABELS, *draw.choices(LABELS[: draw.randrange(1, 5)], k=draw.randrange(1, 60))]
    said = draw.choices(SAID[draw.randrange(3) :], k=len(true))
    scorer = scorer_of(LABELS, true)
    sums = statistics_of(scorer, true, said).sum(axis=0)[None]
    found = {one.name: one.combine(sums)[0] for one in scorer.metrics}
    how: dict[str, Any] = {"labels": LABELS, "zero_division": 0}
    each = oracle.f1_score(true, said, average=None, **how)
    assert found == pytest.approx(
        {
            "accuracy": oracle.accuracy_score(true, said),
            "precision_macro": oracle.precision_score(true, said, average="macro", **how),
            "recall_macro": oracle.recall_score(true, said, average="macro", **how),
            "f1_macro": oracle.f1_score(true, said, average="macro", **how),
            "f1_micro": oracle.f1_score(true, said, average="micro", **how),
            **{f"f1[{label}]": value for label, value in zip(LABELS, each, strict=True)},
        },
        abs=1e-9,
    )


def test_resampled_answers_give_what_scikit_learn_says_of_each() -> None:
    """Rows of sums are computed at once, also those in which a label doesn't occur."""
    draw = random.Random(1)
    true = [*LABELS, *draw.choices(LABELS, k=12)]
    said = draw.choices(SAID, k=len(true))
    scorer = scorer_of(LABELS, true)
    statistics = statistics_of(scorer, true, said)
    draws = np.random.default_rng(2).integers(0, len(true), (50, len(true)))
    sums = np.array([statistics[one].sum(axis=0) for one in draws])
    by_name = {one.name: one.combine(sums) for one in scorer.metrics}
    for row, chosen in enumerate(draws):
        some_true, some_said = [true[one] for one in chosen], [said[one] for one in chosen]
        wanted = oracle.f1_score(some_true, some_said, labels=LABELS, average="macro", zero_division=0)
        assert by_name["f1_macro"][row] == pytest.approx(wanted, abs=1e-9)
    assert all(np.isnan(one.combine(np.zeros((1, statistics.shape[1])))[0]) for one in scorer.metrics)


def test_the_sums_are_the_confusion_matrix() -> None:
    """Rows are true labels, columns the labels said, the last one of answers that are no label."""
    true, said = ["yes", "yes", "no", "no"], ["YES ", "no", "maybe", "ＮＯ"]
    scorer = scorer_of(["yes", "no"], true)
    matrix = confusion(scorer.labels, statistics_of(scorer, true, said).sum(axis=0).tolist())
    assert matrix == {"labels": ["yes", "no"], "counts": [[1, 1, 0], [0, 1, 1]]}


def test_labels_are_compared_after_nfkc_case_folding_and_trimming() -> None:
    """Width, case and whitespace don't matter; anything else does, and is explained."""
    scorer = scorer_of(["ﾎﾟｼﾞ", "Straße"], ["ポジ", "STRASSE"])
    sample = Sample(id="", turns=(), reference="ポジ")
    for text, value, words in (
        (" ポジ\n", 1, ""),
        ("ポジ。", 0, "is none of the labels; expected ﾎﾟｼﾞ"),
        ("strasse", 0, "is Straße; expected ﾎﾟｼﾞ"),
    ):
        score = scorer.score(sample, Answer(text=text))
        assert score is not None and (score.value, score.explanation) == (value, words)
    assert scorer.score(Sample(id="", turns=()), Answer(text="ポジ")) is None


def test_labels_may_be_those_of_the_references() -> None:
    """Without declared labels, the references are the labels, each once."""
    assert scorer_of(None, ["b", "a ", "Ａ", "b"]).labels == ("a", "b")


@pytest.mark.parametrize(
    ("labels", "references", "message"),
    [
        (["yes", "no", "maybe"], ["yes", "no"], "No reference has the label maybe"),
        (["yes", "no"], ["yes", "no", "nope"], "The reference of 2 is none of the labels: nope"),
        (["yes", "YES"], ["yes"], "differ only in case, width or whitespace: yes, YES"),
        (["yes"], ["yes"], "needs 2 to 200 labels, not 1"),
        (None, ["yes", "yes"], "needs 2 to 200 labels, not 1"),
    ],
)
def test_wrong_labels_are_one_clear_message(
    labels: list[str] | None, references: list[str], message: str
) -> None:
    """A label that never occurs, and a reference that is no label, are mistakes."""
    with pytest.raises(ConfigError, match=message) as error:
        scorer_of(labels, references)
    assert error.value.code in ("scorer", "references")


def test_references_of_the_general_set_are_no_labels() -> None:
    """The general-ability set has answers of its own."""
    samples = [Sample(id=one, turns=(), reference=one) for one in ("yes", "no")]
    general = Sample(id="capital", turns=(), reference="Paris", set="general")
    (scorer,) = make_scorers([("classification", {"labels": ["yes", "no"]})], samples=[*samples, general])
    assert scorer.score(general, Answer(text="Paris")) is None
