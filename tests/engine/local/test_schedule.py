"""ftrun.engine.training.schedule: what "auto" means, the order of examples, the learning rate."""

from __future__ import annotations

import pytest

from ftrun.engine.training.schedule import LEARNING_RATE, make_schedule


@pytest.mark.parametrize(
    ("examples", "epochs", "batch"), [(10, 10, 2), (36, 3, 2), (64, 3, 4), (1000, 3, 8), (50_000, 1, 8)]
)
def test_auto_is_resolved_by_the_number_of_examples(examples: int, epochs: int, batch: int) -> None:
    """Few examples are seen oftener and in smaller batches."""
    schedule = make_schedule({}, examples=examples, seed=1)
    assert schedule.hyperparameters == {
        "n_epochs": epochs,
        "batch_size": batch,
        "learning_rate_multiplier": 1.0,
    }


def test_every_epoch_holds_every_example_once_in_an_order_of_its_own() -> None:
    """No example is left out at an epoch's end, and the seed fixes the order."""
    schedule = make_schedule({"batch_size": 4}, examples=10, seed=1)
    orders = [[index for batch in schedule.batches(epoch) for index in batch] for epoch in range(3)]
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert orders[0] != orders[1]
    assert schedule.batches(0) == make_schedule({"batch_size": 4}, examples=10, seed=1).batches(0)
    assert schedule.batches(0) != make_schedule({"batch_size": 4}, examples=10, seed=2).batches(0)


def test_the_learning_rate_rises_and_falls() -> None:
    """It begins low, reaches the rate times the multiplier, and ends above zero but near it."""
    requested = {"n_epochs": 10, "batch_size": 1, "learning_rate_multiplier": 2}
    schedule = make_schedule(requested, examples=10, seed=1)
    rates = [schedule.learning_rate(step) for step in range(1, schedule.total_steps + 1)]
    assert max(rates) == pytest.approx(2 * LEARNING_RATE)
    assert rates.index(max(rates)) == 4
    assert 0 < rates[-1] < 0.02 * max(rates)


def test_one_step_learns_at_the_full_rate() -> None:
    """A training of a single step is no warm-up alone."""
    schedule = make_schedule({"n_epochs": 1, "batch_size": 64}, examples=10, seed=1)
    assert schedule.total_steps == 1
    assert schedule.learning_rate(1) == LEARNING_RATE
