"""Owns every call to a server of the fine-tuning protocol, through the openai SDK's client.

Reads may be retried; the POST that creates a job is sent once: no retries, no redirects, a connection of
its own. Answers are checked here, because the SDK does not validate them.
"""

from __future__ import annotations

import base64
import binascii
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import openai

from ftrun.errors import FtrunError
from ftrun.targets.failures import as_error, outcome_of
from ftrun.targets.service import Created, Event, Job, JobRequest, NotCreated, RemoteFile, Reply, Unclear

READ_RETRIES = 4
TIMEOUT = httpx2.Timeout(120.0, connect=10.0)  # seconds
CHAT_TIMEOUT = httpx2.Timeout(900.0, connect=10.0)  # a laptop may need minutes to load a model and answer
UPLOAD_TIMEOUT = httpx2.Timeout(1800.0, connect=10.0)
FILE_WAIT = 600.0  # seconds until an uploaded file must be usable
MOST_PAGES = 1000  # a cursor that doesn't move must not loop for ever
SPEC_KEY = "ftrun_spec"
UNUSABLE_FILE = ("error", "deleted")


class ApiService:
    """A server of the protocol, reached through the official SDK."""

    def __init__(
        self,
        *,
        base_url: str,
        key: str,
        organization: str | None,
        project: str | None,
        honours_keys: bool = False,
    ) -> None:
        self.honours_keys = honours_keys
        self._options: dict[str, Any] = {
            "base_url": base_url,
            "api_key": key,
            "organization": organization,
            "project": project,
        }
        self._client = self._make_client(READ_RETRIES)

    def _make_client(self, retries: int) -> openai.OpenAI:
        # no redirects: a body that is paid for, and the key, go to the named server or nowhere
        http = httpx2.Client(follow_redirects=False, timeout=TIMEOUT)
        return openai.OpenAI(**self._options, max_retries=retries, http_client=http)

    def close(self) -> None:
        """Close connections."""
        self._client.close()

    def find_file(self, name: str, size: int) -> RemoteFile | None:
        """Return a usable training file of that name and size in bytes, if there is one."""
        try:
            for number, found in enumerate(self._client.files.list(purpose="fine-tune", limit=100)):
                usable = found.status not in UNUSABLE_FILE and not _expired(found.expires_at)
                if found.filename == name and found.bytes == size and usable:
                    return RemoteFile(id=found.id, name=found.filename, bytes=found.bytes)
                if number > MOST_PAGES * 100:
                    break
        except openai.OpenAIError as error:
            raise as_error(error, "looking for earlier uploads") from error
        return None

    def file(self, file_id: str) -> RemoteFile | None:
        """Return the file, or None when the server doesn't have it."""
        try:
            found = self._client.files.retrieve(file_id)
        except openai.NotFoundError:
            return None
        except openai.OpenAIError as error:
            raise as_error(error, f"looking at file {file_id}") from error
        if found.status in UNUSABLE_FILE:
            return None
        return RemoteFile(id=found.id, name=found.filename, bytes=found.bytes)

    def upload(self, path: Path, name: str) -> RemoteFile:
        """Upload the bytes of `path` under `name` and wait until the server can use them."""
        once = self._make_client(0)
        try:
            with path.open("rb") as file:
                made = once.files.create(file=(name, file), purpose="fine-tune", timeout=UPLOAD_TIMEOUT)
        except (openai.OpenAIError, ValueError) as error:
            raise as_error(error, f"uploading {name}") from error
        finally:
            once.close()
        if not isinstance(getattr(made, "id", None), str):
            raise FtrunError(f"uploading {name}: the server's answer names no file", code="unreadable_answer")
        self._wait_until_usable(made.id, name)
        return RemoteFile(id=made.id, name=name, bytes=path.stat().st_size)

    def _wait_until_usable(self, file_id: str, name: str) -> None:
        deadline = time.monotonic() + FILE_WAIT
        pause = 0.2
        while True:
            try:
                found = self._client.files.retrieve(file_id)
            except openai.OpenAIError as error:
                raise as_error(error, f"waiting for {name}") from error
            if found.status == "error":
                raise FtrunError(
                    f"the server refused {name}: {found.status_details or 'no reason given'}",
                    code="file_refused",
                )
            if found.status in ("processed", "uploaded", None):
                return
            if time.monotonic() > deadline:
                raise FtrunError(f"{name} was not usable after {FILE_WAIT:.0f} s", code="file_not_ready")
            time.sleep(pause)
            pause = min(pause * 2, 10.0)

    def find_jobs(self, request: JobRequest, since: float | None) -> list[Job]:
        """Return the jobs with this spec key, else by file and model where metadata are stripped."""
        spec = request.metadata[SPEC_KEY]
        try:
            named = list(self._jobs(metadata={SPEC_KEY: spec}))
            found = [job for job in named if job.metadata.get(SPEC_KEY) == spec]
            if found:
                return found
            # a server may ignore the filter, or strip metadata: look at what it has, by file and model
            return [job for job in self._jobs() if _same_work(job, request, spec, since)]
        except openai.OpenAIError as error:
            raise as_error(error, "looking for earlier jobs") from error

    def _jobs(self, **filters: Any) -> Iterator[Job]:
        seen: set[str] = set()
        for job in self._client.fine_tuning.jobs.list(limit=100, **filters):
            if job.id in seen or len(seen) > MOST_PAGES * 100:
                return
            seen.add(job.id)
            yield _job(job)

    def create_job(self, request: JobRequest, key: str) -> Created | NotCreated | Unclear:
        """POST the job once, under the Idempotency-Key `key`."""
        once = self._make_client(0)
        try:
            made = once.fine_tuning.jobs.create(
                **_create_arguments(request), extra_headers={"Idempotency-Key": key, "Connection": "close"}
            )
        except Exception as error:  # whatever happened: the question is only whether a job was made
            return outcome_of(error)
        finally:
            once.close()
        if not isinstance(getattr(made, "id", None), str) or not made.id:
            return Unclear(reason="the server answered with success, but names no job")
        return Created(job=_job(made))

    def job(self, job_id: str) -> Job:
        """Return the job."""
        try:
            return _job(self._client.fine_tuning.jobs.retrieve(job_id))
        except (openai.OpenAIError, ValueError) as error:
            raise as_error(error, f"asking for job {job_id}") from error

    def cancel(self, job_id: str) -> Job:
        """Ask the server to stop the job."""
        try:
            return _job(self._client.fine_tuning.jobs.cancel(job_id))
        except (openai.OpenAIError, ValueError) as error:
            raise as_error(error, f"cancelling job {job_id}") from error

    def events(self, job_id: str, *, newest: int = 50) -> list[Event]:
        """Return the newest events, oldest first."""
        try:
            page = self._client.fine_tuning.jobs.list_events(job_id, limit=min(newest, 100))
            found = []
            for event in page:
                found.append(_event(event))
                if len(found) >= newest:
                    break
        except (openai.OpenAIError, ValueError) as error:
            raise as_error(error, f"asking for the events of {job_id}") from error
        found.reverse()  # servers list the newest first, and events of one second must keep their order
        return sorted(found, key=lambda event: event.created_at)

    def checkpoints(self, job_id: str) -> list[Mapping[str, Any]]:
        """Return the checkpoints: step, model, metrics."""
        try:
            found = list(self._client.fine_tuning.jobs.checkpoints.list(job_id, limit=100))
        except openai.OpenAIError as error:
            raise as_error(error, f"asking for the checkpoints of {job_id}") from error
        return [
            {
                "step": point.step_number,
                "model": point.fine_tuned_model_checkpoint,
                "metrics": point.metrics.model_dump(exclude_none=True) if point.metrics else {},
            }
            for point in sorted(found, key=lambda point: point.step_number)
        ]

    def result_csv(self, file_id: str) -> str:
        """Return the text of a result file; base64 is undone."""
        try:
            content = self._client.files.content(file_id).read()
        except openai.OpenAIError as error:
            raise as_error(error, f"fetching the result file {file_id}") from error
        return _decode_csv(content)

    def chat(self, model: str, messages: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any]) -> Reply:
        """Ask `model` once."""
        start = time.monotonic()
        try:
            answer: Any = self._client.chat.completions.create(
                model=model,
                messages=list(messages),  # type: ignore[arg-type]
                timeout=CHAT_TIMEOUT,
                **sampling,
            )
            text = answer.choices[0].message.content or ""
        except (openai.OpenAIError, ValueError) as error:
            raise as_error(error, f"asking {model}") from error
        except (AttributeError, IndexError, TypeError) as error:
            raise FtrunError(f"asking {model}: the server's answer holds no message") from error
        usage = answer.usage
        counts = {
            "prompt_tokens": getattr(usage, "prompt_tokens", 0) or 0,
            "completion_tokens": getattr(usage, "completion_tokens", 0) or 0,
        }
        return Reply(text=text, usage=counts, seconds=round(time.monotonic() - start, 3))

    def chat_stream(
        self, model: str, messages: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any]
    ) -> Iterator[str]:
        """Ask `model` and yield the answer in pieces."""
        try:
            stream: Any = self._client.chat.completions.create(
                model=model,
                messages=list(messages),  # type: ignore[arg-type]
                stream=True,
                timeout=CHAT_TIMEOUT,
                **sampling,
            )
            for chunk in stream:
                if chunk.choices and chunk.choices[0].delta.content:
                    yield chunk.choices[0].delta.content
        except (openai.OpenAIError, ValueError, httpx2.HTTPError) as error:
            raise as_error(error, f"asking {model}") from error


