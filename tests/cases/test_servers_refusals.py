"""A server that refuses to create a job: the tip names what to change, and works when followed."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.paid_project import Paid, on_plain_provider
from support.scripted_server import Answer, Asked

CASES = Path(__file__).parent
SUFFIX = "library-desk-of-the-north-east-of-town-2026"
TIP = re.compile(r"`([\w.]+): ([^`]+)`")
Refuses = Callable[[dict[str, Any]], bool]


@pytest.fixture
def paid(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Paid]:
    """Yield a project of ready chats on a provider in memory, with a validation file, a seed and a suffix."""
    with on_plain_provider(tmp_path, monkeypatch, capfd) as made:
        shutil.copy(CASES / "27-capability-hints/qa12.jsonl", tmp_path)
        edit(
            made,
            lambda file: file.update(
                data={"sources": [{"path": "qa12.jsonl"}], "split": {"validation": 2, "seed": 1}},
                train={"seed": 7, "suffix": SUFFIX, "hyperparameters": {"n_epochs": 3}},
                prompt={"system": "You are Gene."},
            ),
        )
        yield made


def edit(paid: Paid, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the experiment file."""
    file = yaml.safe_load(paid.config.read_text(encoding="utf-8"))
    change(file)
    paid.config.write_text(yaml.safe_dump(file, allow_unicode=True), encoding="utf-8")


def follow(paid: Paid, hint: str) -> None:
    """Do what the first tip of the form `key: value` says."""
    found = TIP.search(hint)
    assert found, hint
    *above, last = found[1].split(".")

    def change(file: dict[str, Any]) -> None:
        for name in above:
            file = file.setdefault(name, {})
        value = yaml.safe_load(found[2])
        file[last] = {**file.get(last, {}), **value} if isinstance(value, dict) else value

    edit(paid, change)


def refuse(paid: Paid, when: Refuses, body: Any, status: int = 400) -> None:
    """Let the server refuse jobs whose request is such."""

    def hook(asked: Asked) -> Answer | None:
        posts = asked.method == "POST" and asked.path == "/fine_tuning/jobs"
        return Answer(body, status) if posts and when(asked.body) else None

    paid.provider.hook = hook


