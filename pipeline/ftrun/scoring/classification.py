"""Answers that are labels: accuracy, precision, recall and F1 over the declared labels, as scikit-learn
computes them with `zero_division=0`.

An answer's label is the one that it equals after NFKC, case folding and trimming; otherwise it has none.
`Score.statistics` is the answer's place in the confusion matrix: of K labels, K · (K + 1) numbers, row by
row, a row for each true label in the order of `labels`, a column for each label said and a last one for
answers that are none of them. The sum over all answers is the confusion matrix.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ftrun.scoring.metrics import quotient
from ftrun.scoring.options import Options
from ftrun.scoring.types import Answer, Sample, Scale, Score
from ftrun.text import one_line

if TYPE_CHECKING:
    from ftrun.scoring.types import Matrix

Kind = Literal["accuracy", "precision_macro", "recall_macro", "f1_macro", "f1_micro", "f1"]
KINDS: tuple[Kind, ...] = ("accuracy", "precision_macro", "recall_macro", "f1_macro", "f1_micro")
MOST_LABELS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassMetric:
    """A number computed from confusion matrices over `labels` labels; `label`: the one that an F1 is of."""

    name: str
    kind: Kind
    labels: int
    label: int = 0
    higher_is_better: bool | None = True
    scale: Scale = "share"
    resampled: bool = True

    @property
    def binary(self) -> bool:
        """Return whether it is the mean of answers that are right or wrong."""
        return self.kind == "accuracy"

    def combine(self, sums: Matrix) -> Matrix:
        """Return the number for each confusion matrix; NaN for an empty one."""
        import numpy as np

        counts = sums.reshape(len(sums), self.labels, self.labels + 1)
        right = np.diagonal(counts, axis1=1, axis2=2)
        wanted, said = counts.sum(axis=2), counts[:, :, :-1].sum(axis=1)
        found = self._of(right, said, wanted)
        return np.where(sums.any(axis=1), found, np.nan)

    def _of(self, right: Matrix, said: Matrix, wanted: Matrix) -> Matrix:
        import numpy as np

        match self.kind:
            case "accuracy":
                return quotient(right.sum(axis=1), wanted.sum(axis=1))
            case "precision_macro":
                found = quotient(right, said, 0.0)
            case "recall_macro":
                found = quotient(right, wanted, 0.0)
            case "f1_macro":
                found = quotient(2 * right, said + wanted, 0.0)
            case "f1_micro":
                return quotient(2 * right.sum(axis=1), said.sum(axis=1) + wanted.sum(axis=1), 0.0)
            case "f1":
                found = quotient(2 * right, said + wanted, 0.0)[:, [self.label]]
        return np.asarray(found.mean(axis=1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """Which label an answer is. `places` maps the form that labels are compared in to their numbers."""

    name: str
    metrics: tuple[ClassMetric, ...]
    labels: tuple[str, ...]
    places: Mapping[str, int]

    def score(self, sample: Sample, answer: Answer) -> Score | None:
        """Return 1 for the right label; None where the reference isn't a label."""
        true = self.label_of(sample.reference)
        if true is None:
            return None
        said = self.label_of(answer.text)
        statistics = [0.0] * (len(self.labels) * (len(self.labels) + 1))
        statistics[true * (len(self.labels) + 1) + (len(self.labels) if said is None else said)] = 1.0
        if said is None:
            words = f"is none of the labels; expected {self.labels[true]}"
        else:
            words = "" if said == true else f"is {self.labels[said]}; expected {self.labels[true]}"
        return Score(value=float(said == true), explanation=words, statistics=statistics)

    def label_of(self, text: str | None) -> int | None:
        """Return the number of the label that a text is; None if it is none."""
        return None if text is None else self.places.get(_form(text))


def confusion(labels: Sequence[str], sums: Sequence[float]) -> dict[str, object]:
    """Return the confusion matrix of summed statistics as `results.Scores.confusion` has it."""
    width = len(labels) + 1
    rows = [[round(one) for one in sums[start : start + width]] for start in range(0, len(sums), width)]
    return {"labels": list(labels), "counts": rows}


def make_classification(options: Options, samples: Sequence[Sample]) -> Classification:
    """Return the scorer `classification`, of the declared labels or of those that references have."""
    declared = options.texts("labels")
    asked = [one for one in samples if one.reference is not None and one.set != "general"]
    references = {_form(one.reference or ""): one for one in reversed(asked)}
    labels = declared or tuple((references[form].reference or "").strip() for form in sorted(references))
    places = {_form(label): number for number, label in enumerate(labels)}
    if len(places) < len(labels):
        raise options.error(
            "Two labels of the scorer classification differ only in case, width or whitespace: "
            f"{', '.join(_alike(labels))}."
        )
    if not 2 <= len(labels) <= MOST_LABELS and (declared or references):
        raise options.error(
            f"The scorer classification needs 2 to {MOST_LABELS} labels, not {len(labels)}.",
            hint="Declare the labels, as in `classification: {labels: [yes, no]}`."
            if declared is None
            else None,
        )
    if declared and references:
        _check_references(options, labels, places, references)
    options.require("numpy")
    metrics = [ClassMetric(name=kind, kind=kind, labels=len(labels)) for kind in KINDS]
    metrics += [
        ClassMetric(name=f"f1[{label}]", kind="f1", labels=len(labels), label=number)
        for number, label in enumerate(labels)
    ]
    return Classification(name="classification", metrics=tuple(metrics), labels=labels, places=places)


def _check_references(
    options: Options, labels: Sequence[str], places: Mapping[str, int], references: Mapping[str, Sample]
) -> None:
    """Refuse references that aren't labels, and labels that no reference has: either is mistyped."""
    for form, sample in references.items():
        if form not in places:
            short = one_line(sample.reference or "", 60)
            raise options.error(
                f"The reference of {sample.id} is none of the labels: {short}.",
                hint=f"Labels of the scorer classification: {', '.join(labels)}.",
                code="references",
            )
    never = [label for label in labels if _form(label) not in references]
    if never:
        raise options.error(
            f"No reference has the label {', '.join(never)}, so it can't be evaluated.",
            hint="Delete the label, correct it, or add questions that it is the answer to.",
            code="references",
        )


def _form(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().strip()


def _alike(labels: Iterable[str]) -> list[str]:
    forms: dict[str, list[str]] = {}
    for label in labels:
        forms.setdefault(_form(label), []).append(label)
    return next(found for found in forms.values() if len(found) > 1)
