"""`ftrun port`: an experiment trained elsewhere, and compared with the recorded answers of its model."""

from __future__ import annotations

import json
import shlex
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from conftest import Ftrun
from support.paid_project import Paid
from support.ported import ROWS, OldExperiment, chat, lines

PORT = ("port", "configs/desk.yaml", "--to", "new")
DRY = (*PORT, "--dry-run")
NEW = "configs/desk-new.yaml"
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]


class Port:
    """Runs ftrun in this process, in a project whose target `new` is a provider in memory."""

    def __init__(self, paid: Paid) -> None:
        self.paid, self.folder, self.provider = paid, paid.folder, paid.provider

    def json(self, *words: str, code: int = 0) -> dict[str, Any]:
        """Run a command with --json and return its document; paid work is agreed to."""
        agreed = () if "--dry-run" in words or words[0] == "check" else ("--yes",)
        return self.paid.json(*words, *agreed, code=code)

    def text(self, *words: str, code: int = 0) -> tuple[str, str]:
        """Run a command for people and return stdout and stderr."""
        shown = self.paid.run(*words, code=code)
        return shown, self.paid.error


@pytest.fixture
def port(paid: Paid) -> Port:
    """Return the command line in the project's folder."""
    return Port(paid)


@pytest.fixture
def old(port: Port) -> OldExperiment:
    """Return the old experiment, imported and with twenty recorded answers."""
    text = yaml.safe_load(port.paid.config.read_text(encoding="utf-8"))
    port.paid.config.unlink()
    made = OldExperiment(folder=port.folder, targets={"new": text["targets"]["paid"]})
    made.write()
    made.rescue([True] * 20)
    return made