def openai(message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Return an error as OpenAI writes it."""
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


def pydantic(*place: str, msg: str = "Extra inputs are not permitted") -> dict[str, Any]:
    """Return an error of a FastAPI server, in the API's form."""
    detail = [{"type": "extra_forbidden", "loc": ["body", *place], "msg": msg, "input": "x"}]
    return openai(json.dumps(detail))


def has(name: str) -> Refuses:
    """Return whether a request has the field."""
    return lambda body: name in body


def has_auto(body: dict[str, Any]) -> bool:
    """Return whether a request has the value auto."""
    return '"auto"' in json.dumps(body)


LEFT_OUT = [
    ("method", openai("Unrecognized request argument supplied: method"), 400),
    ("metadata", openai("Unrecognized request argument supplied: metadata"), 400),
    ("metadata", pydantic("metadata"), 422),
    ("metadata", openai("Additional properties are not allowed ('metadata' was unexpected)"), 400),
    ("metadata", openai('Invalid JSON payload received. Unknown name "metadata": Cannot find field.'), 400),
    (
        "metadata",
        openai("litellm.UnsupportedParamsError: mistral does not support parameters: metadata"),
        400,
    ),
    ("method", openai('json: unknown field "method"'), 400),
    ("method", pydantic("method"), 422),
    ("suffix", openai("Unknown parameter: 'suffix'.", "suffix", "unknown_parameter"), 400),
    ("suffix", openai("suffix is not supported for this model"), 400),
    ("seed", openai("Unrecognized request argument supplied: seed"), 400),
    ("seed", openai("create() got an unexpected keyword argument 'seed'"), 400),
    ("validation_file", openai("Unrecognized request argument supplied: validation_file"), 400),
    ("validation_file", pydantic("validation_file"), 422),
]


@pytest.mark.parametrize(("name", "body", "status"), LEFT_OUT)
def test_what_a_server_does_not_take_is_left_out(paid: Paid, name: str, body: Any, status: int) -> None:
    """The tip names the capability; with it set, the same command creates the job, and only one."""
    refuse(paid, has(name), body, status)
    document = paid.json("run", paid.config, "--yes", code=1)
    hint = document["error"]["hint"]
    assert f"`targets.paid.capabilities: {{{name}: left_out}}`" in hint
    assert document["error"]["line"]
    follow(paid, hint)
    paid.run("run", paid.config, "--yes", "--until", "train")
    assert len(paid.provider.created) == 1 and name not in paid.provider.created[0]


TOO_LONG = [
    (18, openai(f"'{SUFFIX}' is too long - 'suffix'")),
    (40, openai("Invalid 'suffix': string too long. Expected a string with maximum length 40, but got 43.")),
    (18, openai("suffix must be at most 18 characters", "suffix")),
    (18, pydantic("suffix", msg="String should have at most 18 characters")),
    (24, openai("The suffix may not exceed 24 characters.")),
]


@pytest.mark.parametrize(("most", "body"), TOO_LONG)
def test_a_suffix_that_is_too_long_is_shortened(paid: Paid, most: int, body: Any) -> None:
    """The tip has a suffix that this server takes."""
    refuse(paid, lambda asked: len(asked.get("suffix") or "") > most, body)
    error = paid.json("run", paid.config, "--yes", code=1)["error"]
    assert "`train.suffix: " in error["hint"] and "capabilities: {suffix: left_out}" in error["hint"]
    follow(paid, error["hint"])
    paid.run("run", paid.config, "--yes", "--until", "train")
    assert SUFFIX.startswith(paid.provider.created[0]["suffix"])
    assert len(paid.provider.created[0]["suffix"]) <= most


@pytest.mark.parametrize(
    "body",
    [
        openai("hyperparameters.batch_size: Input should be a valid integer, got 'auto'"),
        pydantic(
            "method", "supervised", "hyperparameters", "batch_size", msg="Input should be a valid integer"
        ),
    ],
)
def test_a_server_that_does_not_know_auto(paid: Paid, body: Any) -> None:
    """The tip is the capability that leaves such values out."""
    refuse(paid, has_auto, body)
    follow(paid, paid.json("run", paid.config, "--yes", code=1)["error"]["hint"])
    paid.run("run", paid.config, "--yes", "--until", "train")
    assert not has_auto(paid.provider.created[0])


NOT_TUNABLE = openai("The specified base model does not support fine-tuning.", code="invalidPayload")


def test_azure_without_a_training_type(paid: Paid) -> None:
    """Azure's message means a missing trainingType; where one is set, the tip is another."""
    edit(paid, lambda file: file["targets"]["paid"].update(provider="azure", deployment={"name": "mine"}))
    refuse(paid, lambda asked: "trainingType" not in asked, NOT_TUNABLE)
    error = paid.json("run", paid.config, "--yes", code=1)["error"]
    assert "extra_body: {trainingType: globalStandard}" in error["hint"]
    follow(paid, error["hint"])
    paid.run("run", paid.config, "--yes", "--until", "train")
    assert paid.provider.created[0]["trainingType"] == "globalStandard"
    refuse(paid, has("trainingType"), NOT_TUNABLE)
    edit(paid, lambda file: file["train"].update(seed=8))
    error = paid.json("run", paid.config, "--yes", code=1)["error"]
    assert "another `trainingType`" in error["hint"] and "targets.paid.model" in error["hint"]


def test_a_model_that_cannot_be_tuned_elsewhere(paid: Paid) -> None:
    """Other servers get no word of Azure; the command of the tip lists their models."""
    refuse(paid, has("model"), NOT_TUNABLE)
    hint = paid.json("run", paid.config, "--yes", code=1)["error"]["hint"]
    assert "Azure" not in hint and "`ftrun ls models toy.yaml --target paid`" in hint
    assert "m" in paid.run("ls", "models", "toy.yaml", "--target", "paid")


REFUSALS = [
    (403, openai("You are not allowed to create jobs"), 4, "role of the key"),
    (403, openai("no", code="insufficient_permissions"), 4, "organization"),
    (403, openai("closed", code="training_not_available"), 4, "--target local"),
    (401, openai("Incorrect API key provided."), 1, "api_key_env"),
    (402, openai("Payment required"), 1, "no credit left"),
    (400, openai("Your credit balance is too low"), 1, "no credit left"),
    (429, openai("You exceeded your current quota", code="insufficient_quota"), 1, "no credit left"),
    (429, openai("Daily limit of fine-tuning jobs reached"), 75, "daily limit"),
    (429, openai("Too many active fine-tuning jobs"), 75, "running jobs"),
    (404, openai("The model `m` does not exist", code="model_not_found"), 1, "ftrun ls models"),
    (404, openai("Not Found"), 1, "base_url"),
    (413, openai("Request Entity Too Large"), 1, "too large"),
    (415, openai("Unsupported Media Type"), 1, "base_url"),
    (400, openai("Something is wrong with you"), 1, "would refuse the same request again"),
]


def test_every_refusal_has_its_own_tip(paid: Paid) -> None:
    """No permanent refusal says that the same command should be run again; nothing is created."""
    for status, body, code, words in REFUSALS:
        refuse(paid, has("model"), body, status)
        error = paid.json("run", paid.config, "--yes", code=code)["error"]
        assert words in error["hint"], body
        assert status == 429 or "same command again" not in error["hint"], body
    assert not paid.provider.created


def test_the_way_elsewhere_can_be_gone(paid: Paid) -> None:
    """A file without a local target gets the entry to add; with it, the command of the tip plans there."""
    refuse(paid, has("model"), openai("closed", code="training_not_available"), 403)
    hint = paid.json("run", paid.config, "--yes", code=4)["error"]["hint"]
    entry = re.search(r"`(local: \{[^`]+\})` to `targets`", hint)
    assert entry and "`--target local`" in hint
    edit(paid, lambda file: file["targets"].update(yaml.safe_load(entry[1])))
    assert paid.json("plan", paid.config, "--target", "local")["target"] == "local"
    hint = paid.json("run", paid.config, "--target", "paid", "--yes", code=4)["error"]["hint"]
    assert "`--target local` trains on this machine" in hint


def test_an_answer_that_only_looks_like_a_refusal_stays_unclear(paid: Paid) -> None:
    """A server whose errors have a form of their own may have created the job: a person decides."""
    body = {"detail": [{"type": "extra_forbidden", "loc": ["body", "metadata"], "msg": "Extra inputs"}]}
    refuse(paid, has("metadata"), body, 422)
    error = paid.json("run", paid.config, "--yes", code=4)["error"]
    assert error["code"] == "unclear" and "--confirm-not-created" in error["hint"]
    follow(paid, error["hint"])
    paid.run("run", paid.config, "--yes", "--confirm-not-created", "--until", "train")
    assert len(paid.provider.created) == 1


PLACES = [
    ("Invalid file format. Line 4, message 2: content is missing", 1),
    ("Example 4: messages[1].content must not be empty", 1),
    ("line 4: 'messages', 1, 'content' is wrong", 1),
    ("Row 4, message #3 has no content", 2),
    ("data at example index 3: messages.2.role", 2),
    ("Expected file to have JSONL format with an object on line 4", None),
]


@pytest.mark.parametrize(
    ("words", "index", "system"), [(*one, True) for one in PLACES] + [(*one, False) for one in PLACES[:2]]
)
def test_a_servers_line_is_a_row_of_the_source(
    paid: Paid, words: str, index: int | None, system: bool
) -> None:
    """The message names file and line of the row, and its message as the row counts: the system prompt that
    was put in front is not counted.
    """
    if not system:
        rows = [json.loads(line) for line in (paid.folder / "qa12.jsonl").read_text().splitlines()]
        own = ({**row, "messages": row["messages"][1:]} for row in rows)
        (paid.folder / "qa12.jsonl").write_text("".join(json.dumps(row) + "\n" for row in own))
    refuse(paid, has("model"), openai(words))
    error = paid.json("run", paid.config, "--yes", code=1)["error"]
    fourth = (paid.folder / "runs/toy/paid/train.jsonl").read_text().splitlines()[3]
    question = json.loads(fourth)["messages"][1]["content"]
    lines = (paid.folder / "qa12.jsonl").read_text().splitlines()
    number = next(number for number, line in enumerate(lines, 1) if question in line)
    assert (error["file"], error["line"]) == ("qa12.jsonl", number)
    if index is not None:
        assert f"messages[{index if system else index - 1}] " in error["hint"]


def test_a_number_of_examples_is_no_row(paid: Paid) -> None:
    """A count is not taken for a line."""
    for words in (
        "too few examples: 8, at least 10 are needed",
        "The file has only rows: 3",
        "example.com is down",
    ):
        refuse(paid, has("model"), openai(words))
        assert paid.json("run", paid.config, "--yes", code=1)["error"]["file"] != "qa12.jsonl"


def test_a_failed_job_names_the_row_too(paid: Paid) -> None:
    """In the error of the run that waited, and of the one after it; the validation file has its own rows."""
    words = "The job failed due to an invalid validation file: line 2, message 3 is empty"
    paid.provider.hook = lambda asked: _failing(paid, asked, words)
    first = paid.json("run", paid.config, "--yes", code=1)["error"]
    again = paid.json("run", paid.config, "--yes", code=1)["error"]
    second = json.loads((paid.folder / "runs/toy/paid/validation.jsonl").read_text().splitlines()[1])
    lines = (paid.folder / "qa12.jsonl").read_text().splitlines()
    number = 1 + lines.index(next(one for one in lines if second["messages"][1]["content"] in one))
    for error in (first, again):
        assert (error["file"], error["line"]) == ("qa12.jsonl", number)
        assert "messages[2] (assistant)" in error["hint"]
    assert len(paid.provider.created) == 1


def _failing(paid: Paid, asked: Asked, words: str) -> Answer | None:
    parts = asked.path.strip("/").split("/")
    if asked.method == "GET" and parts[:2] == ["fine_tuning", "jobs"] and len(parts) == 3:
        job = {**paid.provider.jobs[parts[2]], "status": "failed", "error": {"message": words, "code": "x"}}
        return Answer(job)
    return None
