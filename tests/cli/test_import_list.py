"""`ftrun import --list`: what an account has, before and after an import."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ftrun.cli import main
from support.old_account import KEY, KEY_NAME, OldAccount, old_account

Run = Callable[..., str]
THERE = """
  there: {provider: openai, base_url: 'https://x.example/v1', api_key_env: K, model: m,
    price: {train: 2, input: 1, output: 1}}
  engine: {provider: local, model: smollm2-135m-instruct}
"""


@pytest.fixture
def account() -> Iterator[OldAccount]:
    """Yield an account of thirty old jobs."""
    with old_account(jobs=30) as made:
        yield made


@pytest.fixture
def run(
    account: OldAccount, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that runs `ftrun import WORDS` on the account and gives what it printed."""
    monkeypatch.setenv(KEY_NAME, KEY)
    monkeypatch.chdir(tmp_path)
    account.write_config(tmp_path)

    def call(*words: str, code: int = 0) -> str:
        with pytest.raises(SystemExit) as end:
            main(["import", *words, "--config", "account.yaml", "--yes"])
        said = capfd.readouterr()
        assert end.value.code == code, (said.out, said.err)
        return said.out + said.err if code else said.out

    return call


def test_the_list_has_every_tuned_model(run: Run, account: OldAccount) -> None:
    """One entry for each job with a model, as the contract has it; only three lists were asked for."""
    document = json.loads(run("--list", "--json"))
    jobs = [job for job in account.stock.jobs.values() if job["status"] == "succeeded"]
    assert {one["job_id"] for one in document["models"]} == {job["id"] for job in jobs}
    first = document["models"][0]
    assert first.keys() >= {
        *("job_id", "model", "base", "status", "created_at", "ends", "ends_source", "last_used", "data"),
        *("trained_tokens", "could_go"),
    }
    assert (first["ends"], first["ends_source"]) == ("2027-01-14", "server")
    assert document["failed_jobs"] == 3 and document["target"] == "old"
    gone = {one["model"].split(":")[3] for one in document["models"] if one["data"]["training"] == "gone"}
    assert gone == {"no-data", "nothing"}
    assert {name for name, _ in account.stats()["requests"].items()} == {
        "GET /models",
        "GET /files",
        "GET /fine_tuning/jobs",
    }


def test_an_import_shows_in_the_list(run: Run, account: OldAccount) -> None:
    """What was imported is named with its file, and its data count as saved, though the server lost them."""
    run("--all")
    account.stock.files.clear()
    models: list[dict[str, Any]] = json.loads(run("--list", "--json"))["models"]
    assert all(Path(one["imported"]).is_file() for one in models)
    by_name = {one["model"].split(":")[3]: one for one in models}
    assert by_name["triage"]["data"]["training"] == "imported"
    assert by_name["no-data"]["data"]["training"] == "gone" and by_name["no-data"]["could_go"] == []


def test_other_targets_of_the_file_are_priced(run: Run, tmp_path: Path) -> None:
    """Each other target is a column with what training there costs, and the sums are below."""
    text = (
        (tmp_path / "account.yaml")
        .read_text(encoding="utf-8")
        .replace("eval:", f"{THERE.strip(chr(10))}\neval:")
    )
    (tmp_path / "account.yaml").write_text(
        text.replace("targets:", "target: old\ntargets:"), encoding="utf-8"
    )
    document = json.loads(run("--list", "--json"))
    totals = {one["target"]: one["usd"] for one in document["totals"]}
    tokens = sum(
        one["trained_tokens"] or 0 for one in document["models"] if one["data"]["training"] != "gone"
    )
    assert totals["there"] == pytest.approx(tokens * 2 / 1e6, abs=0.01) and totals["engine"] == 0
    said = run("--list")
    assert said.splitlines()[0].split()[-3:] == ["there", "engine", "model"]
    assert "retraining all that have data at engine: free" in said
    marked = run("--list", "--markdown")
    assert "| there | engine | model |" in marked


def test_lost_answers_change_nothing(tmp_path: Path, run: Run, account: OldAccount) -> None:
    """With 30 % of the answers lost or broken the list is the same."""
    before = run("--list", "--json")
    account.faults = 0.3
    assert run("--list", "--json") == before


def test_the_list_takes_no_ids(run: Run) -> None:
    """--list is about the account, and --markdown is about --list: one message, and nothing is imported."""
    assert "--list takes no JOB_ID" in run("ftjob-1", "--list", code=2)
    assert "--list takes no JOB_ID" in run("--all", "--markdown", code=2)
