"""Until when models can be used: as `plan`, `ls models` and `doctor --ci` say it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ftrun.cli import main
from ftrun.state import StateStore
from ftrun.state.model import JobRecord, State
from support.paid_project import Paid
from support.provider import model

Doctor = Callable[..., tuple[int, str]]
EXPERIMENT = """\
version: 1
name: {name}
target: openai
targets:
  openai: {{{target}}}
  local: {{provider: local, model: smollm2-135m-instruct}}
data: {{sources: [{{path: faq.csv}}]}}
prompt: {{user: "{{{{ q }}}}", assistant: "{{{{ a }}}}"}}
{more}"""
MINI = "provider: openai, model: gpt-4.1-mini-2025-04-14"
AZURE = "provider: azure, endpoint: 'https://contoso.openai.azure.com', model: gpt-4o-mini-2024-07-18"
TUNED = "ft:gpt-4.1-mini-2025-04-14:acme:faq:a1"


@pytest.fixture
def today(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that sets the day."""

    def set_day(day: str) -> None:
        monkeypatch.setattr("ftrun.cost.availability.today", lambda: date.fromisoformat(day))

    set_day("2026-12-01")
    return set_day


@pytest.fixture
def doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], today: Any
) -> Doctor:
    """Return a function that runs `ftrun doctor --ci` in `tmp_path` and gives exit code and stdout."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            main(["doctor", "--ci", *words])
        return int(str(end.value.code)), capfd.readouterr().out

    return run


def write(folder: Path, name: str, target: str = MINI, more: str = "", tuned: str | None = None) -> Path:
    """Write an experiment, and a state with a tuned model."""
    (folder / "configs").mkdir(parents=True, exist_ok=True)
    file = folder / "configs" / f"{name}.yaml"
    file.write_text(EXPERIMENT.format(name=name, target=target, more=more), encoding="utf-8")
    if tuned is not None:
        state = State(experiment=name, target="openai", file=f"configs/{name}.yaml", identity={})
        state.jobs["5" * 64] = JobRecord(
            job_id="j", status="succeeded", attempt=1, fine_tuned_model=tuned, created_at=1
        )
        StateStore(folder / "runs" / name / "openai").save(state)
    return file


def record(folder: Path, name: str, tuned: str) -> None:
    """Write recorded answers of a tuned model, as `ftrun rescue` does."""
    rescued = folder / "configs" / "rescued"
    rescued.mkdir(exist_ok=True)
    (rescued / f"{name}-openai.jsonl").write_text("{}\n")
    about = {"model": tuned, "date": "2026-11-20T10:00:00+00:00", "sha256": "0"}
    (rescued / f"{name}-openai.json").write_text(json.dumps(about))


def test_plan_tells_the_servers_dates_once(paid: Paid, today: Callable[[str], None]) -> None:
    """The target's model and the tuned one are asked for their ends; each is said once, with the fix."""
    paid.provider.models["m"]["shutdown_date"] = "2026-12-25"
    document = paid.json("plan", paid.config, "--yes")
    (note,) = [one for one in document["notes"] if "2026-12-25" in one]
    assert "m and the models tuned from it will be shut down on 2026-12-25, in 24 days" in note
    assert "(source: the server)" in note and "Record its answers with `ftrun rescue`" in note
    assert [(one["model"], one["ends"], one["ends_source"]) for one in document["ends"]] == [
        ("m", "2026-12-25", "server")
    ]
    paid.json("run", paid.config, "--yes")
    tuned = paid.provider.jobs["ftjob-1"]["fine_tuned_model"]
    paid.provider.models[tuned] = model(tuned, shutdown_date="2026-12-24")
    document = paid.json("plan", paid.config)
    assert {one["model"]: one["ends"] for one in document["ends"]} == {"m": "2026-12-25", tuned: "2026-12-24"}
    assert any(f"the tuned model {tuned} will be shut down on 2026-12-24" in one for one in document["notes"])


