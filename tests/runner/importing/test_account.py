"""What is left of an account of tuned models: ends, data, what is saved here, and where they could go."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from ftrun.cli.import_list import account_lines
from ftrun.experiment.target import Price, Target
from ftrun.runner.importing.account import Account, account_of
from ftrun.runner.importing.destinations import elsewhere
from ftrun.runner.importing.file_store import origin_of
from ftrun.runner.importing.saved import Saved, saved_here
from ftrun.state import StateStore
from ftrun.state.model import JobRecord, StageRecord, State
from ftrun.targets.api import ApiService
from support.provider import KEY, model
from support.scripted_server import Answer, Asked, ScriptedServer, listed, refusal

MINI = "gpt-4o-mini-2024-07-18"
OPENAI = Target(name="openai", provider="openai", model=MINI)
DAY = date(2026, 11, 29)
Script = Callable[[Asked], Answer]


def tuned(number: int, base: str = MINI, **more: Any) -> dict[str, Any]:
    """Return a job that succeeded."""
    return {
        "id": f"ftjob-{number}",
        "object": "fine_tuning.job",
        "model": base,
        "status": "succeeded",
        "created_at": 1_700_000_000 + number,
        "training_file": f"file-{number}",
        "validation_file": None,
        "fine_tuned_model": f"ft:{base}:acme:s{number}:x{number}",
        "trained_tokens": 1_000_000,
        "result_files": [],
        "hyperparameters": {"n_epochs": 3},
        **more,
    }


def remote(number: int, **more: Any) -> dict[str, Any]:
    """Return an uploaded file."""
    return {"id": f"file-{number}", "object": "file", "filename": f"{number}.jsonl", "bytes": 40_000, **more}


@dataclasses.dataclass(slots=True, kw_only=True)
class Lists:
    """A server with nothing but the three lists, paged as OpenAI pages them."""

    jobs: list[dict[str, Any]]
    files: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    models: list[dict[str, Any]] | None = dataclasses.field(default_factory=list)
    latency: float = 0.0
    refused: tuple[str, ...] = ()

    def __call__(self, asked: Asked) -> Answer:
        time.sleep(self.latency)
        if asked.path in self.refused:
            return refusal(403)
        if asked.path == "/models":
            return listed(self.models or [])
        entries = {"/fine_tuning/jobs": self.jobs, "/files": self.files}.get(asked.path)
        if entries is None:
            return refusal(404)
        after = asked.query.get("after")
        start = 1 + next((i for i, one in enumerate(entries) if one["id"] == after), -1)
        page = entries[start : start + int(asked.query.get("limit", 20))]
        return Answer({"object": "list", "data": page, "has_more": start + len(page) < len(entries)})


@pytest.fixture
def look(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Account]]:
    """Yield a function that takes the inventory of a script's server."""
    monkeypatch.setattr("ftrun.targets.api.connection.READ_RETRIES", 0)
    made: list[tuple[ScriptedServer, ApiService]] = []

    def take(script: Script, *, target: Target = OPENAI, saved: Saved | None = None, **more: Any) -> Account:
        server = ScriptedServer(script)
        service = ApiService(base_url=server.base_url, key=KEY, organization=None, project=None)
        made.append((server, service))
        return account_of(service, target, saved or Saved(), day=DAY, **more)

    yield take
    for server, service in made:
        service.close()
        server.close()


def test_what_ends_first_comes_first(look: Callable[..., Account]) -> None:
    """Models are in the order of their ends, by the server's word where there is one; jobs without a model
    are only counted.
    """
    account = look(
        Lists(
            jobs=[
                tuned(5, "gpt-9"),
                tuned(4),
                tuned(3),
                tuned(2, "gpt-3.5-turbo-0125"),
                tuned(1, status="failed", fine_tuned_model=None),
                tuned(0, status="running", fine_tuned_model=None),
            ],
            files=[remote(4), remote(3), remote(2), remote(5)],
            models=[
                model(MINI),
                *(model(tuned(number)["fine_tuned_model"]) for number in (3,)),
                model(tuned(4)["fine_tuned_model"], shutdown_date="2026-12-31"),
                model(tuned(5, "gpt-9")["fine_tuned_model"]),
            ],
        )
    )
    found = [(one["job_id"], one["ends"], one["ends_source"]) for one in account.as_dict()["models"]]
    assert found == [
        ("ftjob-2", "2026-10-23", "table"),
        ("ftjob-4", "2026-12-31", "server"),
        ("ftjob-3", "2027-01-14", "table"),
        ("ftjob-5", None, None),
    ]
    assert (account.failed, account.running) == (1, 1)
    assert [one.listed for one in account.models] == [False, True, True, True]
    assert not any(one.gone for one in account.models)  # 2026-10-23 says enough


