"""The month's budget does not fail open: what is damaged stops, what is lost is known elsewhere."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from ftrun.errors import DecisionError
from ftrun.state.ledger import Charge, Ledger, read_ledgers, spent
from runner.conftest import RUN, Inside
from runner.test_ledger import CONFIG, OTHER, ledger
from support.faulty_proxy import FaultyServer

MONTH = ("--set", "budget={usd: 5, usd_per_month: 4}")
LINE: dict[str, Any] = {
    "at": "2026-11-28T10:00:00+00:00",
    "effect": "a",
    "kind": "job",
    "standing": "actual",
    "experiment": "x",
    "target": "t",
    "usd": 1.0,
}
ODD: tuple[dict[str, Any], ...] = (
    {"usd": float("nan")},
    {"usd": float("inf")},
    {"usd": -1},
    {"usd": True},
    {"usd": "soon"},
    {"usd": "1.0"},
    {"usd": [1]},
    {"usd": 10**400},
    {"tokens": -5},
    {"tokens": True},
    {"at": "soon"},
    {"at": "2026-11-28T10:00:00"},
    {"at": 20261128},
    {"at": None},
    {"kind": "gift"},
    {"standing": ["actual"]},
    {"effect": {}},
    {"effect": "\ud800"},
    {"what": 0},
    {"usd_in": "yen"},
)
WRONG = [
    *(json.dumps({**LINE, **odd}) for odd in ODD),
    "[" * 100_000,
    "null",
    "[]",
    "7",
    "{}",
    '{"usd": 5, ' + json.dumps(LINE)[1:],
    "<<<<<<< HEAD",
    "=======",
]


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong[-40:])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_what_no_ledger_has_stops_with_its_place(tmp_path: Path, wrong: str, end: str) -> None:
    """A sum over a damaged line would be too small: the line is named, and how to go on."""
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(f"{json.dumps(LINE)}{end}{wrong}{end}".encode())
    with pytest.raises(DecisionError, match=r"ledger.jsonl:2") as caught:
        read_ledgers([path])
    assert (caught.value.problem.line, bool(caught.value.problem.hint)) == (2, True)


def test_a_whole_last_line_without_a_line_break_is_kept(tmp_path: Path) -> None:
    """Some editors leave none: it counts, stops if it is damaged, and no line replaces it."""
    book = Ledger(tmp_path, experiment="x", target="t")
    book.path.write_text(json.dumps(LINE), encoding="utf-8")
    book.note(Charge("job", "b", "actual", usd=2.0))
    assert spent(read_ledgers([book.path])).usd == 3.0
    book.path.write_text(json.dumps({**LINE, "usd": float("nan")}), encoding="utf-8")
    with pytest.raises(DecisionError, match=r"usd is NaN"):
        read_ledgers([book.path])


def test_a_month_is_utcs(tmp_path: Path) -> None:
    """A line that was written with another offset counts in the month that it was in UTC."""
    path = tmp_path / "ledger.jsonl"
    path.write_text(json.dumps({**LINE, "at": "2026-12-01T03:00:00+09:00"}), encoding="utf-8")
    assert spent(read_ledgers([path]), "2026-11").usd == 1.0


@pytest.mark.parametrize("damage", ["a value", "a link", "a link to nothing", "a folder", "a pipe"])
def test_a_damaged_ledger_pays_nothing(
    inside: Inside, provider: FaultyServer, project: Path, damage: str
) -> None:
    """With a month's budget, a ledger that can't be read stops the run before anything is sent."""
    inside.json(*RUN, "--yes", "--until", "train")
    path = project / "runs/toy/paid/ledger.jsonl"
    if damage == "a value":
        path.write_text(re.sub(r'"usd": [0-9.]+', '"usd": NaN', path.read_text(encoding="utf-8")))
    else:
        path.rename(path.with_name("elsewhere"))
        match damage:
            case "a folder":
                path.mkdir()
            case "a pipe":
                os.mkfifo(path)
            case _:
                path.symlink_to("elsewhere" if damage == "a link" else "nothing")
    sent = len(provider.faults.posts)
    document = inside.json(*RUN, "--yes", "--until", "train", *OTHER, *MONTH, code=4)
    assert document["error"]["file"] == str(path) and document["error"]["hint"]
    assert len(provider.faults.posts) == sent
    assert inside.json("ledger", CONFIG, code=4)["error"]["file"] == str(path)


@pytest.mark.parametrize("how", ["another folder", "no ledger", "nothing"])
def test_the_month_remembers_what_its_ledger_does_not(
    inside: Inside, provider: FaultyServer, project: Path, how: str, tmp_path: Path
) -> None:
    """Neither --runs-dir nor a ledger, or all of runs/, that was deleted lets the budget be spent again."""
    inside.json(*RUN, "--yes", "--until", "train")
    cost = ledger(inside)["usd"]
    options: tuple[str, ...] = ("--set", f"budget={{usd: 5, usd_per_month: {cost * 2}}}")
    if how == "another folder":
        options += ("--runs-dir", str(tmp_path / "other runs"))
    elif how == "no ledger":
        (project / "runs/toy/paid/ledger.jsonl").unlink()
    else:
        shutil.rmtree(project / "runs")
    for _ in range(2):
        document = inside.json(*RUN, "--yes", "--until", "train", *OTHER, *options, code=4)
        assert document["error"]["code"] == "over_month"
        assert "what it lacks here is in" in document["error"]["hint"]
    assert provider.faults.jobs_created == 1


def test_a_ledger_that_lacks_a_job_of_the_state_stops(
    inside: Inside, provider: FaultyServer, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another home too a deleted ledger forgets nothing: the state has the job; adding its line helps."""
    inside.json(*RUN, "--yes", "--until", "train")
    path = project / "runs/toy/paid/ledger.jsonl"
    path.unlink()
    monkeypatch.setenv("FTRUN_LOCKS", str(project / "locks of another home"))
    document = inside.json(*RUN, "--yes", "--until", "train", *OTHER, *MONTH, code=4)
    assert (document["error"]["code"], provider.faults.jobs_created) == ("ledger_missing", 1)
    line = document["error"]["hint"].split("null: ")[1].replace('"usd": null', '"usd": 0.01')
    path.write_text(line + "\n", encoding="utf-8")
    inside.json(*RUN, "--yes", "--until", "train", *OTHER, *MONTH)
    assert provider.faults.jobs_created == 2


def test_a_date_to_come_counts_against_the_month(
    inside: Inside, provider: FaultyServer, project: Path
) -> None:
    """What a clock that was ahead has written is not left out of the sum."""
    inside.json(*RUN, "--yes", "--until", "train")
    limit = ("--set", f"budget={{usd: 5, usd_per_month: {ledger(inside)['usd'] * 2}}}")
    path = project / "runs/toy/paid/ledger.jsonl"
    path.write_text(re.sub(r'"at": "[0-9]{4}', '"at": "2999', path.read_text(encoding="utf-8")))
    document = inside.json(*RUN, "--yes", "--until", "train", *OTHER, *limit, code=4)
    assert document["error"]["code"] == "over_month"