def test_plan_is_silent_where_nothing_is_known(paid: Paid, today: Callable[[str], None]) -> None:
    """Another server with a model that OpenAI shuts down, and one whose date is nonsense: no warning."""
    text = paid.config.read_text(encoding="utf-8").replace("model: m,", "model: gpt-4o-mini,")
    paid.config.write_text(text, encoding="utf-8")
    paid.provider.models["gpt-4o-mini"] = model("gpt-4o-mini", shutdown_date="whenever")
    today("2027-02-01")
    document = paid.json("plan", paid.config, "--yes")
    assert not [one for one in document["notes"] if "shut down" in one or "no new" in one]
    assert document["ends"][0]["ends"] is None


def test_plan_without_the_server_takes_the_table(azure: Paid, today: Callable[[str], None]) -> None:
    """Azure can't be reached: the dates are those of Microsoft's page, which says "not before"."""
    text = azure.config.read_text(encoding="utf-8").replace("model: m,", "model: gpt-4.1-mini,")
    azure.config.write_text(text, encoding="utf-8")
    today("2027-02-01")
    azure.server.close()
    document = azure.json("plan", azure.config, "--yes")
    notes = " | ".join(document["notes"])
    assert "remote not checked" in notes and "training gpt-4.1-mini may end from 2027-04-14 on" in notes
    assert "only customers who have trained there before" in notes
    (ends,) = document["ends"]
    assert (ends["ends"], ends["ends_source"], ends["ends_not_before"]) == ("2027-10-14", "table", True)


def test_plan_tells_what_azure_itself_says(azure: Paid, today: Callable[[str], None]) -> None:
    """Azure's own date for training replaces the page's, and the message says so."""
    text = azure.config.read_text(encoding="utf-8").replace("model: m,", "model: gpt-4.1-mini,")
    azure.config.write_text(text, encoding="utf-8")
    azure.provider.models["gpt-4.1-mini"] = model(
        "gpt-4.1-mini",
        capabilities={"fine_tune": True},
        deprecation={"fine_tune": 1_799_884_800, "inference": 1_700_000_000},
    )
    document = azure.json("plan", azure.config, "--yes")
    (ends,) = document["ends"]
    assert (ends["training_ends"], ends["training_ends_source"]) == ("2027-01-14", "server")
    assert (ends["ends"], ends["ends_source"]) == ("2027-10-14", "table")
    (note,) = [one for one in document["notes"] if "2027-01-14" in one]
    assert "training gpt-4.1-mini ends on 2027-01-14, in 44 days (source: the server)" in note


def test_ls_models_has_ends_and_their_source(azure: Paid, today: Callable[[str], None]) -> None:
    """A column says until when models answer and by whom; what nobody knows is empty."""
    azure.provider.models |= {
        "gpt-4o-mini": model("gpt-4o-mini"),
        "gpt-4.1": model("gpt-4.1", shutdown_date="2027-12-31"),
        "gpt-4o-mini.ft-1": model("gpt-4o-mini.ft-1", deprecation={"inference": 1_799_884_800}),
    }
    azure.json("plan", azure.config, "--yes")
    said = azure.run("ls", "models", azure.config)
    lines = {line.split()[0]: line for line in said.splitlines()}
    assert lines["gpt-4o-mini"].endswith("until 2027-10-01 or later (table)")
    assert lines["gpt-4.1"].endswith("until 2027-12-31 (server)")
    assert lines["gpt-4o-mini.ft-1"].endswith("until 2027-01-14 (server)")
    assert "until" not in lines["m"]
    found = {one["id"]: one for one in azure.json("ls", "models", azure.config)["models"]}
    assert (found["gpt-4.1"]["ends"], found["gpt-4.1"]["ends_source"]) == ("2027-12-31", "server")
    assert (found["m"]["ends"], found["m"]["ends_source"]) == (None, None)
    assert found["gpt-4o-mini"]["training_ends"] == "2027-04-01"


def test_ls_files_has_no_column_for_ends(paid: Paid) -> None:
    """Only models end."""
    paid.provider.add_file("a.jsonl")
    paid.json("plan", paid.config, "--yes")
    assert "answers" not in paid.run("ls", "files", paid.config).splitlines()[0]


