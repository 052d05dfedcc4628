"""`ftrun import` against a real server: what is written, what is asked, and what is never touched."""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import Ftrun
from support.old_account import KEY, KEY_NAME, Answer, OldAccount, Request, refusal

from .conftest import Open, Place

EVERYTHING = (
    *("legacy", "hiroyuki", "auto", "dpo", "same-suffix", "same-suffix-again", "japanese-suffix"),
    *("path-suffix", "no-suffix", "metadata", "crlf", "bom", "no-newline", "odd-json", "results-base64"),
    *("reinforcement", "unknown-base", "continued"),
)


def lasting(place: Place) -> dict[str, Any]:
    """Return what is the same in every import: states have times and ids, journals an order of their own."""
    found: dict[str, Any] = {}
    for name, (_, content) in place.tree().items():
        if name.endswith("state.json"):
            state = json.loads(content)
            for one in ("lineage", "serial", "checksum"):
                del state[one]
            for stage in state["stages"].values():
                del stage["seconds"], stage["finished_at"]
            found[name] = state
        elif name.endswith("files.jsonl"):
            found[name] = sorted(content.splitlines())
        elif not name.endswith((".lock", ".backup")):
            found[name] = content
    return found


def test_every_shape_of_job_becomes_an_experiment_that_is_done(opened: Open) -> None:
    """All files are there byte for byte, once per content, and running them asks nobody anything."""
    place = opened(*EVERYTHING)
    document = place.imported("--all")
    assert document["failed"] == document["skipped"] == []
    assert len(document["imported"]) == len(EVERYTHING)
    held = place.account.stock
    for one in document["imported"]:
        job = held.jobs[one["job_id"]]
        config = yaml.safe_load((place.folder / one["config"]).read_text(encoding="utf-8"))
        source = place.folder / "imported/configs" / config["data"]["sources"][0]["path"]
        assert source.read_bytes() == held.contents[job["training_file"]]
        assert source.stem == hashlib.sha256(source.read_bytes()).hexdigest()
        run = place.folder / "imported/runs" / config["name"] / "old"
        assert (run / "train.jsonl").read_bytes() == source.read_bytes()
        assert (config["train"]["seed"], config["train"].get("suffix")) == (
            job["seed"],
            job["user_provided_suffix"],
        )
    before, asked = place.tree(), place.account.requests.total()
    for one in document["imported"]:
        assert "Nothing to do" in place.run("run", one["config"])
    assert (place.tree(), place.account.requests.total()) == (before, asked)
    assert not place.account.posts


def test_a_second_import_changes_nothing_and_asks_for_the_list_alone(opened: Open) -> None:
    """Not a byte or a time of a file changes; of jobs that are known by id nobody is asked."""
    place = opened("hiroyuki", "dpo", "training-gone", "failed-data")
    first = place.imported("--all")
    before, asked = place.tree(), place.account.requests.copy()
    second = place.imported("--all")
    assert place.tree() == before
    assert place.account.requests - asked == {"GET /fine_tuning/jobs": 1}
    assert [one["job_id"] for one in second["skipped"]] == [one["job_id"] for one in first["imported"]]
    assert {one["config"] for one in second["skipped"]} == {one["config"] for one in first["imported"]}
    assert second["failed"] == first["failed"]
    asked = place.account.requests.copy()
    place.imported(str(place.account.job("hiroyuki")["id"]))
    assert (place.tree(), place.account.requests) == (before, asked)


def test_files_are_downloaded_once_and_stored_once_per_content(opened: Open) -> None:
    """Jobs that share a file share its download; files of one content are one file here."""
    place = opened("shared-1", "shared-2", "shared-3", "copy")
    document = place.imported("--all")
    assert set(place.account.downloads.values()) == {1}
    sources = {
        yaml.safe_load((place.folder / one["config"]).read_text())["data"]["sources"][0]["path"]
        for one in document["imported"]
    }
    assert len(document["imported"]) == 4 and len(sources) == 1
    lines = (place.folder / "imported/files.jsonl").read_text().splitlines()
    assert {json.loads(line)["file_id"] for line in lines} == set(place.account.downloads)


