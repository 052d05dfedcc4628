"""The files of a batch: the requests in its input, line by line, and the lines of its output."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ftrun.engine.api.body import Body, parse_json
from ftrun.engine.api.errors import ApiError, error_body
from ftrun.engine.api.guard import BODY_BYTES
from ftrun.engine.store.batches import BatchAnswer
from ftrun.engine.store.records import new_id

MOST_REQUESTS = 50_000
LARGEST_FILE = 200 * 1024 * 1024
LONGEST_ID = 512
MOST_ERRORS = 100  # of a file, that are listed


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """A line of the input, counted from 1: what to ask, and the name that the client gave it."""

    line: int
    custom_id: str
    body: Mapping[str, Any]

    @property
    def model(self) -> str:
        """Return the name of the model that is asked."""
        return str(self.body["model"])


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedFile:
    """What is in the input of a batch; with `errors` it can't be used."""

    total: int
    model: str | None
    errors: list[dict[str, Any]]


def read_requests(path: Path, endpoint: str) -> Iterator[BatchRequest]:
    """Yield the requests of a checked file, read one at a time."""
    for line, raw in _lines(path):
        yield _read(line, raw, endpoint)


def check_file(path: Path, endpoint: str) -> CheckedFile:
    """Read the whole file, one line at a time, and say what is in it and what is wrong with it."""
    errors: list[dict[str, Any]] = []
    first: dict[str, int] = {}
    model, total = None, 0
    for line, raw in _lines(path):
        total += 1
        try:
            if total > MOST_REQUESTS:
                message = f"The file has more than {MOST_REQUESTS} requests: divide it."
                raise ApiError(message, code="too_many_requests")
            request = _read(line, raw, endpoint)
            earlier = first.setdefault(request.custom_id, line)
            if earlier != line:
                message = f"custom_id {request.custom_id!r} is also that of line {earlier}."
                raise ApiError(message, code="duplicate_custom_id", param="custom_id")
            model = model or request.model
            if request.model != model:
                message = f"All requests of a batch have the same model: {request.model!r} is not {model!r}."
                raise ApiError(message, code="mismatched_model", param="body.model")
        except ApiError as error:
            errors.append(batch_error(error, line))
            if total > MOST_REQUESTS or len(errors) == MOST_ERRORS:
                break
    if not total:
        errors.append(batch_error(ApiError("The file has no requests.", code="empty_file")))
    return CheckedFile(total=total, model=model, errors=errors)


def batch_error(error: ApiError, line: int | None = None) -> dict[str, Any]:
    """Return an error of a batch as the API writes it."""
    return {"code": error.code, "message": str(error), "param": error.param, "line": line}


def good_answer(request: BatchRequest, answer: Mapping[str, Any]) -> BatchAnswer:
    """Return the line of the output for a request that was answered."""
    usage = answer.get("usage") or {}
    return BatchAnswer(
        line=request.line,
        good=True,
        text=_written(request, 200, answer),
        input_tokens=usage.get("prompt_tokens", usage.get("input_tokens", 0)),
        output_tokens=usage.get("completion_tokens", usage.get("output_tokens", 0)),
    )


def refused_answer(request: BatchRequest, error: ApiError) -> BatchAnswer:
    """Return the line of the error file for a request that was refused, or failed."""
    return BatchAnswer(line=request.line, good=False, text=_written(request, error.status, error.body))


def crashed_answer(request: BatchRequest, error: Exception) -> BatchAnswer:
    """Return the line of the error file for a request in which the engine itself failed."""
    body = error_body(f"The engine failed: {type(error).__name__}: {error}.", status=500, code=None)
    return BatchAnswer(line=request.line, good=False, text=_written(request, 500, body))


def missing_answer(request: BatchRequest, *, code: str, message: str) -> BatchAnswer:
    """Return the line of the error file for a request that is no longer asked."""
    line = {
        "id": new_id("batch_req"),
        "custom_id": request.custom_id,
        "response": None,
        "error": {"code": code, "message": message},
    }
    return BatchAnswer(line=request.line, good=False, text=json.dumps(line, ensure_ascii=False))


def _written(request: BatchRequest, status: int, body: Mapping[str, Any]) -> str:
    line = {
        "id": new_id("batch_req"),
        "custom_id": request.custom_id,
        "response": {"status_code": status, "request_id": new_id("req"), "body": body},
        "error": None,
    }
    return json.dumps(line, ensure_ascii=False)


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the bytes of each line that is not blank."""
    with path.open("rb") as file:
        number = 0
        while raw := file.readline(BODY_BYTES + 1):
            number += 1
            if raw.strip():
                yield number, raw
            if len(raw) > BODY_BYTES:
                return  # `_read` has refused it


def _read(line: int, raw: bytes, endpoint: str) -> BatchRequest:
    if len(raw) > BODY_BYTES:
        message = f"The line is too long: the limit is {BODY_BYTES // 1024 // 1024} MB."
        raise ApiError(message, code="line_too_long")
    try:
        value = parse_json(raw)
    except ValueError as error:
        raise ApiError(f"The line is not JSON: {error}.", code="invalid_json_line") from error
    if not isinstance(value, dict):
        raise ApiError("The line must be a JSON object.", code="invalid_json_line")
    reader = Body(value)
    custom_id = reader.text("custom_id", shortest=1, longest=LONGEST_ID) or reader.required_text("custom_id")
    if (method := reader.required_text("method")) != "POST":
        reader.refuse("method", f"must be POST, not {method!r}.", code="invalid_method")
    if (url := reader.required_text("url")) != endpoint:
        reader.refuse("url", f"must be the batch's endpoint {endpoint}, not {url!r}.", code="invalid_url")
    body = reader.required_object("body")
    body.required_text("model")
    reader.done()
    return BatchRequest(line=line, custom_id=custom_id, body=body.values)
