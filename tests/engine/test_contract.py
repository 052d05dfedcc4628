"""The engine's answers have the shapes that OpenAI's API description gives them.

The description does not ship with the project: where it is not at hand, these tests say so and are skipped.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
import yaml
from jsonschema import Draft202012Validator

from conftest import ROOT
from support.engine_process import Engine, finish, rows, upload

DESCRIPTION = ROOT.parent / "shared/contract/openai-ft-spec.yaml"
Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def spec() -> dict[str, Any]:
    """Return the API description."""
    if not DESCRIPTION.exists():
        pytest.skip(f"the official API description is not here ({DESCRIPTION})")
    found = yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


@pytest.fixture
def ask(spec: dict[str, Any], engine: Engine) -> Ask:
    """Return a way to send a request; its answer is held to the description's schema for that call."""

    def send(method: str, path: str, described: str = "", **content: Any) -> Any:
        headers = {"Authorization": f"Bearer {engine.token}"}
        answer = httpx2.request(method, engine.base_url + path, headers=headers, timeout=30, **content)
        operation = spec["paths"][described or path][method.lower()]
        if answer.status_code == 200:
            schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        else:
            schema = {"$ref": "#/components/schemas/ErrorResponse"}
        validator = Draft202012Validator({**schema, "components": spec["components"]})
        found = answer.json()
        wrong = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(found)]
        assert not wrong, (method, path, answer.status_code, wrong, found)
        return found

    return send


def test_files(ask: Ask, engine: Engine) -> None:
    """Uploaded, listed, shown, deleted, and missed."""
    made = ask("POST", "/files", files={"file": ("a.jsonl", rows())}, data={"purpose": "fine-tune"})
    one = "/files/{file_id}"
    ask("GET", "/files")
    ask("GET", f"/files/{made['id']}", one)
    ask("DELETE", f"/files/{made['id']}", one)
    assert ask("GET", f"/files/{made['id']}", one)["error"]["type"] == "invalid_request_error"


def test_uploads_in_parts(ask: Ask) -> None:
    """Begun, a part added, completed; another one cancelled."""
    body = {"purpose": "fine-tune", "filename": "a.jsonl", "bytes": len(rows()), "mime_type": "text/jsonl"}
    begun = ask("POST", "/uploads", json=body)
    path = f"/uploads/{begun['id']}"
    part = ask("POST", f"{path}/parts", "/uploads/{upload_id}/parts", files={"data": ("part", rows())})
    done = {"part_ids": [part["id"]]}
    ended = ask("POST", f"{path}/complete", "/uploads/{upload_id}/complete", json=done)
    assert ended["status"] == "completed"
    other = ask("POST", "/uploads", json=body)
    ask("POST", f"/uploads/{other['id']}/cancel", "/uploads/{upload_id}/cancel")


@pytest.mark.parametrize("way", [{}, {"method": {"type": "supervised"}, "seed": 7, "suffix": "x"}])
def test_jobs_from_their_making_to_their_model(ask: Ask, engine: Engine, way: dict[str, Any]) -> None:
    """Created, listed, watched, ended; events, checkpoints, the model, a question to it."""
    with engine.client() as client:
        body = {"model": "rehearsal", "training_file": upload(client), "metadata": {"a": "b"}, **way}
        job = ask("POST", "/fine_tuning/jobs", json=body)
        path, one = f"/fine_tuning/jobs/{job['id']}", "/fine_tuning/jobs/{fine_tuning_job_id}"
        ask("GET", path, one)
        finish(client, job["id"])
    ended = ask("GET", path, one)
    assert ended["status"] == "succeeded"
    assert ask("GET", f"{path}/events", f"{one}/events")["data"]
    assert ask("GET", f"{path}/checkpoints", f"{one}/checkpoints")["data"]
    ask("GET", "/fine_tuning/jobs")
    ask("GET", "/models")
    model = ended["fine_tuned_model"]
    ask("GET", f"/models/{model}", "/models/{model}")
    ask("POST", "/chat/completions", json={"model": model, "messages": [{"role": "user", "content": "？"}]})
    ask("POST", f"{path}/cancel", f"{one}/cancel")
    ask("DELETE", f"/models/{model}", "/models/{model}")


def test_graders(ask: Ask) -> None:
    """Validated, run, and refused; the permissions of a checkpoint, which don't exist here."""
    grader = {"type": "string_check", "name": "g", "input": "{{sample.output_text}}", "reference": "a"}
    body = {"grader": {**grader, "operation": "eq"}}
    ask("POST", "/fine_tuning/alpha/graders/validate", json=body)
    found = ask("POST", "/fine_tuning/alpha/graders/run", json={**body, "model_sample": "a", "item": {}})
    assert found["reward"] == 1
    ask("POST", "/fine_tuning/alpha/graders/run", json={**body, "model_sample": "a", "item": []})
    path = "/fine_tuning/checkpoints/{fine_tuned_model_checkpoint}/permissions"
    assert ask("GET", "/fine_tuning/checkpoints/c/permissions", path)["error"]


def test_refusals(ask: Ask, engine: Engine) -> None:
    """A wrong request, a job and a model that are not there: errors in the API's form."""
    ask("POST", "/fine_tuning/jobs", json={"model": "nobody", "training_file": "file-none"})
    ask("GET", "/fine_tuning/jobs/ftjob-none", "/fine_tuning/jobs/{fine_tuning_job_id}")
    ask("GET", "/models/nobody", "/models/{model}")
    ask("POST", "/chat/completions", json={"model": "nobody", "messages": []})


FUNCTION = {"name": "a", "parameters": {"type": "object", "properties": {}}}
WAYS: list[dict[str, Any]] = [
    {},
    {"n": 2, "logprobs": True, "top_logprobs": 2, "stop": "r"},
    {"tools": [{"type": "function", "function": FUNCTION}], "tool_choice": "required"},
    {"response_format": {"type": "json_object"}},
]


@pytest.mark.parametrize("way", WAYS)
def test_answers(ask: Ask, way: dict[str, Any]) -> None:
    """Choices, log probabilities and calls have the described shapes."""
    body = {"model": "rehearsal", "messages": [{"role": "user", "content": "？"}], **way}
    assert ask("POST", "/chat/completions", json=body)["choices"]


@pytest.mark.parametrize("way", WAYS)
def test_answers_in_pieces(spec: dict[str, Any], engine: Engine, way: dict[str, Any]) -> None:
    """Each event of a stream has the shape of a chunk, and the last is [DONE]."""
    schema = spec["components"]["schemas"]["CreateChatCompletionStreamResponse"]
    validator = Draft202012Validator({**schema, "components": spec["components"]})
    body = {"model": "rehearsal", "messages": [{"role": "user", "content": "？"}], "stream": True, **way}
    headers = {"Authorization": f"Bearer {engine.token}"}
    answer = httpx2.post(f"{engine.base_url}/chat/completions", headers=headers, json=body, timeout=30)
    *chunks, last = (line.removeprefix("data: ") for line in answer.text.splitlines() if line)
    assert last == "[DONE]" and chunks
    wrong = [error.message[:200] for chunk in chunks for error in validator.iter_errors(json.loads(chunk))]
    assert not wrong