def test_values_are_those_that_were_used(opened: Open) -> None:
    """What was requested as auto is written as the number that the job used; unknown stays auto."""
    place = opened("auto", "legacy-auto", "dpo-auto", "reinforcement", "continued", "metadata")
    numbers = {"n_epochs": 3, "batch_size": 1, "learning_rate_multiplier": 1.8}
    assert place.config("auto")["train"]["hyperparameters"] == numbers
    assert set(place.config("legacy-auto")["train"]["hyperparameters"].values()) == {"auto"}
    dpo = place.config("dpo-auto")["train"]
    assert (dpo["method"], dpo["hyperparameters"]["beta"]) == ("dpo", 0.2)
    graded = place.config("reinforcement")["train"]
    assert graded["grader"]["reference"] == "{{ item.label }}"
    continued = place.config("continued")
    base = place.account.job("continued")["model"]
    assert continued["train"]["continue_from"] == base
    assert continued["targets"]["old"]["model"] == base.split(":")[1]
    assert continued["targets"]["old"]["price"] == {"train": 3, "input": 0.3, "output": 1.2}
    assert place.config("metadata")["train"]["metadata"]["担当"] == "佐藤"


def test_names_come_from_suffixes_oldest_first(opened: Open) -> None:
    """A suffix becomes a plain name; the second job of a suffix has the end of its id, whatever the order."""
    place = opened("same-suffix", "same-suffix-again", "japanese-suffix", "path-suffix", "no-suffix")
    second = str(place.account.job("same-suffix-again")["id"])
    end = second.lower()[-8:]
    names = {one["job_id"]: Path(one["config"]).stem for one in place.imported("--all")["imported"]}
    assert names[place.account.job("same-suffix")["id"]] == "neko"
    assert names[second] == f"neko-{end}"
    assert names[place.account.job("path-suffix")["id"]] == "outside"
    assert names[place.account.job("no-suffix")["id"]].startswith("gpt-4o-mini-2024-07-18-")
    assert all(name.isascii() for name in names.values())
    assert sorted(path.name for path in place.folder.iterdir()) == ["account.yaml", "imported"]


@pytest.mark.parametrize(
    ("case", "missing"),
    [
        ("training-gone", ["training_file"]),
        ("training-forbidden", ["training_file"]),
        ("validation-gone", ["validation_file"]),
        ("validation-forbidden", ["validation_file"]),
        ("results-gone", ["result_file"]),
        ("everything-gone", ["training_file", "validation_file", "result_file"]),
    ],
)
def test_files_that_the_provider_does_not_give_are_named(opened: Open, case: str, missing: list[str]) -> None:
    """The job is imported all the same, says what is missing and why, and stands as done."""
    place = opened(case)
    one = place.one(case)
    assert one["missing"] == missing
    assert len(one["notes"]) == len(missing) and "HTTP 40" in one["notes"][0]
    config = yaml.safe_load((place.folder / one["config"]).read_text())
    assert config["imported"]["missing"] == missing
    tuned = place.account.job(case)["fine_tuned_model"]
    if "training_file" in missing:
        assert "data" not in config and "train" not in config
        assert config["eval"]["models"] == [{"name": "tuned", "model": tuned}, "base"]
    asked = place.account.requests.total()
    assert "Nothing to do" in place.run("run", one["config"])
    assert place.account.requests.total() == asked


def test_jobs_without_a_model_are_listed_and_the_rest_is_imported(opened: Open) -> None:
    """Failed, cancelled and running jobs are named with their reason; that is no failure of the import."""
    place = opened("failed-data", "cancelled", "running", "hiroyuki")
    document = place.imported("--all")
    assert len(document["imported"]) == 1
    found = {one["code"]: one["message"] for one in document["failed"]}
    assert set(found) == {"job_failed", "job_cancelled", "job_unfinished"}
    assert "Line 3" in found["job_failed"] and "running" in found["job_unfinished"]


def test_a_value_that_an_experiment_cannot_have_is_named(opened: Open) -> None:
    """Such a job is in `failed` with the value and why; the others are imported, and the exit code is 1."""
    place = opened("hiroyuki", "dpo")
    place.account.job("dpo")["hyperparameters"]["n_epochs"] = 100
    place.account.job("dpo")["method"]["dpo"]["hyperparameters"]["n_epochs"] = 100
    document = place.imported("--all", code=1)
    (failed,) = document["failed"]
    assert failed["code"] == "job_values"
    assert "n_epochs" in failed["message"] and "100" in failed["message"] and "50" in failed["message"]
    assert len(document["imported"]) == 1
    assert not list((place.folder / "imported/configs").glob(".*"))


def test_hyperparameters_of_a_service_go_to_the_target(opened: Open) -> None:
    """What only the service knows is kept with the target; what can't be kept is noted."""
    place = opened("hiroyuki")
    own = {"learning_rate": 1e-05, "lora": True, "layers": [1, 2]}
    place.account.job("hiroyuki")["method"]["supervised"]["hyperparameters"].update(own)
    one = place.one("hiroyuki")
    config = yaml.safe_load((place.folder / one["config"]).read_text(encoding="utf-8"))
    assert config["targets"]["old"]["hyperparameters"] == {"learning_rate": "1e-05", "lora": True} or (
        config["targets"]["old"]["hyperparameters"] == {"learning_rate": 1e-05, "lora": True}
    )
    assert "layers" in one["notes"][0]


