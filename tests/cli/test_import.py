"""`ftrun import` as a user types it: where it gets its target, what it asks, prints and refuses."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import Ftrun
from support.old_account import KEY, KEY_NAME, OldAccount
from support.old_jobs import stock

WORDS = ("import", "--all", "--config", "account.yaml")
CASES = ("hiroyuki", "dpo", "training-gone", "failed-data", "cancelled", "japanese-suffix")


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OldAccount]:
    """Yield an account with some old jobs, and have its experiment file and key here."""
    monkeypatch.setenv(KEY_NAME, KEY)
    served = OldAccount(stock=stock(cases=CASES)).start()
    served.write_config(tmp_path)
    yield served
    served.close()


@pytest.fixture
def here(tmp_path: Path, account: OldAccount) -> Ftrun:
    """Return the command line in a folder without experiments but the account's file."""
    return Ftrun(tmp_path)


def test_it_says_what_was_imported_what_is_missing_and_what_to_do_next(here: Ftrun) -> None:
    """A page for people: numbers, reasons, places, and the commands that come next with real paths."""
    done = here(*WORDS, "--yes")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("imported  4 jobs from http://127.0.0.1:")
    assert "into imported" in lines[0]
    assert "missing   the training file of 1 job" in done.stdout
    assert "not imported  ftjob-" in done.stdout and "Line 3" in done.stdout
    assert "note: imported/configs/no-data.yaml: the training file is missing: " in done.stdout
    assert "git add imported" in done.stdout
    assert "rescue --all" in done.stdout
    assert "port imported/configs/minato-annai.yaml --to TARGET" in done.stdout  # the newest
    again = here(*WORDS)
    assert again.stdout.splitlines()[1].startswith("skipped   4 jobs")
    assert "Next:" not in again.stdout


def test_the_key_is_sent_after_consent_only(here: Ftrun, account: OldAccount) -> None:
    """Without --yes and a terminal nothing is sent to the file's server; exit 4."""
    refused = here.json(*WORDS, code=4)
    assert refused["error"]["code"] == "not_confirmed" and "--yes" in refused["error"]["hint"]
    assert not account.requests
    assert here.json(*WORDS, "--yes")["imported"]
    assert here.json(*WORDS)["skipped"]  # agreed once


def test_json_has_the_documented_keys(here: Ftrun) -> None:
    """One document: imported and skipped with the same keys, failed with message, code and status."""
    document = here.json(*WORDS, "--yes")
    assert list(document) == ["target", "imported", "skipped", "failed", "notes"]
    keys = ["job_id", "config", "files", "fine_tuned_model", "missing", "notes"]
    assert all(list(one) == keys for one in document["imported"])
    assert all(list(one) == ["job_id", "message", "code", "status"] for one in document["failed"])
    assert all(list(one) == keys for one in here.json(*WORDS)["skipped"])
    for one in document["imported"]:
        assert all((here.folder / path).is_file() for path in [one["config"], *one["files"]])


def test_it_finds_the_one_target_of_this_folder(here: Ftrun, account: OldAccount) -> None:
    """Without --config and --target it is the one that the experiments here share; else exit 2 says how."""
    job_id = str(account.job("hiroyuki")["id"])
    assert here.json("import", job_id, "--yes")["imported"][0]["config"] == "imported/configs/hiroyuki.yaml"
    (here.folder / "account.yaml").unlink()
    assert here.json("import", job_id, code=2)["error"]["code"] == "no_target"


def test_a_file_with_targets_alone_will_do(here: Ftrun) -> None:
    """One file may say where one comes from and where one might go, and nothing else."""
    config = here.folder / "account.yaml"
    config.write_text(config.read_text(encoding="utf-8").partition("eval:")[0], encoding="utf-8")
    assert len(here.json(*WORDS, "--yes")["imported"]) == 4
    assert here.json("run", "account.yaml", code=2)["error"]["code"] == "targets_alone"


def test_out_is_another_folder(here: Ftrun) -> None:
    """--out names the folder, also one with spaces; nothing is written elsewhere."""
    document = here.json(*WORDS, "--yes", "--out", "old jobs")
    assert document["imported"][0]["config"].startswith("old jobs/configs/")
    assert sorted(path.name for path in here.folder.iterdir()) == ["account.yaml", "old jobs"]
    shown = here("import", "--all", "--config", "account.yaml", "--out", "another one").stdout
    assert "git add 'another one'" in shown and "rescue --all" not in shown


