"""Guards: a job whose loss diverges is cancelled, once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ftrun.experiment.model import StopWhen
from ftrun.targets import Event, Job
from ftrun.targets.errors import ServiceError
from ftrun.watching.stop_rules import StopRules
from watching.looking import Looking, job, watch_of


def numbers(*losses: float, name: str = "train_loss") -> Iterator[dict[str, float]]:
    """Yield the data of steps."""
    yield from ({name: loss} for loss in losses)


@pytest.mark.parametrize(
    ("when", "losses", "stops"),
    [
        (StopWhen(diverges=True), (2, 2, 2, 2, 2, 1, 1, 1, 9, 1), False),
        (StopWhen(diverges=True), (2, 2, 2, 2, 2, 5, 6, 7, 8, 9), True),
        (StopWhen(diverges=True), (2, float("nan")), True),
        (StopWhen(diverges=True), (2, float("inf"), 2), True),
        (StopWhen(), (2, float("nan"), 99, 99, 99, 99, 99, 99), False),
        (StopWhen(loss_above=3), (4, 4, 4, 4), False),
        (StopWhen(loss_above=3), (4, 4, 4, 4, 4), True),
        (StopWhen(loss_above=3), (4, 1, 4, 1, 4), False),
    ],
)
def test_guards_on_the_training_loss(when: StopWhen, losses: tuple[float, ...], stops: bool) -> None:
    """One bad batch is no divergence; a mean of five that doubled, and what is no number, are."""
    rules = StopRules(when=when)
    for data in numbers(*losses):
        rules.take(data)
    assert bool(rules.verdict()) is stops


@pytest.mark.parametrize(
    ("losses", "stops"),
    [((1.0, 0.9, 0.8), False), ((1.0, 1.1), False), ((1.0, 1.1, 1.2), True), ((1.0, 1.1, 0.9, 1.0), False)],
)
def test_a_guard_on_the_validation_loss(losses: tuple[float, ...], stops: bool) -> None:
    """So many evaluations in a row without a better one; the whole file counts where it is known."""
    rules = StopRules(when=StopWhen(validation_worse=2))
    for data in numbers(*losses, name="full_valid_loss"):
        rules.take({**data, "valid_loss": 0.0})
    assert bool(rules.verdict()) is stops


def test_a_guard_tells_a_server_that_was_away_again() -> None:
    """A cancel that did not get through is sent at the next look, and one that did only once."""

    class Deaf(Looking):
        cancels = 0

        def cancel(self, job_id: str) -> Job:
            """Fail at the first time."""
            self.cancels += 1
            if self.cancels == 1:
                raise ServiceError("away", code="unreachable")
            return super().cancel(job_id)

    service = Deaf(
        lambda number: job("cancelled") if number > 5 else job(),
        events=lambda number: [
            Event(
                id=str(one), created_at=one, level="info", message="", data={"step": one, "train_loss": 9.0}
            )
            for one in range(6)
        ],
    )
    watch = watch_of(service, stop_rules=StopRules(when=StopWhen(loss_above=1.0)))
    assert watch.until_the_end().dead
    assert (service.cancels, service.cancelled) == (2, True)
