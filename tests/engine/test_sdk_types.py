"""The engine's answers are the SDK's own types, strictly: no key missing, none unknown, no other value."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import httpx2
import pydantic
import pytest
from openai.pagination import SyncCursorPage, SyncPage
from openai.types import Batch, FileDeleted, FileObject, Model, ModelDeleted, Upload
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent
from openai.types.fine_tuning.jobs import FineTuningJobCheckpoint
from openai.types.shared import ErrorObject
from openai.types.uploads import UploadPart

from support.engine_process import Engine, finish, rows, upload, wait_until

# what the API itself answers beyond the SDK's types
BEYOND: Mapping[type, set[str]] = {
    SyncCursorPage: {"object", "first_id", "last_id"},
    FineTuningJob: {"user_provided_suffix"},
}
STANDING = ("validating", "in_progress", "finalizing")
Ask = Callable[..., Any]


adapter = functools.cache(pydantic.TypeAdapter)  # some take a second to make


def strict(kind: Any, raw: bytes | str) -> Any:
    """Return JSON as the SDK's type; AssertionError for a key that the type does not have."""
    found = adapter(kind).validate_json(raw, strict=True)
    unknown = list(unknown_keys(found, ""))
    assert not unknown, (kind, unknown, raw)
    return found


def unknown_keys(value: Any, path: str) -> Iterator[str]:
    """Yield the path of each key in `value`, at any depth, that its type does not know."""
    if isinstance(value, pydantic.BaseModel):
        known = {key for kind, keys in BEYOND.items() if isinstance(value, kind) for key in keys}
        yield from (f"{path}{name}" for name in (value.model_extra or {}).keys() - known)
        for name in type(value).model_fields:
            yield from unknown_keys(getattr(value, name), f"{path}{name}.")
    elif isinstance(value, list):
        for one in value:
            yield from unknown_keys(one, path)


@pytest.fixture
def ask(engine: Engine) -> Ask:
    """Return a way to send a request and have the answer as the type given."""

    def send(kind: Any, method: str, path: str, *, status: int = 200, **content: Any) -> Any:
        headers = {"Authorization": f"Bearer {engine.token}"}
        answer = httpx2.request(method, engine.base_url + path, headers=headers, timeout=60, **content)
        assert answer.status_code == status, answer.text
        if status != 200:
            body = answer.json()
            assert body.keys() == {"error"}
            return strict(ErrorObject, json.dumps(body["error"]))
        return strict(kind, answer.content)

    return send


def test_files(ask: Ask) -> None:
    """A file that is uploaded, with a lifetime or without, listed, shown and deleted."""
    files = {"file": ("a.jsonl", rows())}
    forms: tuple[Mapping[str, str], ...] = (
        {"purpose": "fine-tune"},
        {"purpose": "fine-tune", "expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"},
    )
    for form in forms:
        made = ask(FileObject, "POST", "/files", files=files, data=form)
        assert (made.expires_at is None) == (len(form) == 1)
        assert made.id in [one.id for one in ask(SyncCursorPage[FileObject], "GET", "/files").data]
        assert ask(FileObject, "GET", f"/files/{made.id}") == made
        assert ask(FileDeleted, "DELETE", f"/files/{made.id}").deleted


def test_uploads(ask: Ask) -> None:
    """An upload that is begun, gets a part and is completed; another one that is cancelled."""
    body = {"purpose": "fine-tune", "filename": "a.jsonl", "bytes": len(rows()), "mime_type": "text/jsonl"}
    begun = ask(Upload, "POST", "/uploads", json=body)
    assert (begun.status, begun.file) == ("pending", None)
    path = f"/uploads/{begun.id}"
    part = ask(UploadPart, "POST", f"{path}/parts", files={"data": ("part", rows())})
    done = ask(Upload, "POST", f"{path}/complete", json={"part_ids": [part.id]})
    assert done.status == "completed" and done.file.bytes == len(rows())
    other = ask(Upload, "POST", "/uploads", json=body)
    assert ask(Upload, "POST", f"/uploads/{other.id}/cancel").status == "cancelled"


