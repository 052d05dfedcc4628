"""The ledger and the history: what was paid is written down, held to the month, and never paid for again."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from ftrun.errors import DecisionError
from ftrun.state.ledger import Charge, Ledger, effects, read_ledgers, spent
from runner.conftest import RUN, Inside
from support.faulty_proxy import FaultyServer

CONFIG = "configs/toy.yaml"
OTHER = ("--set", "train.hyperparameters.n_epochs=3")


def ledger(inside: Inside, *words: str) -> dict[str, Any]:
    """Return the document of `ftrun ledger`."""
    return inside.json("ledger", CONFIG, *words)


def chats(provider: FaultyServer) -> int:
    """Return how many questions were asked."""
    return sum(path.endswith("/chat/completions") for path in provider.faults.posts)


def test_a_run_is_in_the_ledger_with_what_it_cost(inside: Inside, provider: FaultyServer) -> None:
    """Job and answers stand there by the tokens that the server counted; uploads cost nothing."""
    inside.json(*RUN, "--yes")
    entries = ledger(inside)["entries"]
    assert list(dict.fromkeys(one["kind"] for one in entries)) == ["upload", "job", "answers"]
    assert {one["standing"] for one in entries} == {"actual"}
    job = next(one for one in entries if one["kind"] == "job")
    assert job["usd"] == pytest.approx(job["tokens"] * 10 / 1e6)
    assert ledger(inside)["usd"] > 0
    assert ledger(inside)["estimated"] == 0
    inside.json(*RUN)
    assert ledger(inside)["entries"] == entries, "a run with nothing to do costs nothing"


def test_the_whole_project_is_listed_without_a_config(inside: Inside, provider: FaultyServer) -> None:
    """`ftrun ledger` sums up every experiment; a month that has nothing is 0."""
    inside.json(*RUN, "--yes", "--until", "train")
    document = inside.json("ledger")
    assert document["totals"][0]["experiment"] == "toy"
    assert inside.json("ledger", "--month", "1999-01")["usd"] == 0
    assert inside.json("ledger", "--month", "1999-13", code=2)["error"]["code"] == "usage"
    code, out, _err = inside("ledger")
    assert (code, "toy on paid" in out) == (0, True)


def test_the_month_is_a_hard_stop(inside: Inside, provider: FaultyServer) -> None:
    """What is spent in this month counts against `budget.usd_per_month`, with --yes too."""
    inside.json(*RUN, "--yes", "--until", "train")
    cost = ledger(inside)["usd"]
    limit = ("--set", f"budget={{usd: 5, usd_per_month: {cost * 1.2}}}")
    posts = len(provider.faults.posts)
    document = inside.json(*RUN, "--yes", "--until", "train", *OTHER, *limit, code=4)
    assert document["error"]["code"] == "over_month"
    assert len(provider.faults.posts) == posts
    assert ledger(inside)["usd"] == cost


def test_an_unclear_job_counts_and_an_adopted_one_does_not(
    inside: Inside, provider: FaultyServer, project: Path
) -> None:
    """An unclear create stays in the sum as estimated; a refused one and one that was adopted count 0."""
    provider.faults.create, provider.faults.refusal = "refuse", (400, {"error": {"message": "no"}})
    inside.json(*RUN, "--yes", "--until", "train", code=1)
    assert ledger(inside)["usd"] == 0
    provider.faults.create = "drop"
    inside.json(*RUN, "--yes", "--until", "train", code=4)
    assert ledger(inside)["estimated"] == ledger(inside)["usd"] > 0
    provider.faults.create = "pass"
    inside.json(*RUN, "--yes", "--until", "train", "--confirm-not-created")
    shutil.rmtree(project / "runs")
    inside.json(*RUN, "--yes", "--until", "train")
    assert [one["standing"] for one in ledger(inside)["entries"]] == ["adopted"]
    assert ledger(inside)["usd"] == 0


def test_an_unknown_price_is_said_to_be_unknown(
    inside: Inside, provider: FaultyServer, project: Path
) -> None:
    """Without a price the effect is listed and counted apart, and a monthly budget can't be kept."""
    config = project / CONFIG
    config.write_text(config.read_text().replace(", price: {train: 10, input: 1, output: 2}", ""))
    inside.json(*RUN, "--yes", "--until", "train")
    assert (ledger(inside)["unknown"], ledger(inside)["usd"]) == (1, 0)
    limit = ("--set", "budget={usd_per_month: 100}")
    document = inside.json(*RUN, "--yes", "--until", "train", *OTHER, *limit, code=4)
    assert document["error"]["code"] == "unknown_price"


def test_a_torn_last_line_is_no_effect_and_a_damaged_one_stops(tmp_path: Path) -> None:
    """A line that a crash cut announces nothing that happened; anything else damaged is not passed over."""
    book = Ledger(tmp_path, experiment="x", target="t")
    book.note(Charge("job", "a", "estimated", usd=1.0))
    whole = book.path.read_bytes()
    book.path.write_bytes(whole + whole[:30])
    assert spent(read_ledgers([book.path])).usd == 1.0
    book.note(Charge("job", "a", "actual", usd=0.5))
    assert spent(read_ledgers([book.path])).usd == 0.5, "what was torn went when the next line came"
    book.path.write_bytes(whole + whole[:30] + b"\n" + whole)
    with pytest.raises(DecisionError, match=r"ledger.jsonl:2"):
        read_ledgers([book.path])