def test_the_bases_date_is_the_tuned_models_too(look: Callable[..., Account]) -> None:
    """OpenAI gives `shutdown_date` for the base: the models tuned from it go with it."""
    models = [model(MINI, shutdown_date="2027-01-20"), model(tuned(1)["fine_tuned_model"])]
    (one,) = look(Lists(jobs=[tuned(1)], files=[remote(1)], models=models)).as_dict()["models"]
    assert (one["ends"], one["ends_source"]) == ("2027-01-20", "server")


def test_a_deleted_model_is_gone(look: Callable[..., Account]) -> None:
    """A tuned model that the server no longer lists before its day comes last, without a date."""
    lists = Lists(jobs=[tuned(1), tuned(2)], files=[remote(1)], models=[model(tuned(2)["fine_tuned_model"])])
    account = look(lists)
    assert [(one.job.id, one.gone) for one in account.models] == [("ftjob-2", False), ("ftjob-1", True)]
    text = list(account_lines(account, markdown=False))
    assert text[2].startswith("gone ")
    assert "2 tuned models: 1 ends on 2027-01-14, 1 gone (the server no longer lists them)" in text


def test_data_are_there_gone_imported_or_unknown(look: Callable[..., Account]) -> None:
    """One list of files tells, and the journal of an import; a server that gives no list leaves it open."""
    jobs = [tuned(1, validation_file="file-9"), tuned(2), tuned(3), tuned(4)]
    files = [remote(1), remote(4, status="error")]
    saved = Saved(files={"file-3"}, experiments={"ftjob-3": "imported/configs/s3.yaml"})
    account = look(Lists(jobs=jobs, files=files), saved=saved)
    data = {one["job_id"]: one["data"] for one in account.as_dict()["models"]}
    assert data["ftjob-1"] == {"training": "there", "validation": "gone"}
    assert data["ftjob-2"] == {"training": "gone", "validation": None}
    assert data["ftjob-3"]["training"] == "imported" and data["ftjob-4"]["training"] == "gone"
    assert {one.job.id: one.imported for one in account.models}["ftjob-3"] == "imported/configs/s3.yaml"
    account = look(Lists(jobs=jobs, files=files, refused=("/files", "/models")), saved=saved)
    assert [one.training for one in account.models] == ["unknown", "unknown", "imported", "unknown"]
    assert [one.listed for one in account.models] == [None] * 4
    assert sum("gives no list of" in note for note in account.notes) == 2


def test_where_it_could_go_and_what_that_costs(look: Callable[..., Account]) -> None:
    """Targets of a file are priced by trained tokens, else by the size of the file; sums leave out what has
    no data.
    """
    there = Target(
        name="there",
        provider="openai",
        model="m",
        base_url="https://x.example/v1",
        price=Price(train=2.0, input=0, output=0),
    )
    dark = Target(
        name="dark", provider="nebius", model="n", base_url="https://api.tokenfactory.nebius.com/v1/"
    )
    local = Target(name="here", provider="local", model="smollm2-135m-instruct")
    jobs = [tuned(1), tuned(2, trained_tokens=None), tuned(3), tuned(4, trained_tokens=None)]
    files = [remote(1), remote(2), remote(4, bytes=0)]
    account = look(Lists(jobs=jobs, files=files), places=elsewhere([OPENAI, there, dark, local], OPENAI))
    costs = {one.job.id: {place.target: place.usd for place in one.could_go} for one in account.models}
    assert costs["ftjob-1"] == {"there": 2.0, "dark": None, "here": 0.0}
    assert costs["ftjob-2"]["there"] == 0.06  # 40,000 bytes / 4 × 3 epochs × 2
    assert costs["ftjob-3"] == {} and costs["ftjob-4"]["there"] is None
    totals = {one["target"]: (one["usd"], one["note"]) for one in account.as_dict()["totals"]}
    assert totals["there"] == (2.06, "1 without a price") and totals["here"][0] == 0.0
    assert totals["dark"][0] is None


def test_without_a_file_the_known_services_are_named(look: Callable[..., Account]) -> None:
    """The engine on this machine is free; Azure only takes what it has, and its price isn't known here."""
    account = look(Lists(jobs=[tuned(1), tuned(2, "gpt-9")], files=[remote(1), remote(2)]))
    first, second = ({place.target: place for place in one.could_go} for one in account.models)
    assert first["local"].usd == 0.0 and first["azure"].usd is None and first["azure"].model == MINI
    assert "only customers who have trained there before" in str(first["azure"].note)
    assert "azure" not in second and "bedrock" not in second and "openai" not in second