def test_batches(ask: Ask) -> None:
    """A batch as it is created, listed, refused and cancelled, and one whose file can't be used."""
    good = {"method": "POST", "url": "/v1/chat/completions", "custom_id": "a", "body": {"model": "rehearsal"}}
    for content, status in ((good, "completed"), ({}, "failed")):
        files = {"file": ("a.jsonl", json.dumps(content).encode())}
        file = ask(FileObject, "POST", "/files", files=files, data={"purpose": "batch"})
        body = {"endpoint": good["url"], "completion_window": "24h", "input_file_id": file.id}
        made = ask(Batch, "POST", "/batches", json=body)
        wait_until(lambda made=made: ask(Batch, "GET", f"/batches/{made.id}").status not in STANDING)  # type: ignore[misc]
        ended = ask(Batch, "GET", f"/batches/{made.id}")
        assert ended.status == status and (ended.errors is None) == (status == "completed")
        assert made.id in [one.id for one in ask(SyncCursorPage[Batch], "GET", "/batches").data]
        assert ask(ErrorObject, "POST", f"/batches/{made.id}/cancel", status=400).message


@pytest.mark.parametrize(
    "extra",
    [
        {},
        {"metadata": {"a": "b"}, "suffix": "x", "seed": 7},
        {"method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 1}}}},
        {"hyperparameters": {"n_epochs": 2, "batch_size": 4, "learning_rate_multiplier": 0.5}},
    ],
)
def test_a_job_that_succeeds(ask: Ask, engine: Engine, extra: dict[str, Any]) -> None:
    """The job as created, listed and ended, its events, checkpoints and model."""
    with engine.client() as client:
        files = {"training_file": upload(client), "validation_file": upload(client)}
        made = ask(FineTuningJob, "POST", "/fine_tuning/jobs", json={"model": "rehearsal", **files, **extra})
        finish(client, made.id)
    path = f"/fine_tuning/jobs/{made.id}"
    ended = ask(FineTuningJob, "GET", path)
    assert ended.status == "succeeded" and ended.fine_tuned_model and len(ended.result_files) == 1
    assert made.id in [one.id for one in ask(SyncCursorPage[FineTuningJob], "GET", "/fine_tuning/jobs").data]
    events = ask(SyncCursorPage[FineTuningJobEvent], "GET", f"{path}/events?limit=100").data
    assert {one.type for one in events} == {"message", "metrics"}
    assert ask(SyncCursorPage[FineTuningJobCheckpoint], "GET", f"{path}/checkpoints").data
    assert ask(FileObject, "GET", f"/files/{ended.result_files[0]}").purpose == "fine-tune-results"
    name = ended.fine_tuned_model
    assert name in [one.id for one in ask(SyncPage[Model], "GET", "/models").data]
    assert ask(Model, "GET", f"/models/{name}").id == name
    assert ask(ModelDeleted, "DELETE", f"/models/{name}").deleted


def test_jobs_that_rest_fail_and_are_cancelled(ask: Ask, own_engine: Callable[..., Engine]) -> None:
    """Every state that a job can be in has a value that the type knows, save those of a pause."""
    engine = own_engine(FTRUN_REHEARSAL_SECONDS_PER_STEP="0.2")
    headers = {"Authorization": f"Bearer {engine.token}"}
    with engine.client() as client:
        first = client.fine_tuning.jobs.create(model="rehearsal", training_file=upload(client))
        second = client.fine_tuning.jobs.create(model="rehearsal", training_file=upload(client, rows(2)))
        finish(client, second.id)
        client.fine_tuning.jobs.cancel(first.id)
    for job, status in ((first, "cancelled"), (second, "failed")):
        url = f"{engine.base_url}/fine_tuning/jobs/{job.id}"
        found = strict(FineTuningJob, httpx2.get(url, headers=headers, timeout=60).content)
        assert found.status == status
        assert (found.error is not None) == (status == "failed")


@pytest.mark.parametrize("extra", [{}, {"max_tokens": 2}, {"n": 1, "seed": 3, "temperature": 0}])
def test_chat(ask: Ask, extra: dict[str, Any]) -> None:
    """A whole answer, also one that reaches its limit."""
    body = {"model": "rehearsal", "messages": [{"role": "user", "content": "？"}], **extra}
    answer = ask(ChatCompletion, "POST", "/chat/completions", json=body)
    assert answer.choices[0].finish_reason == ("length" if "max_tokens" in extra else "stop")
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


@pytest.mark.parametrize("usage", [False, True])
def test_chat_in_pieces(engine: Engine, usage: bool) -> None:
    """Each event of a stream is a chunk, and [DONE] ends it; the usage comes last where it was asked for."""
    body: dict[str, Any] = {"model": "rehearsal", "messages": [{"role": "user", "content": "？"}]}
    body |= {"stream": True, **({"stream_options": {"include_usage": True}} if usage else {})}
    headers = {"Authorization": f"Bearer {engine.token}"}
    answer = httpx2.post(f"{engine.base_url}/chat/completions", headers=headers, json=body, timeout=60)
    *events, last = (line.removeprefix("data: ") for line in answer.text.splitlines() if line)
    assert last == "[DONE]"
    chunks = [strict(ChatCompletionChunk, event) for event in events]
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert (chunks[-1].usage is not None) == usage


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("POST", "/fine_tuning/jobs", 400, {"model": "nobody", "training_file": "file-none"}),
        ("POST", "/fine_tuning/jobs", 400, {}),
        ("GET", "/fine_tuning/jobs?limit=0", 400, None),
        ("GET", "/fine_tuning/jobs?after=ftjob-none", 400, None),
        ("GET", "/fine_tuning/jobs/ftjob-none", 404, None),
        ("GET", "/files/file-none", 404, None),
        ("GET", "/models/nobody", 404, None),
        ("DELETE", "/models/rehearsal", 403, None),
        ("POST", "/chat/completions", 400, {"model": "rehearsal", "messages": []}),
        (
            "POST",
            "/chat/completions",
            404,
            {"model": "nobody", "messages": [{"role": "user", "content": "a"}]},
        ),
        ("POST", "/uploads/upload-none/cancel", 404, None),
        ("POST", "/completions", 400, {"model": "rehearsal"}),
        ("POST", "/responses", 404, {"model": "nobody", "input": "a"}),
        ("GET", "/responses/resp_none", 404, None),
        ("POST", "/embeddings", 400, {"model": "rehearsal", "input": []}),
        ("POST", "/batches", 400, {"input_file_id": "file-none"}),
        ("GET", "/batches/batch_none", 404, None),
        ("POST", "/fine_tuning/alpha/graders/run", 400, {"grader": {"type": []}, "model_sample": ""}),
        ("POST", "/moderations", 404, {"input": "a"}),
        ("PUT", "/files", 405, None),
        ("GET", "/nothing", 404, None),
    ],
)
def test_errors(ask: Ask, method: str, path: str, status: int, body: dict[str, Any] | None) -> None:
    """Every refusal is an error object, alone below `error`."""
    found = ask(ErrorObject, method, path, status=status, **({} if body is None else {"json": body}))
    assert found.type == "invalid_request_error" and found.message


def test_what_the_check_itself_notices() -> None:
    """A missing field, another type, an unknown value and an unknown key are all found."""
    good = {"id": "m", "object": "model", "created": 1, "owned_by": "o"}
    strict(Model, json.dumps(good))
    for wrong in ({"created": "1"}, {"object": "models"}, {"created": None}):
        with pytest.raises(pydantic.ValidationError):
            strict(Model, json.dumps({**good, **wrong}))
    with pytest.raises(pydantic.ValidationError):
        strict(Model, json.dumps({key: good[key] for key in ("id", "object", "created")}))
    with pytest.raises(AssertionError):
        strict(Model, json.dumps({**good, "more": 1}))
