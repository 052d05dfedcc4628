"""Services differ: what is sent to each, what is left out and said, and what is refused at once."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from conftest import ROOT
from ftrun.errors import ConfigError, UsageError
from ftrun.experiment import build_experiment, providers, read_document
from ftrun.experiment.model import Experiment
from ftrun.targets.api.jobs import create_arguments
from ftrun.targets.azure import INFERENCE, token_for
from ftrun.targets.preflight import check_model, check_request
from ftrun.targets.service import JobRequest
from support.scripted_server import Answer, listed, refusal
from targets.conftest import Connect
from targets.table import DOCUMENT, with_tables

REQUEST = JobRequest(
    model="m",
    training_file="file-1",
    validation_file=None,
    hyperparameters={"n_epochs": 3, "batch_size": "auto", "learning_rate_multiplier": "auto"},
    seed=7,
    suffix="s",
    metadata={"ftrun_spec": "x"},
    extra_body={"trainingType": "developerTier"},
    own_hyperparameters={"learning_rate": 1e-5, "lora": True},
)


def build(folder: Path, target: str, more: str = "") -> Experiment:
    """Return an experiment with one target."""
    path = folder / "x.yaml"
    path.write_text(
        f"version: 1\nname: x\ndata: {{sources: [{{path: x.csv}}]}}\ntargets:\n  t: {{{target}}}\n{more}"
    )
    return build_experiment(read_document(path))


def test_the_protocol_is_sent_whole() -> None:
    """To a server of the protocol everything goes as it is asked for."""
    asked = create_arguments(REQUEST, providers.capabilities("openai", {}))
    assert asked == {
        "model": "m",
        "training_file": "file-1",
        "method": {
            "type": "supervised",
            "supervised": {
                "hyperparameters": {**REQUEST.hyperparameters, "learning_rate": 1e-5, "lora": True}
            },
        },
        "seed": 7,
        "suffix": "s",
        "metadata": {"ftrun_spec": "x"},
        "extra_body": {"trainingType": "developerTier"},
    }


def test_what_a_service_does_not_take_is_left_out() -> None:
    """`auto` where it is no value, `method` where it is not known, a suffix where it is refused."""
    nebius = create_arguments(REQUEST, providers.capabilities("nebius", {}))
    assert nebius["hyperparameters"] == {"n_epochs": 3, "learning_rate": 1e-5, "lora": True}
    assert "method" not in nebius
    bare = {"suffix": "left_out", "seed": "left_out", "metadata": "left_out"}
    assert not {"suffix", "seed", "metadata"} & set(create_arguments(REQUEST, bare))


def test_a_job_is_found_again_by_what_was_sent(connect: Connect) -> None:
    """A seed that a service takes none of does not speak against our job, whatever seed the service took."""
    job = {"id": "j", "status": "running", "model": "m", "training_file": "file-1", "seed": 99}
    _, service = connect(lambda asked: listed([job]))
    assert service.find_jobs(REQUEST, others=()) == []
    service.capabilities = {"seed": "left_out", "metadata": "left_out"}
    assert [found.id for found in service.find_jobs(REQUEST, others=())] == ["j"]


@pytest.mark.parametrize(
    ("target", "url", "variable"),
    [
        ("provider: openai, model: m", None, None),
        (
            "provider: nebius, model: m",
            "https://api.tokenfactory.nebius.com/v1",
            "NEBIUS_API_KEY",
        ),
        (
            "provider: bedrock, region: us-west-2, model: m",
            "https://bedrock-mantle.us-west-2.api.aws/v1",
            "AWS_BEARER_TOKEN_BEDROCK",
        ),
        (
            "provider: azure, endpoint: 'https://r.openai.azure.com/', model: m, api_key_env: MINE",
            "https://r.openai.azure.com/openai/v1",
            "MINE",
        ),
        (
            "provider: azure, endpoint: 'https://r.services.ai.azure.com/api/projects/p/openai/v1', model: m",
            "https://r.services.ai.azure.com/api/projects/p/openai/v1",
            "AZURE_OPENAI_API_KEY",
        ),
    ],
)
def test_a_service_brings_its_address_and_the_name_of_its_key(
    tmp_path: Path, target: str, url: str | None, variable: str | None
) -> None:
    """`provider:` is enough where a service has one address; each key goes to its own service only."""
    found = build(tmp_path, target).target
    assert (found.base_url, found.api_key_env) == (url, variable)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("provider: azure, model: m", "needs `endpoint`"),
        ("provider: bedrock, model: m", "needs `region`"),
        ("provider: nebius, model: m, endpoint: 'https://x'", "for `provider: azure`"),
        ("provider: nebius, model: m, base_url: 'https://x/v1'", "needs its own key"),
        ("provider: azure, model: m, endpoint: 'http://x'", "plain http"),
        (
            "provider: local, model: rehearsal, headers: {a: b}",
            "only for services, not for `provider: local`",
        ),
        ("provider: openai, model: m, extra_body: {model: x}", "has its own key in the experiment file"),
        ("provider: openai, model: m, hyperparameters: {n_epochs: 3}", "a hyperparameter of the protocol"),
        ("provider: openai, model: m, headers: {Authorization: x}", "sets this header itself"),
        ("provider: openai, model: m, headers: {OpenAI-Project: p}", "set `targets.t.project` instead"),
        ("provider: openai, model: m, headers: {x-api-key: plain-secret}", "secrets never belong in it"),
        ("provider: openai, model: m, headers: {x-api-key: 'env:1x'}", "name of an environment variable"),
        ("provider: openai, model: m, capabilities: {suffix: maybe}", "left_out"),
        ("provider: azure, model: m, endpoint: 'https://x', deployment: {account: a}", "missing"),
        (
            "provider: openai, model: m, deployment: {name: a, account: b}",
            "creates deployments on Azure only",
        ),
    ],
)
def test_keys_of_another_service_are_refused(tmp_path: Path, target: str, words: str) -> None:
    """Each is exit code 2 with its place, and a value that may be a secret is not repeated."""
    with pytest.raises(ConfigError) as caught:
        build(tmp_path, target)
    assert words in str(caught.value.problems[0].message)
    assert "plain-secret" not in str(caught.value)


def test_a_multiplier_is_never_taken_for_a_learning_rate(tmp_path: Path) -> None:
    """Where a service takes an absolute learning rate, a multiplier is an error with the way out."""
    more = "train: {hyperparameters: {learning_rate_multiplier: 2}}\n"
    with pytest.raises(ConfigError, match="takes an absolute learning rate") as caught:
        check_request(build(tmp_path, "provider: nebius, model: m", more))
    assert caught.value.problem.line == 6
    assert "learning_rate: 0.00001" in str(caught.value.problem.hint)
    assert check_request(build(tmp_path, "provider: openai, model: m", more)) == []


def test_only_the_engine_trains_the_top_layers_alone(tmp_path: Path) -> None:
    """Elsewhere `top_layers` is an error at its line, before anything is sent; here it is no problem."""
    more = "train: {hyperparameters: {top_layers: 2}}\n"
    with pytest.raises(ConfigError, match="can't train only the top layers") as caught:
        check_request(build(tmp_path, "provider: openai, model: m", more))
    assert caught.value.problem.line == 6 and "provider: local" in str(caught.value.problem.hint)
    assert check_request(build(tmp_path, "provider: local, model: rehearsal", more)) == []


def test_what_is_not_sent_is_said(tmp_path: Path) -> None:
    """A suffix that a service refuses is left out, with a note."""
    notes = check_request(
        build(tmp_path, "provider: bedrock, region: us-west-2, model: m", "train: {suffix: s}\n")
    )
    assert notes == ["t takes no suffix: the model's name will not have it"]


MODELS: list[dict[str, Any]] = [
    {"id": "gpt-4.1-mini-2025-04-14", "shutdown_date": "2099-01-14"},
    {"id": "old", "shutdown_date": "2020-01-01"},
    {"id": "fixed", "capabilities": {"fine_tune": False}},
    {"id": "ended", "capabilities": {"fine_tune": True}, "deprecation": {"fine_tune": 1}},
    {"id": "open", "capabilities": {"fine_tune": True}, "deprecation": {"fine_tune": 4_000_000_000}},
]


def answer(path: str) -> Answer:
    """Answer /models and /models/NAME."""
    name = path.removeprefix("/models").strip("/")
    if not name:
        return listed(MODELS)
    return next((Answer(one) for one in MODELS if one["id"] == name), refusal(404, "no such model"))


@pytest.mark.parametrize(
    ("model", "notes", "words"),
    [
        ("gpt-4.1-mini-2025-04-14", 1, None),
        ("gpt-4.1-mini", 1, None),  # an alias stands for its snapshot
        ("open", 0, None),
        ("old", 0, "was shut down on 2020-01-01"),
        ("fixed", 0, "can't be fine-tuned"),
        ("ended", 0, "no longer"),
        ("gpt-4.1-mimi", 0, "has no model"),
    ],
)
def test_the_model_is_looked_at_before_any_upload(
    tmp_path: Path, connect: Connect, model: str, notes: int, words: str | None
) -> None:
    """Unknown, shut down and not tunable are errors; an end to come is said."""
    server, service = connect(lambda asked: answer(asked.path))
    experiment = build(tmp_path, f"provider: openai, model: {model}")
    if words is None:
        assert len(check_model(experiment, service, model)) == notes
    else:
        with pytest.raises(ConfigError, match=words) as caught:
            check_model(experiment, service, model)
        assert caught.value.problem.line == 5
    assert server.paths("POST") == []


@pytest.mark.parametrize("status", [403, 404, 405, 501])
def test_a_server_that_lists_no_models_is_believed(tmp_path: Path, connect: Connect, status: int) -> None:
    """A key without that right, or a server without that path: a note, no stop; 501 is asked again later."""
    _, service = connect(lambda asked: refusal(status))
    experiment = build(tmp_path, "provider: openai, model: m")
    if status == 501:
        with pytest.raises(Exception, match="501"):
            check_model(experiment, service, "m")
    else:
        assert "unknown" in check_model(experiment, service, "m")[0]


def test_an_entra_token_comes_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token in the environment is taken as it is; without it and without azure-identity it is asked for."""
    monkeypatch.setenv(INFERENCE[0], "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.e30.x")
    assert token_for("azure", *INFERENCE)() == "eyJ0eXAiOiJKV1QiLCJhbGciOiJub25lIn0.e30.x"
    monkeypatch.delenv(INFERENCE[0])
    monkeypatch.setitem(__import__("sys").modules, "azure.identity", None)
    with pytest.raises(UsageError, match="needs a token"):
        token_for("azure", *INFERENCE)


