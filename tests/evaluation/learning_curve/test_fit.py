"""The sentence on the fit, on curves whose truth is known."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from ftrun.evaluation.learning_curve.fit import Fit, explain
from ftrun.evaluation.learning_curve.metric_rows import MetricRow, parse_metrics

Curve = Callable[[float], float]


def rows(
    train: Curve, valid: Curve | None, *, steps: int = 100, noise: float = 0.0, seed: int = 1
) -> list[MetricRow]:
    """Return a training whose losses follow two curves over 0..1, with Gaussian noise."""
    luck = random.Random(seed)
    return [
        MetricRow(
            step=step,
            train_loss=max(0.01, train(step / steps) + luck.gauss(0, noise)),
            valid_loss=max(0.01, valid(step / steps) + luck.gauss(0, noise)) if valid else None,
        )
        for step in range(1, steps + 1)
    ]


def falling(x: float) -> float:
    """A training loss that falls from 2.8 to 1.1."""
    return 1.0 + 1.8 * math.exp(-3 * x)


def turning(x: float) -> float:
    """A validation loss whose lowest point is at 0.4."""
    return 1.8 + 3 * (x - 0.4) ** 2


@pytest.mark.parametrize("noise", [0.0, 0.1, 0.25])
@pytest.mark.parametrize("seed", range(5))
def test_a_falling_validation_loss_is_learning(noise: float, seed: int) -> None:
    """When both losses fall together it learns, however noisy the steps are."""
    fit = explain(rows(falling, lambda x: falling(x) * 1.1, noise=noise, seed=seed))
    assert fit.verdict == "learning"
    assert fit.since_step is None
    assert noise > 0.1 or "healthy" in fit.sentence


def test_two_losses_close_to_zero_are_no_gap() -> None:
    """A validation loss of 0.007 after a training loss of 0.0005 is fourteen times nothing."""
    fit = explain(rows(lambda x: 3 * math.exp(-9 * x) + 0.0005, lambda x: 3 * math.exp(-9 * x) + 0.007))
    assert fit.verdict == "learning" and "gap" not in fit.sentence


@pytest.mark.parametrize("noise", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(5))
def test_a_rising_validation_loss_is_overfitting_from_its_lowest_point(noise: float, seed: int) -> None:
    """The step that is named lies near where the validation loss turned."""
    fit = explain(rows(falling, turning, noise=noise, seed=seed))
    assert fit.verdict == "overfitting"
    assert fit.since_step is not None
    assert 25 <= fit.since_step <= 55
    assert f"from step {fit.since_step}" in fit.sentence
    assert "rose from" in fit.sentence


def test_noise_around_a_level_is_not_taken_for_a_rise() -> None:
    """Over 200 trainings whose validation loss only trembles, next to none is called overfitting."""
    wrong = [
        seed
        for seed in range(200)
        if explain(rows(falling, lambda x: 1.6, noise=0.2, seed=seed)).verdict == "overfitting"
    ]
    assert len(wrong) <= 2


def test_one_measurement_an_epoch_is_enough() -> None:
    """The loss of the whole validation file is exact: three values tell where it turned."""
    points = {10: 1.9, 20: 1.6, 30: 1.8}
    training = [
        MetricRow(step=s, train_loss=falling(s / 30), valid_loss=9.0 - s, full_valid_loss=points.get(s))
        for s in range(1, 31)
    ]
    fit = explain(training)
    assert (fit.verdict, fit.since_step, fit.valid_loss) == ("overfitting", 20, 1.8)


def test_a_wide_gap_is_overfitting_even_while_nothing_rises() -> None:
    """A validation loss of over twice the training loss means that the examples are memorized."""
    fit = explain(rows(lambda x: 2.5 * math.exp(-4 * x), lambda x: 1.5 + math.exp(-9 * x)))
    assert fit.verdict == "overfitting"
    assert "times the training loss" in fit.sentence


def test_a_flat_training_loss_is_underfitting() -> None:
    """Nothing was learned, and the sentence says what may help."""
    fit = explain(rows(lambda x: 2.4 - 0.05 * x, lambda x: 2.5, noise=0.02))
    assert fit.verdict == "underfitting"
    assert "more epochs" in fit.sentence


def test_a_rising_training_loss_asks_for_smaller_steps() -> None:
    """A diverging training is distinguished from one that makes no progress."""
    fit = explain(rows(lambda x: 2 + x, None))
    assert fit.verdict == "underfitting"
    assert "lower learning_rate_multiplier" in fit.sentence


def test_without_validation_nobody_claims_to_know() -> None:
    """A falling training loss alone is unknown, and the way to know is named."""
    fit = explain(rows(falling, None))
    assert fit.verdict == "unknown"
    assert "validation" in fit.sentence
    assert fit.valid_loss is None


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_too_few_steps_are_too_few(steps: int) -> None:
    """A handful of steps gets no verdict."""
    fit = explain(rows(falling, falling, steps=max(steps, 1))[:steps])
    assert fit.verdict == "unknown"
    assert fit.sentence.endswith(".")


@pytest.mark.parametrize("train", [falling, lambda x: 2.0, lambda x: 0.01])
@pytest.mark.parametrize("valid", [None, falling, turning, lambda x: 0.01])
@pytest.mark.parametrize("steps", [1, 4, 7, 500])
def test_it_is_always_whole_sentences(train: Curve, valid: Curve | None, steps: int) -> None:
    """Whatever the numbers, the reader gets up to three whole sentences."""
    fit: Fit = explain(rows(train, valid, steps=steps, noise=0.05))
    assert fit.sentence.endswith(".")
    assert 1 <= len(fit.sentence.split(". ")) <= 3
    assert "nan" not in fit.sentence


def test_older_and_newer_columns_are_read() -> None:
    """Both generations of result files give the same rows; empty cells are not measured."""
    older = (
        "step,train_loss,train_accuracy,valid_loss,valid_mean_token_accuracy\n"
        "1,2.5,0.4,,\n2,2.1,0.5,2.2,0.45\n"
    )
    newer = (
        "\ufeffstep,train_loss,train_mean_token_accuracy,valid_loss,valid_mean_token_accuracy,full_valid_loss,"
        "full_valid_mean_token_accuracy,something\r\n2,2.1,0.5,2.2,0.45,2.3,0.44,x\r\n1,2.5,0.4,,,,,\r\n\r\n"
    )
    first, second = parse_metrics(older)
    assert (first.step, first.train_loss, first.train_accuracy, first.valid_loss) == (1, 2.5, 0.4, None)
    assert (second.valid_loss, second.valid_accuracy, second.full_valid_loss) == (2.2, 0.45, None)
    assert parse_metrics(newer)[1].full_valid_loss == 2.3
    assert parse_metrics(newer)[0] == first


def test_broken_cells_do_not_stop_a_report() -> None:
    """NaN, words and rows without a step are not measured; an empty file has no rows."""
    assert parse_metrics("") == ()
    assert parse_metrics("step,train_loss\nx,1\n1,nan\n2,inf\n3,?\n4,1.5\n") == (
        MetricRow(step=4, train_loss=1.5),
    )
