"""Azure: what a deployment that stays costs, and that one which was left behind is known and removed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ftrun.paid import deployments
from support.azure_management import Management
from support.paid_project import Paid
from support.scripted_server import Answer, refusal

OTHER = "train: {hyperparameters: {n_epochs: 2}}\n"


def hourly(azure: Paid) -> None:
    """Let the deployment cost by the hour."""
    text = azure.config.read_text(encoding="utf-8")
    text = text.replace("account: acc,", "account: acc, sku: standard, usd_per_hour: 1.5,", 1)
    azure.config.write_text(text, encoding="utf-8")


def refuse_answers(azure: Paid) -> None:
    """Stop all models from answering."""
    azure.provider.hook = lambda asked: (
        refusal(400, "no answer") if asked.path.endswith("/chat/completions") else None
    )


def test_a_deployment_that_is_left_behind_is_told_and_removed_for_the_next(
    azure: Paid, management: Management
) -> None:
    """A run that fails while it asks says what stands and costs; another configuration removes it first."""
    hook = azure.provider.hook
    hourly(azure)
    refuse_answers(azure)
    azure.json("run", azure.config, "--yes", code=1)
    (left,) = management.up
    assert f"deployment {left} stays up" in azure.error and f"ftrun rm {left}" in azure.error
    azure.provider.hook = hook
    azure.add(OTHER)
    azure.json("run", azure.config, "--yes")
    assert management.up == {} and management.deletes[0] == left and len(management.puts) == 2


def test_a_deployment_whose_run_died_is_known_and_removed(
    azure: Paid, management: Management, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is written down before it is asked for: also after a death in between it is found and removed."""
    from ftrun.targets.azure import Deployments

    def die(self: Deployments, name: str) -> str | None:
        raise KeyboardInterrupt

    hourly(azure)
    look = Deployments.state
    monkeypatch.setattr(Deployments, "state", lambda self, name: die(self, name) if management.up else None)
    azure.json("run", azure.config, "--yes", code=130)
    (left,) = management.up
    monkeypatch.setattr(Deployments, "state", look)
    azure.add(OTHER)
    azure.json("run", azure.config, "--yes")
    assert management.up == {} and left in management.deletes


def test_without_questions_what_still_stands_is_removed(azure: Paid, management: Management) -> None:
    """Questions that are taken out of the file leave no deployment behind."""
    hourly(azure)
    refuse_answers(azure)
    azure.json("run", azure.config, "--yes", code=1)
    text = azure.config.read_text(encoding="utf-8")
    azure.config.write_text(text[: text.index("eval:")], encoding="utf-8")
    azure.json("run", azure.config, "--yes")
    assert management.up == {}


def test_a_deployment_stays_known_where_the_target_needs_none_any_more(
    azure: Paid, management: Management
) -> None:
    """A target that is said to need no deployments leaves none behind: it is named, and removed later."""
    hourly(azure)
    refuse_answers(azure)
    azure.json("run", azure.config, "--yes", code=1)
    (left,) = management.up
    text = azure.config.read_text(encoding="utf-8")
    text = text.replace("provider: azure,", "provider: azure, capabilities: {deployment: none},")
    azure.config.write_text(text, encoding="utf-8")
    azure.json("run", azure.config, "--yes", code=1)
    assert f"deployment {left} stays up" in azure.error
    azure.add(OTHER)
    azure.json("run", azure.config, "--yes", code=1)
    assert management.up == {} and management.deletes == [left]


@pytest.mark.parametrize("gone", [True, False])
def test_a_state_that_forgets_a_deployment_is_refused(
    azure: Paid, management: Management, gone: bool
) -> None:
    """An earlier state, as git may bring it back, or none: the backup knows what is up, and repair restores
    it.
    """
    hourly(azure)
    azure.json("run", azure.config, "--yes", "--until", "wait")
    path = azure.folder / "runs/toy/paid/state.json"
    before = path.read_bytes()
    refuse_answers(azure)
    azure.json("run", azure.config, "--yes", code=1)
    (left,) = management.up
    if gone:
        path.unlink()
    else:
        path.write_bytes(before)
    refused = azure.json("run", azure.config, "--yes", code=4)["error"]
    assert refused["code"] == ("state_missing" if gone else "state_older")
    assert f"deployment {left}, which may cost money by the hour" in refused["message"]
    azure.json("state", "repair", azure.config)
    azure.add(OTHER)
    azure.json("run", azure.config, "--yes", code=1)
    assert left in management.deletes and left not in management.up