@pytest.mark.parametrize(
    ("words", "code", "part"),
    [
        (("import",), "usage", "--all"),
        (("import", "ftjob-1", "--all"), "usage", "not both"),
        (("import", "--all", "--target", "azure"), "no_target", "endpoint"),
        (("import", "--all", "--target", "bedrock"), "no_target", "region"),
        (("import", "--all", "--target", "openai"), "no_key", "OPENAI_API_KEY"),
        (("import", "--all", "--target", "nebius"), "no_key", "NEBIUS_API_KEY"),
        (("import", "--all", "--target", "nobody"), "no_target", "name the experiment"),
        ((*WORDS, "--target", "nobody"), "unknown_target", "nobody"),
    ],
)
def test_what_cannot_be_meant_is_refused(here: Ftrun, words: tuple[str, ...], code: str, part: str) -> None:
    """Exit 2, one message with the way out, and nothing was asked or written."""
    error = here.json(*words, code=2)["error"]
    assert error["code"] == code and part in error["message"] and error["hint"]
    assert not (here.folder / "imported").exists()


def test_a_tuned_model_may_stand_for_its_job(here: Ftrun, account: OldAccount) -> None:
    """The list shows models, so their names are taken as ids; an unknown one has a tip."""
    model = next(one["fine_tuned_model"] for one in account.stock.jobs.values() if one["fine_tuned_model"])
    done = here.json("import", model, "--config", "account.yaml", "--yes")
    assert [one["fine_tuned_model"] for one in done["imported"]] == [model]
    wrong = here("import", f"{model}x", "--config", "account.yaml")
    assert wrong.returncode == 1
    assert f"not imported  {model}x: this account has no such job" in wrong.stdout
    assert "tip: `ftrun import --list` shows" in wrong.stdout


def test_the_tip_names_the_file_that_was_given(here: Ftrun) -> None:
    """Without --all or a job, the command to type has the same --config."""
    refused = here.json("import", "--config", "account.yaml", code=2)
    assert refused["error"]["hint"] == "ftrun import --all --config account.yaml"