def test_what_is_saved_here_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal with its files, recorded answers, and evaluations whose answers are kept; nothing of other
    accounts, and nothing of damaged files.
    """
    monkeypatch.chdir(tmp_path)
    identity = {"provider": "openai", "base_url": "u"}
    data = tmp_path / "imported/configs/data"
    data.mkdir(parents=True)
    (data / f"{'a' * 64}.jsonl").write_text("{}\n")
    lines = [
        {"file_id": "file-1", "sha256": "a" * 64, "bytes": 3, "name": "n", "origin": origin_of(identity)},
        {"file_id": "file-2", "sha256": "b" * 64, "bytes": 3, "name": "n", "origin": origin_of(identity)},
        {"file_id": "file-3", "sha256": "a" * 64, "bytes": 3, "name": "n", "origin": "other"},
    ]
    (tmp_path / "imported/files.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines) + '{"fi')
    rescued = tmp_path / "imported/configs/rescued"
    rescued.mkdir()
    (rescued / "s1-openai.jsonl").write_text("{}\n")
    (rescued / "s1-openai.json").write_text(
        json.dumps({"model": "ft:1", "date": "2026-11-20T01:02:03+00:00", "sha256": "0"})
    )
    (rescued / "s2-openai.json").write_text(
        json.dumps({"model": "ft:2", "date": "2026-11-20", "sha256": "0"})
    )
    (rescued / "s3-openai.json").write_text("{")
    state = State(experiment="s1", target="openai", file="x", identity=identity)
    state.jobs["5" * 64] = JobRecord(job_id="j", status="succeeded", attempt=1, fine_tuned_model="ft:1")
    state.stages["wait"] = StageRecord(status="done", fingerprint="f", result={"fine_tuned_model": "ft:1"})
    state.stages["evaluate"] = StageRecord(
        status="done", fingerprint="f", result={"metrics": {"tuned": {}}}, finished_at="2026-11-25T00:00:00"
    )
    StateStore(tmp_path / "runs/s1/openai").save(state)
    saved = saved_here(tmp_path / "imported", identity)
    assert saved.files == {"file-1"}
    assert saved.recorded == {"ft:1": "imported/configs/rescued/s1-openai.jsonl"}
    assert saved.used == {"ft:1": "2026-11-25"}


def test_the_table_is_read_at_a_glance(look: Callable[..., Account]) -> None:
    """One line for each model, the sums below; in Markdown it is a table, and pipes in names are escaped."""
    jobs = [tuned(1), tuned(2, fine_tuned_model=f"ft:{MINI}:acme:a|b:x"), tuned(3, status="cancelled")]
    saved = Saved(
        recorded={tuned(1)["fine_tuned_model"]: "r.jsonl"}, used={tuned(1)["fine_tuned_model"]: "2026-11-20"}
    )
    account = look(Lists(jobs=jobs, files=[remote(1)], models=None, refused=("/models",)), saved=saved)
    text = list(account_lines(account, markdown=False))
    first = next(line for line in text if line.endswith("x1"))
    assert re.split(r"\s{2,}", first)[:7] == [
        "2027-01-14 (table)", MINI, "there", "no", "recorded", "2026-11-20", "free",
    ]  # fmt: skip
    assert "2 tuned models: 2 end on 2027-01-14" in text
    assert "data: 0 imported, 1 there, 1 gone, 0 unknown; answers recorded: 1" in text
    assert "retraining all that have data at local: free" in text
    assert any("at unknown prices: azure" in line for line in text)
    assert "not listed: 1 failed or cancelled job" in text
    assert sum("last used;" in line for line in text) == 1
    marked = list(account_lines(account, markdown=True))
    assert marked[2].startswith("| ends | base |") and marked[3].startswith("|---|")
    assert any("a\\|b" in line for line in marked)


def test_an_empty_account_says_so(look: Callable[..., Account]) -> None:
    """No model: one line, no table."""
    assert list(account_lines(look(Lists(jobs=[])), markdown=False)) == ["There is no tuned model at openai."]


def test_a_large_account_takes_the_time_of_its_pages(look: Callable[..., Account]) -> None:
    """1,000 jobs and 3,000 files behind 50 ms: the pages of the longest list, and little of our own."""
    jobs = [tuned(number, validation_file=f"file-{number + 1000}") for number in range(1000)]
    lists = Lists(jobs=jobs, files=[remote(number) for number in range(3000)], latency=0.05)
    begun, used = time.monotonic(), time.process_time()
    account = look(lists)
    seconds, own = time.monotonic() - begun, time.process_time() - used
    assert len(account.models) == 1000 and all(one.training == "there" for one in account.models)
    assert own < 5 and seconds < 30 * 0.05 + own + 2
