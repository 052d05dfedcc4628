"""`dedupe: near` of a finished experiment whose files an older version made, which left out other rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrun.data.pipeline import preparing
from support.paid_project import Paid, on_plain_provider

from .test_fresh_clone import cloned

ITEMS = ("lamp", "rug", "vase", "stool", "tray", "shelf", "basket", "mirror", "curtain", "candle")
PLACES = ("hill", "mill", "well", "ford", "weir", "barn") * 16
CONFIG = ("[{path: toy.csv}]", "[{path: toy.csv}], dedupe: near")


@pytest.fixture
def paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Paid]:
    """Yield a project with rows of one template, in a folder of its own."""
    folder = tmp_path / "origin"
    with on_plain_provider(folder, monkeypatch, capfd) as made:
        made.provider.trained_tokens = 1000
        made.config.write_text(made.config.read_text(encoding="utf-8").replace(*CONFIG), encoding="utf-8")
        rows = [
            f"What does the number {n} mean to the people of the {one}?,{one} {n}"
            for n, one in enumerate(PLACES)
        ]
        rows += [
            f"How do I return a {item} that arrived damaged at my door last week?,"
            "Send us a photo and we will fetch it from your door and pay you back."
            for item in ITEMS
        ]
        (folder / "toy.csv").write_text("q,a\n" + "".join(f"{row}\n" for row in rows), encoding="utf-8")
        yield made


def run_by_an_older_version(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the experiment with the near-duplicates that versions before this one left out."""
    newer = preparing._leave_out_near

    def older(gathered: Any, *, by_letters: bool) -> None:
        newer(gathered, by_letters=True)

    with monkeypatch.context() as patched:
        patched.setattr(preparing, "_leave_out_near", older)
        paid.run("run", str(paid.config), "--yes")


def examples(paid: Paid) -> int:
    """Return how many examples the recorded training file has."""
    state = json.loads((paid.folder / "runs/toy/paid/state.json").read_bytes())
    return int(state["stages"]["prepare"]["result"]["files"]["train"]["examples"])


def test_rows_of_a_template_stay(paid: Paid) -> None:
    """Rows that ask about different things are all trained on."""
    paid.run("run", str(paid.config), "--yes")
    assert examples(paid) == len(PLACES) + len(ITEMS)


def test_what_an_older_version_trained_on_stands(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """In its folder and in a clone nothing is to do; with one more question, nothing but that is paid for."""
    run_by_an_older_version(paid, monkeypatch)
    assert examples(paid) < len(PLACES) + len(ITEMS)
    jobs = len(paid.provider.jobs)
    assert paid.run("run", str(paid.config)).startswith("Nothing to do")
    clone = cloned(paid, monkeypatch)
    assert paid.run("run", str(clone.config)).startswith("Nothing to do")
    clone.change("一番は？}]", "一番は？}, {id: two, user: 二番は？}]")
    plan = paid.json("plan", str(clone.config))
    assert {step["stage"] for step in plan["steps"] if step["paid"]} == {"evaluate"}
    clone.run()
    assert len(paid.provider.jobs) == jobs
    assert clone.asked == 1
    made, trained = (one / "runs/toy/paid/train.jsonl" for one in (clone.folder, paid.folder))
    assert made.read_bytes() == trained.read_bytes()


def test_other_rows_are_prepared_in_the_new_way(paid: Paid, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once the data change, the rows of the template come back."""
    run_by_an_older_version(paid, monkeypatch)
    with (paid.folder / "toy.csv").open("a", encoding="utf-8") as table:
        table.write("Is this row new?,It is.\n")
    plan = paid.json("plan", str(paid.config))
    assert plan["estimate"]["examples"] == len(PLACES) + len(ITEMS) + 1