def test_a_wrong_key_ends_it(here: Ftrun, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's refusal is the error; nothing is written."""
    monkeypatch.setenv(KEY_NAME, "fk-another-key-0123456789")
    assert here.json(*WORDS, "--yes", code=1)["error"]["code"] == "wrong_key"
    assert not (here.folder / "imported").exists()


def test_an_import_into_a_link_is_refused(here: Ftrun) -> None:
    """A repository may bring a link in the folder's place: it is not followed."""
    elsewhere = here.folder / "elsewhere"
    elsewhere.mkdir()
    (here.folder / "imported").symlink_to(elsewhere)
    assert here.json(*WORDS, "--yes", code=4)["error"]["code"] == "not_a_file"
    assert not list(elsewhere.iterdir())


def test_it_speaks_japanese(here: Ftrun) -> None:
    """The page for people is Japanese where the user's language is; commands and names stay."""
    shown = here(*WORDS, "--yes", env={"FTRUN_LANG": "ja"}).stdout
    assert "4 件" in shown and "git add imported" in shown
    assert "から imported へ" in shown  # a folder, not a word
    assert "imported  4" not in shown and "not imported" not in shown and "note:" not in shown


def test_jobs_of_the_engine_are_imported_and_stand_as_done(ftrun: Ftrun) -> None:
    """`--target local` needs no file and no key; the experiment has its report and nothing left to do."""
    ran = ftrun.json("run", "configs/toy.yaml")
    document = ftrun.json("import", "--all", "--target", "local")
    (one,) = document["imported"]
    assert (one["job_id"], one["fine_tuned_model"]) == (ran["job_id"], ran["fine_tuned_model"])
    config = yaml.safe_load((ftrun.folder / one["config"]).read_text(encoding="utf-8"))
    assert config["targets"] == {"local": {"provider": "local", "model": "rehearsal"}}
    trained: dict[str, Any] = json.loads((ftrun.folder / "runs/toy/local/state.json").read_bytes())
    files = {Path(path).stem for path in one["files"]}
    assert {trained["uploads"][sha]["file_id"] for sha in files & trained["uploads"].keys()} == {
        ran["training_file"],
        ran["validation_file"],
    }
    again = ftrun.json("run", one["config"])
    assert {stage["action"] for stage in again["stages"].values()} == {"skip"}
    assert again["fine_tuned_model"] == ran["fine_tuned_model"]
    ftrun.json("eval", one["config"], "--set", "eval.prompts=[{id: a, user: 一番は？}]")
    assert ftrun("chat", one["config"], stdin="hello\n").returncode == 0


@pytest.mark.parametrize("place", ["files.jsonl", "runs/hiroyuki/old/state.json"])
def test_a_pipe_in_the_folder_is_named_and_not_waited_for(here: Ftrun, place: str) -> None:
    """Exit 4, before anybody is asked or anything is written; the inventory needs no state."""
    pipe = here.folder / "imported" / place
    pipe.parent.mkdir(parents=True)
    os.mkfifo(pipe)
    refused = here.json(*WORDS, "--yes", code=4)["error"]
    assert refused["code"] == "not_a_file" and refused["file"].endswith(place)
    assert [path for path in (here.folder / "imported").rglob("*") if path.is_file()] == []
    journal = place == "files.jsonl"
    here.json("import", "--list", "--config", "account.yaml", code=4 if journal else 0)


def test_a_pipe_among_the_experiments_is_left_alone(here: Ftrun) -> None:
    """It is no experiment, so the import goes on, under another name than the pipe's."""
    (here.folder / "imported" / "configs" / "rescued").mkdir(parents=True)
    os.mkfifo(here.folder / "imported" / "configs" / "hiroyuki.yaml")
    os.mkfifo(here.folder / "imported" / "configs" / "rescued" / "hiroyuki-old.json")
    configs = [one["config"] for one in here.json(*WORDS, "--yes")["imported"]]
    assert len(configs) == 4 and "imported/configs/hiroyuki.yaml" not in configs
    assert len(here.json("import", "--list", "--config", "account.yaml")["models"]) == 4


def test_an_id_that_json_escapes_is_imported_once(here: Ftrun, account: OldAccount) -> None:
    """A rerun finds the job in the state, whatever letters its server calls it by."""
    old = str(account.job("hiroyuki")["id"])
    odd = 'ftjob-"みなと\\1"'
    held = account.stock
    held.jobs[odd] = {**held.jobs.pop(old), "id": odd}
    held.events[odd], held.checkpoints[odd] = held.events.pop(old), held.checkpoints.pop(old, [])
    assert len(here.json(*WORDS, "--yes")["imported"]) == 4
    again = here.json(*WORDS)
    assert again["imported"] == [] and odd in [one["job_id"] for one in again["skipped"]]


def test_a_clone_is_told_how_to_report_what_was_learned(here: Ftrun) -> None:
    """A run has nothing to do there; `eval`, which asks nobody without questions, restores the rest."""
    here.json(*WORDS, "--yes")
    folder, config = here.folder / "imported" / "runs" / "hiroyuki" / "old", "imported/configs/hiroyuki.yaml"
    for path in folder.iterdir():
        if path.is_file() and path.name not in ("state.json", "report.md"):
            path.unlink()
    assert here("run", config).returncode == 0
    hint = here.json("report", config, code=2)["error"]["hint"]
    assert hint == f"`ftrun eval {config} --target old`"
    assert here("eval", config).returncode == 0
    assert "Learning: " in here("report", config).stdout


def test_a_model_is_not_paid_for_again_because_its_run_is_lost(here: Ftrun, account: OldAccount) -> None:
    """Without its state an imported experiment stops, --yes or not, until it is imported again or forced."""
    here.json(*WORDS, "--yes")
    config = here.folder / "imported" / "configs" / "hiroyuki.yaml"
    name = str(config.relative_to(here.folder))
    shutil.rmtree(here.folder / "imported" / "runs" / "hiroyuki")
    refused = here.json("run", name, "--yes", code=4)["error"]
    job_id = str(account.job("hiroyuki")["id"])
    assert refused["code"] == "import_lost" and f"`ftrun import {job_id} --config {name}`" in refused["hint"]
    assert not account.posts
    assert here("import", job_id, "--config", name).returncode == 0
    assert here("run", name).stdout.startswith("Nothing to do")
    config.write_text(config.read_text(encoding="utf-8").replace("name: hiroyuki", "name: renamed"))
    assert here.json("run", name, "--yes", code=4)["error"]["code"] == "import_lost"
    forced = here.json("run", name, "--force", "train", code=4)["error"]
    assert forced["code"] == "not_confirmed" and not account.posts