def test_doctor_says_what_ends_soon_and_what_to_do(doctor: Doctor, tmp_path: Path) -> None:
    """Warnings exit with 0; tuned models are named, with whether their answers were recorded."""
    write(tmp_path, "faq", tuned=TUNED)
    write(tmp_path, "sums", tuned=f"{TUNED}b")
    record(tmp_path, "sums", f"{TUNED}b")
    write(tmp_path, "later", AZURE)
    code, said = doctor()
    assert code == 0
    assert said.startswith("2026-12-01, 3 experiments: 0 models over, 2 ending within 90 days, 4 not.")
    assert (
        "SOON  gpt-4.1-mini-2025-04-14 and the models tuned from it will be shut down on 2027-01-14" in said
    )
    assert f"configs/faq.yaml: {TUNED} at openai, answers not recorded" in said
    assert f"configs/sums.yaml: {TUNED}b at openai, answers recorded on 2026-11-20" in said
    assert "  ftrun rescue configs/faq.yaml\n" in said and "rescue configs/sums.yaml" not in said
    assert "  ftrun port configs/faq.yaml --to local\n" in said
    assert "gpt-4o-mini" not in said


def test_doctor_fails_for_what_is_over(doctor: Doctor, tmp_path: Path, today: Callable[[str], None]) -> None:
    """A model that is gone exits with 1, also in --json; its answers can no longer be recorded."""
    write(tmp_path, "old", "provider: openai, model: gpt-3.5-turbo-0125", tuned="ft:gpt-3.5-turbo-0125:a::x")
    write(tmp_path, "faq")
    code, said = doctor()
    assert code == 1 and said.index("OVER") < said.index("SOON") and "1 model over, 1 ending" in said
    assert "ftrun rescue" not in said and "ftrun port configs/old.yaml --to local" in said
    assert "ftrun run configs/faq.yaml --target local" in said
    code, said = doctor("--json")
    document = json.loads(said)
    assert (code, document["ok"], document["experiments"]) == (1, False, 2)
    statuses = {(one["experiment"], one["target"]): one["status"] for one in document["uses"]}
    assert statuses[("old", "openai")] == "over" and statuses[("faq", "openai")] == "soon"
    assert statuses[("faq", "local")] == "unknown"
    assert doctor("configs/faq.yaml")[0] == 0
    today("2027-01-14")
    assert doctor("configs/faq.yaml")[0] == 1


def test_doctor_takes_not_before_for_a_warning(doctor: Doctor, tmp_path: Path, today: Any) -> None:
    """After Azure's days nobody knows without asking: it says so, and exits with 0."""
    write(tmp_path, "faq", AZURE, tuned="gpt-4o-mini-2024-07-18.ft-12")
    today("2027-12-01")
    code, said = doctor()
    assert code == 0 and "OVER? models tuned from gpt-4o-mini-2024-07-18 may have been shut down" in said
    assert "ftrun rescue configs/faq.yaml" in said


def test_doctor_within_sets_how_early_it_warns(doctor: Doctor, tmp_path: Path) -> None:
    """`--within 30` says nothing of what ends in 36 days; `--within 400` knows of Azure's."""
    write(tmp_path, "faq")
    write(tmp_path, "sums", AZURE)
    assert "0 models over, 0 ending within 30 days" in doctor("--within", "30")[1]
    assert "training gpt-4o-mini-2024-07-18 may end from 2027-04-01" in doctor("--within", "400")[1]


def test_doctor_leaves_archives_and_replaced_experiments_in_peace(
    doctor: Doctor, tmp_path: Path, today: Callable[[str], None]
) -> None:
    """Once over, an imported experiment and one that was ported need nothing more; the new one has no end."""
    imported = "imported: {job_id: ftjob-1, fine_tuned_model: 'ft:m', date: '2026-11-28'}\n"
    write(tmp_path, "archive", more=imported, tuned=TUNED)
    write(tmp_path, "faq", tuned=f"{TUNED}b")
    today("2027-02-01")
    assert doctor()[0] == 1
    (tmp_path / "configs/faq-local.yaml").write_text("extends: faq.yaml\nname: faq-local\ntarget: local\n")
    code, said = doctor()
    assert code == 0 and "0 models over, 0 ending" in said and "To do" not in said
    today("2026-12-01")
    assert "answers not recorded" in doctor()[1]