def test_the_ledger_has_the_hours_of_a_deployment(azure: Paid, management: Management) -> None:
    """Estimated before it is made, actual when it is gone; the month's budget counts it."""
    hourly(azure)
    azure.json("run", azure.config, "--yes")
    entries = [one for one in azure.json("ledger", azure.config)["entries"] if one["kind"] == "deployment"]
    assert [(one["standing"], one["usd"]) for one in entries] == [("actual", 1.5)]


class Clock:
    """A clock stopped at a moment."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def now(self, zone: Any) -> datetime:
        """Return the moment."""
        return self.moment

    def fromisoformat(self, text: str) -> datetime:
        """Return a moment that was written down."""
        return datetime.fromisoformat(text)


@pytest.fixture
def kept(azure: Paid, monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Return the clock of a deployment that costs by the hour and was kept since this month began."""
    hourly(azure)
    text = azure.config.read_text(encoding="utf-8")
    azure.config.write_text(text.replace("account: acc,", "account: acc, keep: true,"), encoding="utf-8")
    clock = Clock(datetime.now(UTC).replace(day=1, hour=0, minute=0))
    monkeypatch.setattr(deployments, "datetime", clock)
    azure.json("run", azure.config, "--yes")
    azure.add(f"{OTHER}budget: {{usd_per_month: 12}}\n")
    return clock


def hours(azure: Paid) -> list[tuple[str, str, float]]:
    """Return standing, month and US$ of what the ledger says of deployments."""
    entries = azure.json("ledger", azure.config)["entries"]
    return [(one["standing"], one["at"][:7], one["usd"]) for one in entries if one["kind"] == "deployment"]


def test_the_hours_of_a_deployment_that_is_kept_count_against_the_month(azure: Paid, kept: Clock) -> None:
    """Ten hours later the next run knows of them before it pays for anything else."""
    month = f"{kept.moment:%Y-%m}"
    kept.moment += timedelta(hours=9.5)
    document = azure.json("run", azure.config, "--yes", code=4)
    assert document["error"]["code"] == "over_month", document["error"]
    assert hours(azure) == [("estimated", month, 15.0)]


def test_hours_count_in_the_month_in_which_they_began(
    azure: Paid, management: Management, kept: Clock
) -> None:
    """What a deployment costs after a month's end is not that month's; its end says what each month cost."""
    begun = kept.moment.replace(second=0, microsecond=0)
    following = (begun + timedelta(days=31)).replace(day=1)
    kept.moment = following + timedelta(hours=2.5)
    this = (following - begun) // timedelta(hours=1) * 1.5
    azure.json("run", azure.config, "--yes", code=4)
    expected = [(f"{begun:%Y-%m}", this), (f"{following:%Y-%m}", 4.5)]
    assert hours(azure) == [("estimated", *one) for one in expected]
    azure.json("rm", *management.up, azure.config, "--yes")
    assert hours(azure) == [("actual", *one) for one in expected]


def test_a_proxys_page_does_not_say_that_a_deployment_is_gone(azure: Paid, management: Management) -> None:
    """What costs by the hour counts as removed only when Azure itself says that there is no such thing."""
    hourly(azure)
    management.filtered["DELETE"] = Answer(b"<html>not found</html>", 404)
    azure.json("run", azure.config, "--yes", code=1)
    (left,) = management.up
    assert f"deployment {left} stays up" in azure.error
    management.filtered.clear()
    azure.json("run", azure.config, "--yes")
    assert management.up == {}