def test_ids_of_others_are_refused_one_by_one(opened: Open) -> None:
    """A job that this account does not have is named; the others are imported."""
    place = opened("hiroyuki")
    mine = str(place.account.job("hiroyuki")["id"])
    document = place.imported("ftjob-of-somebody-else", mine, mine, code=1)
    assert [one["job_id"] for one in document["imported"]] == [mine]
    (failed,) = document["failed"]
    assert (failed["job_id"], failed["code"]) == ("ftjob-of-somebody-else", "no_such_job")


def test_a_taken_name_is_left_alone(opened: Open) -> None:
    """A file of that name that isn't ours stays as it is; the job gets a longer one, and a note says so."""
    place = opened("hiroyuki")
    mine = place.folder / "imported/configs/hiroyuki.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine", encoding="utf-8")
    one = place.one("hiroyuki")
    assert mine.read_text(encoding="utf-8") == "mine"
    assert Path(one["config"]).stem.startswith("hiroyuki-")
    assert "hiroyuki is taken" in one["notes"][0]


def test_where_every_name_is_taken_the_job_fails(opened: Open) -> None:
    """Nothing is overwritten, and nothing is followed through a link."""
    place = opened("hiroyuki")
    configs = place.folder / "imported/configs"
    configs.mkdir(parents=True)
    outside = place.folder / "outside.yaml"
    outside.write_text("outside", encoding="utf-8")
    (configs / "hiroyuki.yaml").symlink_to(outside)
    longer = Path(place.one("hiroyuki")["config"])
    assert outside.read_text(encoding="utf-8") == "outside"
    shutil.rmtree(place.folder / "imported/runs")
    (place.folder / longer).unlink()
    for name in (longer.name, *(f"hiroyuki-{end}.yaml" for end in _ends(place))):
        (configs / name).write_text("mine", encoding="utf-8")
    document = place.imported(str(place.account.job("hiroyuki")["id"]), code=1)
    assert document["failed"][0]["code"] == "name_taken"


def _ends(place: Place) -> list[str]:
    job_id = str(place.account.job("hiroyuki")["id"])
    letters = job_id.lower().removeprefix("ftjob-")
    return [letters[-16:], letters[-40:], hashlib.sha256(job_id.encode()).hexdigest()[:16]]


def test_an_edited_data_file_is_said_and_left(opened: Open) -> None:
    """Its hash is no longer its name: a later import says so in a note, and changes nothing."""
    place = opened("hiroyuki", "shared-1")
    one = place.one("hiroyuki")
    path = place.folder / one["files"][0]
    path.write_text("edited\n", encoding="utf-8")
    before = place.tree()
    document = place.imported(one["job_id"])
    assert "edited after the import" in document["skipped"][0]["notes"][0]
    assert place.tree() == before
    (place.folder / one["config"]).unlink()
    shutil.rmtree(place.folder / "imported/runs")
    document = place.imported("--all", code=1)
    assert [one["code"] for one in document["failed"]] == ["edited_after_import"]
    assert path.read_text(encoding="utf-8") == "edited\n"
    assert len(document["imported"]) == 1


def test_an_edited_experiment_is_kept_and_a_lost_run_folder_restored(opened: Open) -> None:
    """The file that a person changed stays as it is; the state comes back and says that the job is done."""
    place = opened("hiroyuki")
    one = place.one("hiroyuki")
    config = place.folder / one["config"]
    edited = config.read_text(encoding="utf-8").replace("version: 1\n", "version: 1\ndescription: ours\n")
    config.write_text(edited, encoding="utf-8")
    shutil.rmtree(place.folder / "imported/runs")
    downloads = place.account.downloads.copy()
    again = place.one("hiroyuki")
    assert again["config"] == one["config"] and config.read_text(encoding="utf-8") == edited
    assert place.account.downloads == downloads
    assert "train     job ftjob-" in place.run("plan", one["config"])


def test_an_experiment_that_extends_an_imported_one_is_not_it(opened: Open) -> None:
    """A port of an experiment has its own file: only the imported one counts as imported."""
    place = opened("hiroyuki")
    one = place.one("hiroyuki")
    port = place.folder / "imported/configs/a-port.yaml"
    port.write_text("extends: hiroyuki.yaml\nname: a-port\n", encoding="utf-8")
    assert place.imported(one["job_id"])["skipped"][0]["config"] == one["config"]