def rows(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the mapping by key; of several with one key, the last."""
    return {one["key"]: one for one in document["mapping"]}


def test_it_trains_there_and_compares_old_new_and_base(port: Port, old: OldExperiment) -> None:
    """A new file extends the old one, and says what changed and why; it is run, and the margin is shown."""
    old.rescue([True] * 80, expect="です")
    done = port.json(*PORT)
    assert done["config"] == NEW
    assert old.new == {
        "version": 1,
        "name": "desk-new",
        "extends": "desk.yaml",
        "description": "desk on new instead of openai.",
        "target": "new",
        "data": {"checks": {"recall": "off"}},
        "train": {"hyperparameters": {"learning_rate_multiplier": "auto"}},
        "eval": {
            "models": ["tuned", "base", {"name": "old", "answers": "rescued/desk-openai.jsonl"}],
            "prompts": [{"path": "rescued/desk-openai.questions.jsonl"}],
            "gates": ["tuned.pass_rate >= old.pass_rate - 0.05 @95%"],
        },
    }
    run = done["run"]
    assert (run["experiment"], run["target"], run["status"]) == ("desk-new", "new", "done")
    assert list(run["metrics"]) == ["tuned", "base", "old"] and Path(run["report"]).exists()
    assert done["verdict"]["decision"] == "ship"
    shown = done["non_inferiority"]
    assert (shown["metric"], shown["margin"], shown["shown"], shown["n"]) == ("pass_rate", 0.05, True, 80)
    assert shown["low"] > -0.05 and shown["difference"] == 0 and shown["high"] < 0.05
    assert shown["sentence"].startswith("Shown: tuned is at most 5 points worse than old in pass_rate")
    report = (port.folder / "runs/desk-new/new/report.md").read_text(encoding="utf-8")
    assert "80" in report
    assert (port.folder / "runs/desk-new/new/train.jsonl").read_bytes() == (
        port.folder / "configs/data/train.jsonl"
    ).read_bytes()


def test_again_nothing_is_written_or_trained_and_the_file_works_alone(port: Port, old: OldExperiment) -> None:
    """The same values: the same file, and every stage is skipped; a missed margin is exit 5 each time."""
    first = port.json(*PORT, code=5)
    file = port.folder / NEW
    text, stamp = file.read_text(encoding="utf-8"), file.stat().st_mtime_ns
    assert first["non_inferiority"]["result"] == "worse"
    again = port.json(*PORT, code=5)
    assert {one["action"] for one in again["run"]["stages"].values()} == {"skip"}
    assert again["non_inferiority"] == first["non_inferiority"]
    assert (file.read_text(encoding="utf-8"), file.stat().st_mtime_ns) == (text, stamp)
    alone = port.json(NEW, code=5)
    assert alone["job_id"] == first["run"]["job_id"]
    file.write_text(f"# a comment of a person\n{text}", encoding="utf-8")
    assert port.json(*PORT, code=5)["run"]["job_id"] == first["run"]["job_id"]


def test_other_values_and_edited_files_are_never_overwritten(port: Port, old: OldExperiment) -> None:
    """Exit 4 says what differs and how to go on; another name goes on; a foreign file is left alone."""
    port.json(*PORT, code=5)
    before = (port.folder / NEW).read_bytes()
    refused = port.json(*PORT, "--margin", "0.2", code=4)["error"]
    assert (refused["code"], refused["file"]) == ("port_exists", NEW)
    assert 'eval.gates is ["tuned.pass_rate >= old.pass_rate - 0.05 @95%"] there' in refused["message"]
    assert f"ftrun {NEW}" in refused["hint"] and refused["hint"].endswith("--margin 0.2 --name OTHER")
    other = port.json(*PORT, "--margin", "0.2", "--name", "desk-2", code=5)
    assert (other["config"], other["run"]["experiment"]) == ("configs/desk-2.yaml", "desk-2")
    edited = before.replace(b"learning_rate_multiplier: auto", b"learning_rate_multiplier: 2")
    (port.folder / NEW).write_bytes(edited)
    refused = port.json(*PORT, code=4)["error"]
    assert "train.hyperparameters.learning_rate_multiplier is 2 there, auto now" in refused["message"]
    foreign = port.folder / "configs/mine.yaml"
    foreign.write_text("version: 1\nname: mine\n", encoding="utf-8")
    refused = port.json(*PORT, "--name", "mine", code=4)["error"]
    assert "is not a port of configs/desk.yaml" in refused["message"]
    (port.folder / "configs/desk-2.yaml").rename(port.folder / "configs/moved.yaml")
    port.json("configs/moved.yaml", "--set", "eval.gates=[]")
    refused = port.json(*PORT, "--name", "desk-2", code=4)["error"]
    assert refused["file"] == "configs/moved.yaml" and "is called desk-2" in refused["message"]
    assert not (port.folder / "configs/desk-2.yaml").exists()
    assert (port.folder / NEW).read_bytes() == edited and foreign.read_text() == "version: 1\nname: mine\n"


def test_a_dry_run_shows_everything_and_writes_nothing(port: Port, old: OldExperiment) -> None:
    """The mapping with its reasons, what so few questions can't show, and the file."""
    document = port.json(*DRY)
    found = rows(document)
    assert found["model"]["from"] == "gpt-4o-mini-2024-07-18" and found["model"]["to"] == "m"
    assert all(one["reason"] for one in document["mapping"])
    assert document["run"] is None
    (note,) = (one for one in document["notes"] if one.startswith("With 20 questions"))
    assert "a margin of 0.05 can't be shown" in note and "needs 73 questions" in note
    shown, _ = port.text(*DRY)
    assert "gates:" in shown and "US$" in shown
    for one in document["mapping"]:
        assert one["reason"] in shown
    assert sorted(path.name for path in (port.folder / "configs").iterdir()) == [
        "data",
        "desk.yaml",
        "rescued",
    ]
    assert not (port.folder / "runs").exists()


def test_without_recorded_answers_it_says_how_to_record_them(port: Port, old: OldExperiment) -> None:
    """The exact command; for a model that is gone, an option, and what the verdict then can't say."""
    (port.folder / "configs/rescued/desk-openai.jsonl").unlink()
    refused = port.json(*PORT, code=2)["error"]
    assert refused["code"] == "no_recorded_answers"
    assert "ftrun rescue configs/desk.yaml --target openai" in refused["hint"]
    assert "--without-old" in refused["hint"]
    document = port.json(*DRY, "--without-old")
    assert any("not whether the new model is as good as the old one" in one for one in document["notes"])
    assert rows(document)["eval.recall_sample"]["to"] == 20
    old.write(validation=[chat(f"検証{number}", "はい") for number in range(12)])
    done = port.json(*PORT, "--without-old")
    assert done["non_inferiority"] is None and list(done["run"]["metrics"]) == ["tuned", "base"]
    assert old.new["eval"]["prompts"] == [{"path": "data/desk-new.questions.jsonl"}]
    assert port.json(*PORT, "--without-old")["run"]["job_id"] == done["run"]["job_id"]


def test_everything_without_a_counterpart_is_refused_at_once(port: Port, old: OldExperiment) -> None:
    """One answer with all findings, each with its fix; nothing is written."""
    local = {"provider": "local", "model": "smollm2-135m-instruct"}
    pairs = [
        {
            "input": {"messages": [{"role": "user", "content": f"q{number}"}]},
            "preferred_output": [{"role": "assistant", "content": "a"}],
            "non_preferred_output": [{"role": "assistant", "content": "b"}],
        }
        for number in range(12)
    ]
    train = {"method": "dpo", "hyperparameters": {"beta": 0.1}, "continue_from": "ft:m:org::earlier"}
    old.write(rows=pairs, targets={"new": local}, train=train)
    refused = port.json(*PORT, code=2)
    problems = {one["message"].partition(":")[0]: one for one in refused["errors"]}
    assert problems.keys() == {"train.method", "train.continue_from"}
    assert {one["code"] for one in refused["errors"]} == {"no_counterpart"}
    assert all(one["hint"] for one in refused["errors"])
    assert {one["key"] for one in refused["mapping"] if one["status"] == "refused"} == problems.keys()
    assert not (port.folder / NEW).exists()


def test_rows_that_the_target_cannot_train_on_are_asked_about(port: Port, old: OldExperiment) -> None:
    """How many and the first; with the option they are left out into a file of its own, else exit 4."""
    local = {"provider": "local", "model": "smollm2-135m-instruct"}
    some = [*ROWS, chat("道具", "はい", tools=TOOLS), chat("道具2", "はい", tools=TOOLS)]
    old.write(rows=some, targets={"new": local})
    refused = port.json(*PORT, code=4)
    (row,) = (one for one in refused["mapping"] if one["status"] == "asked")
    assert row["from"] == "2 rows, the first at configs/data/train.jsonl:15"
    assert "tools" in row["reason"]
    assert refused["error"]["code"] == "rows_lost" and "--leave-out-rows" in refused["error"]["hint"]
    assert not (port.folder / NEW).exists()
    port.json(*DRY, code=4)
    document = port.json(*DRY, "--leave-out-rows")
    (row,) = (one for one in document["mapping"] if one["key"] == "rows")
    assert row["status"] == "dropped"
    assert "data/desk-new.train.jsonl" in port.text(*DRY, "--leave-out-rows")[0]


def test_left_out_rows_are_left_out_of_the_file(port: Port, old: OldExperiment) -> None:
    """The other lines stay byte for byte, and a changed file is not overwritten."""
    old.write(rows=[*ROWS[:7], {"messages": []}, *ROWS[7:]])
    port.json(*PORT, "--leave-out-rows", code=5)
    made = port.folder / "configs/data/desk-new.train.jsonl"
    assert made.read_text(encoding="utf-8") == lines(ROWS)
    port.json(*PORT, "--leave-out-rows", code=5)
    made.write_text(lines(ROWS[:12]), encoding="utf-8")
    refused = port.json(*PORT, "--leave-out-rows", code=4)["error"]
    assert (refused["code"], refused["file"]) == ("port_exists", "configs/data/desk-new.train.jsonl")
    assert made.read_text(encoding="utf-8") == lines(ROWS[:12])


def test_too_few_rows_left_are_refused(port: Port, old: OldExperiment) -> None:
    """The provider's minimum is known before anything is written."""
    old.write(rows=[*ROWS[:9], *({"messages": []} for _ in range(5))])
    refused = port.json(*DRY, "--leave-out-rows", code=2)
    assert "without these rows 9 would be left to train on, 10 are needed" in refused["error"]["message"]
    assert "data.sources=" in refused["error"]["hint"]
    (port.folder / "configs/data/copy.jsonl").write_text(lines(ROWS), encoding="utf-8")
    found = rows(port.json(*DRY, "--set", "data.sources=[{path: data/copy.jsonl}]"))
    assert found["data.sources"]["reason"] == "set with --set"


def test_an_ordinary_experiment_keeps_its_rows_and_its_split(port: Port, old: OldExperiment) -> None:
    """Templates and split are inherited: the training file is the one that the old target got."""
    (port.folder / "configs/desk.csv").write_text(
        "q,a\n" + "".join(f"教えて{number},はい{number}\n" for number in range(30)), encoding="utf-8"
    )
    old.write(
        data={"sources": [{"path": "desk.csv"}], "split": {"validation": 4, "test": 4, "seed": 7}},
        prompt={"user": "{{ q }}", "assistant": "{{ a }}"},
        eval={
            "models": ["tuned", "base", "few-shot"],
            "test_set": True,
            "gates": ["tuned.exact_match > few-shot.exact_match", "tuned.exact_match >= 0"],
        },
    )
    found = port.json(*PORT, code=5)
    mapping = rows(found)
    assert mapping["data.split.validation"]["to"] == "4"
    assert mapping["eval.test_set"]["from"] is True and old.new["eval"]["test_set"] is False
    assert "few-shot" in mapping["eval.models"]["reason"]
    dropped = [one for one in found["mapping"] if one["status"] == "dropped"]
    assert [one["from"] for one in dropped] == [
        "tuned.exact_match > few-shot.exact_match",
        "tuned.exact_match >= 0",
    ]
    assert "tuned.exact_match >= 0" not in old.new["eval"]["gates"]
    prepared = (port.folder / "runs/desk-new/new/train.jsonl").read_bytes()
    assert prepared.count(b"\n") == 22


def test_a_refused_row_of_an_ordinary_experiment_has_its_place(port: Port, old: OldExperiment) -> None:
    """Rows of templates can't be left out for the user: they are refused with the first place."""
    (port.folder / "configs/desk.csv").write_text(
        "q,a\n" + "".join(f"教えて{number},{'はい' if number else ''}\n" for number in range(30)),
        encoding="utf-8",
    )
    old.write(data={"sources": [{"path": "desk.csv"}]}, prompt={"user": "{{ q }}", "assistant": "{{ a }}"})
    refused = port.json(*DRY, code=2)
    assert "1 row, the first at configs/desk.csv:2" in refused["error"]["message"]


def test_the_target_may_be_in_another_file(port: Port, old: OldExperiment) -> None:
    """It is copied into the new file; an unknown one, two that differ, and the old one itself are refused."""
    other = port.folder / "account.yaml"
    there = {"provider": "local", "model": "rehearsal"}
    text: dict[str, Any] = {"version": 1, "name": "account", "targets": {"there": there}}
    other.write_text(yaml.safe_dump(text), encoding="utf-8")
    words = ("port", "configs/desk.yaml", "--dry-run")
    refused = port.json(*words, "--to", "there", code=2)["error"]
    assert refused["code"] == "unknown_target" and "--config FILE" in refused["hint"]
    shown, _ = port.text(*words, "--to", "there", "--config", "account.yaml")
    assert "model of target there in account.yaml" in shown and "model: rehearsal" in shown
    assert port.json(*words, "--to", "elsewhere", "--config", "account.yaml", code=2)["error"]["code"] == (
        "unknown_target"
    )
    assert port.json(*words, "--to", "openai", code=2)["error"]["code"] == "same_target"
    text["targets"] = {"new": {**there, "concurrency": 2}}
    other.write_text(yaml.safe_dump(text), encoding="utf-8")
    assert (
        port.json(*words, "--to", "new", "--config", "account.yaml", code=2)["error"]["code"] == "two_targets"
    )


def test_the_built_in_target_needs_no_file(port: Port, old: OldExperiment) -> None:
    """`--to local` is the built-in model; --set chooses another, and is written into the file."""
    words = ("port", "configs/desk.yaml", "--dry-run", "--to", "local")
    found = rows(port.json(*words))
    assert found["model"]["to"] == "smollm2-135m-instruct"
    chosen = ("--set", "targets.local.model=rehearsal", "--set", "budget.usd=3")
    document = port.json(*words, *chosen)
    assert rows(document)["model"]["to"] == "rehearsal"
    assert rows(document)["budget.usd"] == {
        "key": "budget.usd",
        "from": None,
        "to": 3,
        "reason": "set with --set",
        "status": "changed",
    }
    text, _ = port.text(*words, *chosen)
    assert "model: rehearsal" in text and "usd: 3" in text


def test_sampling_is_that_of_the_recorded_answers(port: Port, old: OldExperiment) -> None:
    """Else the two would answer under different settings."""
    old.rescue([True] * 20, sampling={"temperature": 1, "max_tokens": 256, "seed": None})
    found = rows(port.json(*DRY))
    assert (found["eval.sampling.temperature"]["from"], found["eval.sampling.temperature"]["to"]) == (0, 1)
    assert found["eval.sampling.seed"]["to"] is None


def test_a_metric_and_a_margin_can_be_chosen(port: Port, old: OldExperiment) -> None:
    """Points have another usual margin, a plain number none; nonsense is refused."""
    asked = [{"id": f"q{number}", "user": "質問", "reference": "はい"} for number in range(20)]
    old.rescue([True] * 20, questions=asked)
    found = rows(port.json(*DRY))
    assert found["eval.gates"]["to"] == "tuned.chrf >= old.chrf - 5 @95%"
    chosen = rows(port.json(*DRY, "--metric", "exact_match", "--margin", "0.1"))
    assert chosen["eval.gates"]["to"] == "tuned.exact_match >= old.exact_match - 0.1 @95%"
    assert port.json(*DRY, "--metric", "seconds", code=2)["error"]["code"] == "margin"
    slow = rows(port.json(*DRY, "--metric", "seconds", "--margin", "2"))
    assert slow["eval.gates"]["to"] == "tuned.seconds <= old.seconds + 2 @95%"
    assert port.json(*DRY, "--metric", "nothing", code=2)["error"]["code"] == "unknown_metric"
    vain = port.json(*DRY, "--metric", "exact_match", "--margin", "5", code=2)["error"]
    assert vain["code"] == "margin" and "--margin 0.05" in vain["hint"]
    assert port.json(*DRY, "--margin", "100", code=2)["error"]["hint"] == "5 points are --margin 5."
    for margin in ("0", "-1", "nan", "inf"):
        assert port.json(*DRY, "--margin", margin, code=2)["error"]["code"] == "margin"


def test_a_margin_that_lets_everything_learned_go_is_pointed_out(port: Port, old: OldExperiment) -> None:
    """By the recorded answers of the old model and its base."""
    old.rescue([True] * 20, base=[False] * 20)
    notes = port.json(*DRY)["notes"]
    assert not any("better than its base" in one for one in notes)
    (note,) = (one for one in port.json(*DRY, "--margin", "0.6")["notes"] if "better than its base" in one)
    assert "by 1 in pass_rate" in note and "a margin of 0.6" in note
    old.rescue([True] * 20, base=[True] * 20)
    assert any("no better than its base" in one for one in port.json(*DRY)["notes"])


def test_questions_of_the_training_data_are_called_recall(port: Port, old: OldExperiment) -> None:
    """The verdict rests on others where there are any; where there are none, that is said."""
    taught = [
        {"id": f"t{number}", "user": f"教えて{number}", "system": None, "expect": {"contains": "はい"}}
        for number in range(10)
    ]
    held_out = [
        {**one, "id": f"h{number}", "user": f"別の話{number}です"} for number, one in enumerate(taught)
    ]
    old.rescue([True] * 20, questions=[*taught, *held_out])
    found = rows(port.json(*DRY))
    reason = "rests on 10 held-out questions, not on the 10 of the training data"
    assert reason in found["eval.metric"]["reason"]
    old.rescue([True] * 10, questions=taught)
    document = port.json(*DRY)
    assert "rests on 10 questions of the training data alone" in rows(document)["eval.metric"]["reason"]
    assert any("what both models memorized" in one for one in document["notes"])


def test_training_on_the_old_answers_asks_none_of_their_questions(port: Port, old: OldExperiment) -> None:
    """They are added as far as they say something else; only held-out questions are asked."""
    taught = [
        {"id": f"t{number}", "user": f"教えて{number}", "system": None, "expect": {"contains": "はい"}}
        for number in range(3)
    ]
    asked = [*taught, *({**one, "id": f"h{n}", "user": f"別の話{n}です"} for n, one in enumerate(taught))]
    old.rescue([True, False, True, True, True, True], questions=asked)
    done = port.json(*PORT, "--with-answers", code=5)
    made = port.folder / "configs/data/desk-new.train.jsonl"
    added = made.read_text(encoding="utf-8").removeprefix(lines(ROWS)).splitlines()
    assert [json.loads(line)["messages"][0]["content"] for line in added] == ["教えて0", "教えて1", "教えて2"]
    questions = (port.folder / "configs/data/desk-new.questions.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line)["id"] for line in questions.splitlines()] == ["h0", "h1", "h2"]
    assert done["run"]["metrics"]["tuned"]["asked"] == 3
    assert "terms" in port.text(*PORT, "--with-answers", "--yes", code=5)[1]
    old.rescue([True, True, True], questions=taught)
    refused = port.json(*PORT, "--with-answers", "--name", "other", code=2)["error"]
    assert "nothing would be left to ask" in refused["message"]


def test_what_was_continued_from_must_be_ported_first(port: Port, old: OldExperiment) -> None:
    """The earlier experiment is named with the command; once it is ported, its new model is the start."""
    earlier = "ft:m:org::earlier"
    text = yaml.safe_load(old.config.read_text(encoding="utf-8"))
    text |= {"name": "first", "imported": {"job_id": "ftjob-0", "fine_tuned_model": earlier}}
    (port.folder / "configs/first.yaml").write_text(yaml.safe_dump(text), encoding="utf-8")
    old.write(train={"continue_from": earlier})
    refused = port.json(*DRY, code=2)["error"]
    assert "ftrun port configs/first.yaml --to new" in refused["hint"]
    from_base = rows(port.json(*DRY, "--set", "train.continue_from=null"))
    assert from_base["train.continue_from"]["to"] is None
    port.json("port", "configs/first.yaml", "--to", "new", "--without-old")
    found = rows(port.json(*DRY))
    assert found["train.continue_from"]["to"] == "first-new.yaml"


def test_an_experiment_without_its_data_cannot_be_ported(port: Port, old: OldExperiment) -> None:
    """The training file was gone when it was imported."""
    old.config.write_text(
        yaml.safe_dump(
            {
                "version": 1,
                "name": "desk",
                "targets": {"openai": {"provider": "openai", "model": "m"}},
                "eval": {"models": ["base"], "general": True},
                "imported": {"job_id": "ftjob-1", "fine_tuned_model": "ft", "missing": ["training_file"]},
            }
        ),
        encoding="utf-8",
    )
    refused = port.json("port", "configs/desk.yaml", "--to", "local", code=2)["error"]
    assert refused["code"] == "no_data" and "training file" in refused["message"]


def test_an_experiment_that_was_never_trained_has_nothing_to_replace(port: Port, old: OldExperiment) -> None:
    """The tip trains it on the new target."""
    text = yaml.safe_load(old.config.read_text(encoding="utf-8"))
    del text["imported"]
    old.config.write_text(yaml.safe_dump(text), encoding="utf-8")
    refused = port.json(*PORT, code=2)["error"]
    assert refused["code"] == "no_model"
    assert shlex.split(refused["hint"].partition(": ")[2])[:2] == ["ftrun", "run"]


def test_a_new_target_that_ends_soon_is_warned_about(
    port: Port, old: OldExperiment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the dates that ftrun knows, before anything is trained there."""
    monkeypatch.setattr("ftrun.cost.availability.today", lambda: date(2026, 11, 29))
    old.write(targets={"new": {"provider": "openai", "model": "gpt-4.1-mini-2025-04-14"}})
    notes = port.json(*DRY)["notes"]
    assert any("gpt-4.1-mini-2025-04-14" in one and "2027-01-14" in one for one in notes)


def test_azure_keeps_the_multiplier_and_needs_its_base_deployed(port: Port, old: OldExperiment) -> None:
    """The rates are OpenAI's; what must be deployed to be asked is said."""
    azure = {"provider": "azure", "endpoint": "https://a.openai.azure.com", "model": "gpt-4.1-mini"}
    old.write(targets={"new": azure})
    document = port.json(*DRY)
    assert rows(document)["train.hyperparameters.learning_rate_multiplier"]["to"] == 1.8
    assert any("must be deployed under the name gpt-4.1-mini" in one for one in document["notes"])


def test_a_paid_target_shows_its_price_and_asks_first(port: Port, old: OldExperiment) -> None:
    """Without a terminal, --yes or a budget nothing is paid; the mapping is shown and the file written."""
    paid = port.paid
    refused = paid.json(*PORT, code=4)
    assert refused["run"]["status"] == "blocked" and not port.provider.jobs
    assert rows(refused)["train.hyperparameters.learning_rate_multiplier"]["to"] == "auto"
    paid.run("plan", NEW, "--yes")
    _, shown = port.text(*PORT, code=4)
    assert "estimate:" in shown and "US$" in shown and not port.provider.jobs
    done = port.json(*PORT, code=5)
    assert len(port.provider.jobs) == 1 and done["run"]["status"] == "done"
    (request,) = port.provider.created
    assert request["method"]["supervised"]["hyperparameters"] == {
        "n_epochs": 2,
        "batch_size": 1,
        "learning_rate_multiplier": "auto",
    }
    answers = port.provider.answers
    port.json(*PORT, code=5)
    assert len(port.provider.jobs) == 1 and port.provider.answers == answers


def test_the_engine_does_it_too(tmp_path: Path) -> None:
    """A rehearsal goes through every stage, and the free target asks nobody."""
    old, ftrun = OldExperiment(folder=tmp_path), Ftrun(tmp_path)
    old.write(validation=[chat(f"検証{number}", "はい") for number in range(4)])
    old.rescue([True] * 80, expect="質問")
    done = ftrun(*PORT)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith(
        "Shown: tuned is at most 5 points worse than old in pass_rate"
    )
    assert "elsewhere" not in done.stdout and "configs/desk-new.yaml written" in done.stderr


@pytest.mark.slow
def test_the_built_in_model_learns_what_the_old_one_knew(tmp_path: Path) -> None:
    """Sixteen ready rows, trained on this machine: the new model is compared with the old one."""
    old, ftrun = OldExperiment(folder=tmp_path), Ftrun(tmp_path)
    facts = [chat(f"Say the word number {number}.", "marmalade") for number in range(16)]
    old.write(rows=facts, train={"hyperparameters": {"n_epochs": 3, "batch_size": 4}})
    asked = [
        {
            "id": f"q{number}",
            "user": f"Please say word {number} now.",
            "system": None,
            "expect": {"contains": "marmalade"},
        }
        for number in range(12)
    ]
    old.rescue([True] * 12, expect="marmalade", questions=asked)
    words = ("port", "configs/desk.yaml", "--to", "local", "--margin", "0.5")
    done = ftrun(*words, "--json")
    document = json.loads(done.stdout)
    assert document["run"]["fine_tuned_model"].startswith("ft:smollm2-135m-instruct:")
    metrics = document["run"]["metrics"]
    assert metrics["tuned"]["pass_rate"] > metrics["base"]["pass_rate"]
    assert document["non_inferiority"]["shown"] is (done.returncode == 0)