def test_the_last_word_of_an_effect_counts_in_its_first_month(tmp_path: Path) -> None:
    """An estimate is replaced by what it cost; a void effect costs nothing."""
    book = Ledger(tmp_path, experiment="x", target="t")
    book.note(Charge("job", "a", "estimated", usd=1.0))
    book.note(Charge("job", "b", "estimated", usd=2.0))
    book.note(Charge("job", "a", "actual", usd=0.25, what="ftjob-1"))
    book.note(Charge("job", "b", "void", usd=0.0))
    entries = read_ledgers([book.path])
    assert (spent(entries).usd, len(effects(entries))) == (0.25, 2)


def test_a_clock_that_was_put_back_brings_no_estimate_back(tmp_path: Path) -> None:
    """What an effect cost stays said, though its estimate was written by a clock that was days ahead."""
    book = Ledger(tmp_path, experiment="x", target="t")
    book.note(Charge("job", "a", "estimated", usd=1.0))
    ahead = re.sub(r'"at": "[0-9]{4}', '"at": "2999', book.path.read_text(encoding="utf-8"))
    book.path.write_text(ahead, encoding="utf-8")
    book.note(Charge("job", "a", "actual", usd=0.25, what="ftjob-1"))
    assert (spent(read_ledgers([book.path])).usd, effects(read_ledgers([book.path]))[0].what) == (
        0.25,
        "ftjob-1",
    )


def test_a_file_without_a_name_has_no_ledger(inside: Inside, project: Path) -> None:
    """`ftrun ledger` of what is no experiment says so."""
    (project / "no.yaml").write_text("version: 1\n", encoding="utf-8")
    assert inside.json("ledger", str(project / "no.yaml"), code=2)["error"]["code"] == "no_name"


def test_from_a_to_b_and_back_to_a_pays_for_two_jobs_and_asks_nothing_twice(
    inside: Inside, provider: FaultyServer, project: Path
) -> None:
    """Back at A its job, metrics and answers are there again, in a fresh clone too, and nobody is asked."""
    first = inside.json(*RUN, "--yes")
    answers = (project / "runs/toy/paid/answers.jsonl").read_text()
    metrics = (project / "runs/toy/paid/metrics.csv").read_text()
    second = inside.json(*RUN, "--yes", *OTHER)
    assert second["job_id"] != first["job_id"]
    asked = chats(provider)
    for name in ("answers.jsonl", "answers.cache.jsonl", "metrics.csv", "scores.json"):
        (project / "runs/toy/paid" / name).unlink()  # what git does not keep
    back = inside.json(*RUN)
    assert (back["job_id"], back["metrics"]) == (first["job_id"], first["metrics"])
    assert provider.faults.jobs_created == 2
    assert chats(provider) == asked
    assert (project / "runs/toy/paid/answers.jsonl").read_text() == answers
    assert (project / "runs/toy/paid/metrics.csv").read_text() == metrics


def test_the_history_lists_every_model(inside: Inside, provider: FaultyServer) -> None:
    """Each with its configuration, its cost, its scores and its answers; the present one is marked."""
    inside.json(*RUN, "--yes")
    inside.json(*RUN, "--yes", *OTHER)
    models = inside.json("history", CONFIG, "--target", "paid")["models"]
    assert [one["spec"]["hyperparameters"]["n_epochs"] for one in models] == [2, 3]
    assert [one["current"] for one in models] == [False, True]
    for one in models:
        assert one["usd"] > 0
        assert "tuned" in one["metrics"]
        assert json.loads(Path(one["answers"]).read_text().splitlines()[0])["answer"]
    code, out, _err = inside("history", CONFIG, "--target", "paid")
    assert (code, models[0]["fine_tuned_model"] in out) == (0, True)


def test_git_keeps_what_was_paid_for(inside: Inside, provider: FaultyServer, project: Path) -> None:
    """State, report, ledger and history of a paid target are kept; all else, and local targets, are not."""
    import subprocess

    inside.json(*RUN, "--yes")
    inside.json("run", CONFIG, "--target", "local", "--until", "check")
    subprocess.run(["git", "init", "-q", project], check=True)
    listed = subprocess.run(
        ["git", "ls-files", "-o", "--exclude-standard", "runs"],
        cwd=project,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    names = {name.split("/", 2)[-1] if name.count("/") > 1 else name for name in listed}
    plain = {name for name in names if "history" not in name}
    assert plain == {
        "runs/.gitignore",
        "runs/.gitattributes",
        "paid/state.json",
        "paid/report.md",
        "paid/ledger.jsonl",
    }
    kept = {name.rsplit("/", 1)[1] for name in names if "history" in name}
    assert kept == {"model.json", "answers.jsonl", "metrics.csv", "scores.json", "report.md"}