def test_the_schema_knows_every_service_and_capability() -> None:
    """Table and schema can't drift apart."""
    schema: Any = json.loads((ROOT / "schemas/experiment.schema.json").read_text(encoding="utf-8"))
    named = schema["$defs"]["target"]["properties"]["provider"]["enum"]
    assert set(named) == {"local", *providers.table()["services"]}
    capabilities = schema["$defs"]["capabilities"]["properties"]
    known = {name: about["values"] for name, about in providers.table()["protocol"].items()}
    assert {name: about["enum"] for name, about in capabilities.items()} == known
    for entry in providers.table()["services"].values():
        assert entry["api_key_env"] in providers.table()["own_keys"]  # else the key may go anywhere
        assert set(entry.get("capabilities", {}).items()) <= {
            (name, value) for name, values in known.items() for value in values
        }


def test_the_tables_in_the_docs_are_those_of_the_code() -> None:
    """They are generated; `python -m targets.table` in tests/ writes them anew."""
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == with_tables(text)


def test_the_targets_in_the_docs_are_valid(tmp_path: Path) -> None:
    """Every target of the page's example builds."""
    block = re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)[0]
    path = tmp_path / "x.yaml"
    path.write_text(f"version: 1\nname: x\ndata: {{sources: [{{path: x.csv}}]}}\n{block}", encoding="utf-8")
    document = read_document(path)
    names = list(document.data["targets"])
    assert [build_experiment(document, name).target.name for name in names] == names
