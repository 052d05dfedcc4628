"""Which checkpoint is the best, by losses that can be compared."""

from __future__ import annotations

from typing import Any

import pytest

from ftrun.evaluation.learning_curve.checkpoints import checkpoints_of
from ftrun.evaluation.learning_curve.fit import explain
from ftrun.evaluation.learning_curve.metric_rows import MetricRow


def _point(step: int, **metrics: float) -> dict[str, Any]:
    return {"step": step, "model": f"ft:m:ckpt-step-{step}", "metrics": {"step": step, **metrics}}


@pytest.mark.parametrize(
    ("points", "rows", "losses", "best"),
    [
        (
            [_point(s, full_valid_loss=v) for s, v in ((17, 1.9), (34, 1.6), (51, 1.8))],
            {},
            [1.9, 1.6, 1.8],
            34,
        ),
        ([_point(17), _point(34), _point(51)], {17: 1.9, 34: 1.6, 51: 1.8}, [1.9, 1.6, 1.8], 34),
        ([_point(51, valid_loss=1.0), _point(34, valid_loss=2.0)], {}, [2.0, 1.0], 51),
        # a batch's loss is not compared with the whole file's
        ([_point(1, full_valid_loss=1.5, valid_loss=9.0), _point(2, valid_loss=1.0)], {}, [9.0, 1.0], 2),
        ([_point(1), _point(2)], {}, [None, None], None),
        ([_point(1, full_valid_loss=1.0)], {}, [1.0], None),
        ([_point(1, valid_loss=float("nan")), _point(2, valid_loss=1.0)], {}, [None, 1.0], None),
        ([{"step": 3}, {"step": 6, "model": None, "metrics": "damaged"}], {}, [None, None], None),
        ([], {}, [], None),
    ],
)
def test_the_best_has_the_lowest_loss_of_one_kind(
    points: list[dict[str, Any]], rows: dict[int, float], losses: list[float | None], best: int | None
) -> None:
    """The checkpoints come in the order of their steps; the best is marked where two can be compared."""
    found = checkpoints_of(points, [MetricRow(step=s, full_valid_loss=v) for s, v in rows.items()], 3)
    assert [one.valid_loss for one in found] == losses
    assert [one.step for one in found if one.best] == ([] if best is None else [best])


@pytest.mark.parametrize(
    ("n_epochs", "epochs"), [(3, [1.0, 2.0, 3.0]), ("auto", [None] * 3), (0, [None] * 3)]
)
def test_the_epoch_follows_from_the_steps(n_epochs: object, epochs: list[float | None]) -> None:
    """The last step is the end of the last epoch; without a number of epochs nothing is said."""
    rows = [MetricRow(step=step, train_loss=1.0) for step in range(1, 52)]
    assert [
        one.epoch for one in checkpoints_of([_point(17), _point(34), _point(51)], rows, n_epochs)
    ] == epochs


def test_the_sentence_on_the_fit_names_the_best_checkpoint() -> None:
    """Where the examples are memorized only later, the step that is named is the one to use."""
    valid = {17: 1.70, 34: 1.60, 51: 1.62}
    rows = [
        MetricRow(step=s, train_loss=max(0.2, 2.5 - 0.06 * s), full_valid_loss=valid.get(s))
        for s in range(1, 52)
    ]
    fit = explain(rows)
    assert fit.verdict == "overfitting"
    assert "times the training loss" in fit.sentence
    assert "Overfitting from step 34, the best by validation loss (1.60)" in fit.sentence
    (best,) = (one.step for one in checkpoints_of([_point(s) for s in valid], rows, 3) if one.best)
    assert best == fit.since_step == 34