def test_doctor_knows_the_candidates_of_an_evaluation(doctor: Doctor, tmp_path: Path, today: Any) -> None:
    """A model that is asked by its id and was shut down breaks the next evaluation; gpt-5.x doesn't."""
    more = (
        "eval:\n  models: [tuned, {name: nano, model: gpt-4.1-nano, target: openai}, "
        "{name: five, model: gpt-5.4, target: openai}]\n  prompts: [{id: a, user: b}]\n"
    )
    file = write(tmp_path, "faq", more=more)
    text = file.read_text(encoding="utf-8").replace("target: openai\ntargets", "target: local\ntargets")
    file.write_text(text, encoding="utf-8")
    code, said = doctor()
    assert code == 1 and "configs/faq.yaml: asked as candidate nano at openai" in said
    assert "ask another model in eval.models of configs/faq.yaml" in said
    assert "gpt-5.4" not in said and "gpt-4.1-mini" not in said  # a target that nothing uses


def test_doctor_names_a_model_without_data_once_and_does_not_port_it(
    doctor: Doctor, tmp_path: Path, today: Any
) -> None:
    """An imported experiment without data names its own tuned model as a candidate: it can be rescued."""
    file = write(tmp_path, "faq", tuned=TUNED)
    head = file.read_text(encoding="utf-8").partition("data:")[0]
    models = f"models: [{{name: tuned, model: '{TUNED}'}}, base], prompts: [{{id: a, user: b}}]"
    imported = f"{{job_id: j, fine_tuned_model: '{TUNED}', date: '2026-11-20', missing: [training_file]}}"
    file.write_text(f"{head}eval: {{{models}}}\nimported: {imported}\n", encoding="utf-8")
    code, said = doctor()
    assert code == 0 and said.count("configs/faq.yaml: ") == 1
    assert "ftrun rescue configs/faq.yaml" in said and "ftrun port" not in said


def test_doctor_says_which_models_it_knows_nothing_of(doctor: Doctor, tmp_path: Path) -> None:
    """A deployment with a name of its own is no warning, but silence would look like an all-clear."""
    named = "provider: azure, endpoint: 'https://contoso.openai.azure.com', model: our-model"
    write(tmp_path, "faq", named)
    write(
        tmp_path,
        "here",
        "provider: openai, base_url: 'http://127.0.0.1:11434/v1', api_key_env: K, model: gpt-4o",
    )
    code, said = doctor()
    assert code == 0 and "0 models over, 0 ending" in said
    assert said.count("no end is known") == 1 and "note: no end is known of our-model at Azure" in said


def test_doctor_reports_broken_files_besides(doctor: Doctor, tmp_path: Path) -> None:
    """A file that can't be read exits with 2 and doesn't hide the others; a base without a name is none."""
    write(tmp_path, "faq")
    (tmp_path / "configs/broken.yaml").write_text("name: [\n")
    (tmp_path / "configs/base.yaml").write_text("version: 1\ntargets: {o: {provider: openai, model: m}}\n")
    assert doctor("configs/nothing.yaml") == (2, "configs/nothing.yaml:1: there is no such file\n")
    code, said = doctor()
    assert code == 2 and "SOON" in said and "\nconfigs/broken.yaml:2: this is not valid YAML" in said
    (tmp_path / "configs/broken.yaml").unlink()
    assert doctor()[0] == 0
    (tmp_path / "runs/faq/openai").mkdir(parents=True)
    (tmp_path / "runs/faq/openai/state.json").write_text("{")
    code, said = doctor()
    assert code == 0 and "note: " in said and "state.json" in said


def test_doctor_in_an_empty_folder_says_so(doctor: Doctor) -> None:
    """Nothing to check is no failure."""
    assert doctor() == (0, "There is no experiment file in configs/ or imported/configs/.\n")


def test_many_experiments_stay_readable(doctor: Doctor, tmp_path: Path) -> None:
    """Forty experiments on one model are one paragraph, and one command for all."""
    for number in range(40):
        write(tmp_path, f"e{number:02}", tuned=f"{TUNED}{number}")
    code, said = doctor()
    assert code == 0 and len(said.splitlines()) < 30
    assert "and 34 more; `--json` lists all" in said and "  ftrun rescue --all\n" in said


def test_doctor_without_ci_takes_no_experiment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Without --ci it checks the machine; what belongs to --ci is refused with the right command."""
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "faq")
    with pytest.raises(SystemExit) as end:
        main(["doctor", "configs/faq.yaml"])
    assert end.value.code == 2 and "doctor --ci" in capfd.readouterr().err