def test_data_that_our_check_refuses_is_imported_and_stays_done(opened: Open) -> None:
    """A model was trained on it: a note names the errors, and nothing is to be done afterwards."""
    place = opened("hiroyuki", "dpo")
    for number, content in enumerate((b"no JSON at all\n", b'{"messages": []}\n\n{"a": 1}\n')):
        job = list(place.account.stock.jobs.values())[number]
        place.account.stock.contents[job["training_file"]] = content
        place.account.stock.files[job["training_file"]]["bytes"] = len(content)
    document = place.imported("--all")
    assert len(document["imported"]) == 2 and not document["failed"]
    for one in document["imported"]:
        assert any("by today's checks" in note for note in one["notes"])
        assert "Nothing to do" in place.run("run", one["config"])


def test_other_commands_work_on_it(opened: Open) -> None:
    """plan, status, metrics, history, report and a forced training know the imported job."""
    place = opened("results-base64")
    one = place.one("results-base64")
    config, model = one["config"], one["fine_tuned_model"]
    status = json.loads(place.run("status", config, "--json"))
    assert (status["job_id"], status["fine_tuned_model"]) == (one["job_id"], model)
    metrics = json.loads(place.run("metrics", config, "--json"))
    assert metrics["last"]["train_loss"] == pytest.approx(3 / 12)
    (past,) = json.loads(place.run("history", config, "--json"))["models"]
    assert past["fine_tuned_model"] == model and past["adopted"]
    place.run("report", config)
    assert model in (place.folder / "imported/runs/encoded/old/report.md").read_text(encoding="utf-8")
    assert "Nothing to do" in place.run("run", config)
    place.run("run", config, "--force", "train", code=4)
    assert not place.account.posts


@pytest.mark.parametrize("stage", ["prepare", "check", "upload", "wait", "report"])
def test_what_is_recorded_is_what_the_stages_find(opened: Open, stage: str) -> None:
    """Each stage, done again with the server, finds what the import recorded of it."""
    place = opened("hiroyuki")
    config = place.one("hiroyuki")["config"]
    path = place.folder / "imported/runs/hiroyuki/old/state.json"
    before = json.loads(path.read_bytes())["stages"]
    if stage == "upload":  # sending the files again is refused there: what they are is looked up
        assert set(before["upload"]["result"].values()) == {
            place.account.job("hiroyuki")["training_file"],
            place.account.job("hiroyuki")["validation_file"],
        }
        return
    place.run("run", config, "--force", stage, "--yes")
    after = json.loads(path.read_bytes())["stages"]
    assert after.keys() == before.keys()
    for name, one in after.items():
        assert (one["fingerprint"], one["result"]) == (before[name]["fingerprint"], before[name]["result"]), (
            name
        )


def test_history_has_what_cannot_be_had_again(opened: Open) -> None:
    """The job as the server described it, all its events, its checkpoints and losses are there for git."""
    place = opened("many-events")
    place.one("many-events")
    (kept,) = (place.folder / "imported/runs/long-run/old/history").iterdir()
    job = json.loads((kept / "job.json").read_bytes())
    wanted = place.account.job("many-events")
    assert {name: job[name] for name in wanted} == wanted and len(job["checkpoints"]) == 3
    events = [json.loads(line) for line in (kept / "events.jsonl").read_text().splitlines()]
    held = place.account.stock.events[wanted["id"]]
    assert [one["id"] for one in events] == [one["id"] for one in held]
    assert len((kept / "metrics.csv").read_text().splitlines()) > 250
    ignore = (place.folder / "imported/runs/.gitignore").read_text()
    assert "!**/history/**" in ignore and "!state.json" in ignore


@pytest.mark.parametrize("seed", [1, 2])
def test_lost_and_broken_answers_change_nothing(opened: Open, seed: int) -> None:
    """With 30 % of all answers lost or broken the result is the same as without."""
    place = opened("hiroyuki", "dpo", "validation-gone", "results-base64", "many-events", "copy")
    whole = place.imported("--all")
    expected = lasting(place)
    shutil.rmtree(place.folder / "imported")
    place.account.faults, place.account.seed = 0.3, seed
    assert place.imported("--all") == whole
    assert lasting(place) == expected
    assert place.account.faulty.total() >= 5


