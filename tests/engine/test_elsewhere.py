"""Paths and methods that the engine doesn't have: the error says what there is instead."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
import pytest

from support.engine_process import Engine, finish, rows, upload


def refused(engine: Engine, method: str, url: str) -> tuple[httpx2.Response, dict[str, Any]]:
    """Send a request to a path of the server, and return the answer and its error."""
    headers = {"Authorization": f"Bearer {engine.token}"}
    answer = httpx2.request(method, engine.base_url.removesuffix("/v1") + url, headers=headers, timeout=30)
    return answer, answer.json()["error"]


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        ("POST", "/v1/images/generations", "no models of images"),
        ("POST", "/v1/audio/speech", "no models of speech"),
        ("GET", "/v1/assistants", "ask a model with /v1/chat/completions"),
        ("POST", "/v1/threads/runs", "send the conversation to /v1/chat/completions"),
        ("POST", "/v1/vector_stores", "no vector stores"),
        ("POST", "/v1/moderations", "no moderation model"),
        ("POST", "/v1/fine-tunes", "use /v1/fine_tuning/jobs"),
        ("POST", "/v1/engines/davinci/completions", "`model` instead of `engine`"),
        ("GET", "/v1/fine_tuning/checkpoints/ft:a:local::b/permissions", "can use every checkpoint"),
        ("POST", "/v1/fine_tuning/checkpoints/ft:a:local::b/permissions", "can use every checkpoint"),
        ("POST", "/openai/deployments/x/chat/completions?api-version=1", "a path of Azure"),
    ],
)
def test_other_parts_of_the_api(engine: Engine, method: str, path: str, words: str) -> None:
    """What this engine will not do is a 404 with its own code, which says what to do."""
    answer, error = refused(engine, method, path)
    assert (answer.status_code, error["code"]) == (404, "unsupported_endpoint")
    assert words in error["message"]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/chat/completions", "Did you mean /v1/chat/completions? A base_url of this engine ends in /v1."),
        ("/v1/v1/models", "/v1/models?"),
        ("/v1//files", "/v1/files?"),
        ("/v1/chat/completion", "/v1/chat/completions?"),
        ("/v1/fine_tuning/job", "/v1/fine_tuning/jobs?"),
        ("/v1/nothing", "This engine has /v1/batches, /v1/chat/completions,"),
    ],
)
def test_mistyped_paths(engine: Engine, path: str, words: str) -> None:
    """A path that is nearly right names the right one, any other what there is."""
    answer, error = refused(engine, "POST", path)
    assert answer.status_code == 404 and words in error["message"]


def test_other_methods(engine: Engine) -> None:
    """A method that a path doesn't take is told which it takes, in the header too."""
    answer, error = refused(engine, "PUT", "/v1/files")
    assert answer.status_code == 405 and answer.headers["allow"] == "GET, POST"
    assert "only GET, POST" in error["message"]


def test_deleting_a_job_points_to_its_model(client: openai.OpenAI, engine: Engine) -> None:
    """Jobs are kept; what takes room is the model."""
    job = finish(client, client.fine_tuning.jobs.create(model="rehearsal", training_file=upload(client)).id)
    answer, error = refused(engine, "DELETE", f"/v1/fine_tuning/jobs/{job.id}")
    assert answer.status_code == 405 and f"DELETE /v1/models/{job.fine_tuned_model}" in error["message"]
    failed = client.fine_tuning.jobs.create(model="rehearsal", training_file=upload(client, rows(2)))
    finish(client, failed.id)
    _, error = refused(engine, "DELETE", f"/v1/fine_tuning/jobs/{failed.id}")
    assert "no model" in error["message"]


@pytest.mark.parametrize("purpose", ["fine_tune", "finetune"])
def test_a_mistyped_purpose(client: openai.OpenAI, purpose: str) -> None:
    """The purpose that was meant is named."""
    with pytest.raises(openai.BadRequestError, match="Did you mean 'fine-tune'"):
        client.files.create(file=("a.jsonl", rows()), purpose=purpose)  # type: ignore[arg-type]
    with pytest.raises(openai.BadRequestError, match="Did you mean 'fine-tune'"):
        client.uploads.create(filename="a", bytes=1, mime_type="a/b", purpose=purpose)  # type: ignore[arg-type]