def _create_arguments(request: JobRequest) -> dict[str, Any]:
    method = {"type": "supervised", "supervised": {"hyperparameters": dict(request.hyperparameters)}}
    optional = {
        "validation_file": request.validation_file,
        "seed": request.seed,
        "suffix": request.suffix,
    }
    return {
        "model": request.model,
        "training_file": request.training_file,
        "method": method,
        "metadata": dict(request.metadata),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _same_work(job: Job, request: JobRequest, spec: str, since: float | None) -> bool:
    """Tell whether a job without our metadata can be the one that this request made."""
    told = job.metadata.get(SPEC_KEY)
    if told is not None:
        return told == spec
    same_model = job.model == request.model or job.model.startswith(f"{request.model}-20")
    same_files = (job.training_file, job.validation_file) == (request.training_file, request.validation_file)
    # what a server doesn't tell again can't speak against it
    same_suffix = job.suffix is None or job.suffix == request.suffix
    same_seed = job.seed is None or request.seed is None or job.seed == request.seed
    young = since is not None and (job.created_at or 0) >= since - 5
    return same_model and same_files and same_suffix and same_seed and young


def _job(raw: Any) -> Job:
    """Return our Job from the SDK's unvalidated one; ValueError when it names no job."""
    if not isinstance(getattr(raw, "id", None), str):
        raise ValueError("the server's answer is no fine-tuning job")
    error = getattr(raw, "error", None)
    message = getattr(error, "message", None)
    return Job(
        id=raw.id,
        status=str(raw.status),
        model=str(raw.model),
        training_file=str(raw.training_file),
        validation_file=getattr(raw, "validation_file", None) or None,
        suffix=getattr(raw, "user_provided_suffix", None) or getattr(raw, "suffix", None) or None,
        fine_tuned_model=getattr(raw, "fine_tuned_model", None) or None,
        error=str(message) if message else None,
        created_at=getattr(raw, "created_at", None),
        finished_at=getattr(raw, "finished_at", None),
        estimated_finish=getattr(raw, "estimated_finish", None),
        trained_tokens=getattr(raw, "trained_tokens", None),
        seed=getattr(raw, "seed", None),
        hyperparameters=_hyperparameters(raw),
        result_files=tuple(_file_id(item) for item in getattr(raw, "result_files", None) or ()),
        metadata=dict(getattr(raw, "metadata", None) or {}),
    )


def _hyperparameters(raw: Any) -> dict[str, Any]:
    method = getattr(raw, "method", None)
    supervised = getattr(method, "supervised", None)
    found = getattr(supervised, "hyperparameters", None) or getattr(raw, "hyperparameters", None)
    return found.model_dump(exclude_none=True) if found is not None and hasattr(found, "model_dump") else {}


def _file_id(item: Any) -> str:
    return item if isinstance(item, str) else str(getattr(item, "id", None) or item["id"])


def _event(raw: Any) -> Event:
    data = getattr(raw, "data", None)
    return Event(
        id=str(raw.id),
        created_at=int(raw.created_at),
        level=str(raw.level),
        message=str(raw.message),
        data=data if isinstance(data, dict) else {},
    )


def _expired(expires_at: int | None) -> bool:
    return expires_at is not None and expires_at <= time.time() + 3600


def _decode_csv(content: bytes) -> str:
    text = content.decode("utf-8-sig", errors="strict") if content else ""
    if "," not in text and text.strip():
        try:
            return io.BytesIO(base64.b64decode(text, validate=True)).read().decode("utf-8")
        except (binascii.Error, UnicodeDecodeError) as error:
            raise FtrunError("the result file is neither CSV nor base64 of it", code="result_file") from error
    return text