def test_a_file_that_never_comes_whole_fails_its_job_alone(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size that the server lists decides what is whole; the other jobs are imported."""
    monkeypatch.setattr("ftrun.runner.importing.patience.TRIES", 3)
    place = opened("hiroyuki", "dpo")
    cut = place.account.job("dpo")["training_file"]
    place.account.stock.files[cut]["bytes"] += 1
    document = place.imported("--all", code=1)
    assert [one["code"] for one in document["failed"]] == ["unreadable_answer"]
    assert "bytes instead of" in document["failed"][0]["message"]
    assert len(document["imported"]) == 1


def test_a_server_without_a_list_of_files_will_do(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file is asked for its size then."""
    place = opened("hiroyuki", "copy")
    expected = place.imported("--all")
    shutil.rmtree(place.folder / "imported")
    answer = type(place.account).answer

    def without_list(self: OldAccount, request: Request) -> Answer:
        return refusal(404, "no such list") if request.path == "/files" else answer(self, request)

    monkeypatch.setattr(OldAccount, "answer", without_list)
    assert place.imported("--all") == expected
    assert place.account.requests["GET /files/ID"] > 0


def test_a_server_that_dies_ends_the_import_with_what_there_is(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every job that was not reached is listed, exit 1; the same command resumes when the server is back."""
    for name, value in (("TRIES", 2), ("FIRST_PAUSE", 0.01), ("MOST_IN_VAIN", 3)):
        monkeypatch.setattr(f"ftrun.runner.importing.patience.{name}", value)
    monkeypatch.setattr("ftrun.targets.api.connection.READ_RETRIES", 0)
    place = opened("hiroyuki", "dpo", "crlf")
    answer, account = place.account.answer, place.account
    broken = {"now": True}

    def fails(request: Any) -> Any:
        if broken["now"] and request.path.startswith("/files"):
            account.faults = 1.0
        return answer(request)

    monkeypatch.setattr(type(account), "answer", lambda self, request: fails(request))
    monkeypatch.setattr("support.old_account.FAULTS", ("500",))
    document = place.imported("--all", code=1)
    assert len(document["failed"]) + len(document["imported"]) == 3 and document["failed"]
    broken["now"], account.faults = False, 0.0
    assert not place.imported("--all")["failed"]


def test_many_jobs_are_written_by_several_processes(opened: Open) -> None:
    """What they write is what one would write; the server never gets more requests at once than allowed."""
    place = opened(jobs=30)
    document = place.imported("--all")
    assert len(document["imported"]) == 30 and not document["failed"]
    assert set(place.account.downloads.values()) == {1} and len(place.account.downloads) == 90
    assert place.account.most <= 8


@pytest.mark.parametrize("jobs", [8, pytest.param(28, marks=pytest.mark.slow)])
def test_kills_at_any_time_lose_nothing(opened: Open, jobs: int) -> None:
    """After kill -9 at random times the same command ends with the same result, and fetches little twice."""
    place = opened(jobs=jobs)
    place.imported("--all")
    expected = lasting(place)
    once = place.account.downloads.copy()
    shutil.rmtree(place.folder / "imported")
    chance, ftrun = random.Random(jobs), Ftrun(place.folder)
    words = ("import", "--all", "--config", "account.yaml")
    for _ in range(4):
        run = ftrun.start(*words, env={KEY_NAME: KEY})
        time.sleep(chance.uniform(0.2, 0.9))
        run.send_signal(signal.SIGKILL)
        run.communicate()
    done = ftrun.json(*words, env={KEY_NAME: KEY})
    assert not done["failed"]
    assert lasting(place) == expected
    assert (place.account.downloads - once - once).total() <= 4 * 8


def test_a_second_import_at_the_same_time_is_refused(opened: Open) -> None:
    """One folder, one import: the other one exits with 4 and names the process."""
    place = opened("hiroyuki", "dpo", latency=0.5)
    ftrun, words = Ftrun(place.folder), ("import", "--all", "--config", "account.yaml", "--yes")
    first = ftrun.start(*words, env={KEY_NAME: KEY})
    while not place.account.requests:
        time.sleep(0.01)
    second = ftrun.json(*words, code=4, env={KEY_NAME: KEY})
    assert second["error"]["code"] == "locked" and f"process {first.pid}" in second["error"]["message"]
    first.communicate()
    assert first.wait() == 0


def test_the_key_is_in_no_file(opened: Open) -> None:
    """Nothing that is written or printed holds the key, also where the server repeats it."""
    place = opened("hiroyuki")
    place.account.job("hiroyuki")["metadata"] = {"note": f"made with {KEY}"}
    job_id = place.account.job("hiroyuki")["id"]
    place.account.stock.events[job_id][0]["message"] = f"key {KEY} accepted"
    document = place.imported("--all")
    assert KEY not in json.dumps(document)
    assert all(KEY.encode() not in content for _, content in place.tree().values())
