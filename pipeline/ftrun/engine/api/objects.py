"""The API's objects as JSON, made from the store's values. Tests hold them to openai.types."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ftrun.engine.api.errors import ApiError
from ftrun.engine.models.catalogue import BaseModel
from ftrun.engine.store import (
    StoredAlias,
    StoredBatch,
    StoredCheckpoint,
    StoredEvent,
    StoredFile,
    StoredJob,
    StoredModel,
    StoredPart,
    StoredUpload,
)
from ftrun.engine.store.paging import Page, UnknownCursor
from ftrun.engine.store.records import Stored


def file_object(file: StoredFile) -> dict[str, Any]:
    """Return a `file`; one that never expires has no `expires_at`, which can't be null."""
    expiry = {} if file.expires_at is None else {"expires_at": file.expires_at}
    return {
        "id": file.id,
        "object": "file",
        "bytes": file.bytes,
        "created_at": file.created_at,
        "filename": file.filename,
        "purpose": file.purpose,
        "status": "processed",
        **expiry,
    }


def upload_object(upload: StoredUpload, file: StoredFile | None) -> dict[str, Any]:
    """Return an `upload`, with its `file` once it is complete."""
    return {
        "id": upload.id,
        "object": "upload",
        "bytes": upload.bytes,
        "created_at": upload.created_at,
        "expires_at": upload.expires_at,
        "filename": upload.filename,
        "purpose": upload.purpose,
        "status": upload.standing,
        "file": file_object(file) if file else None,
    }


def part_object(part: StoredPart) -> dict[str, Any]:
    """Return an `upload.part`."""
    return {
        "id": part.id,
        "object": "upload.part",
        "created_at": part.created_at,
        "upload_id": part.upload_id,
    }


def job_object(job: StoredJob) -> dict[str, Any]:
    """Return a `fine_tuning.job`; with `dtype`, which only we have, once its model has begun to train."""
    dtype = {} if job.dtype is None else {"dtype": job.dtype}
    hyperparameters = dict(job.hyperparameters)
    settings = {"hyperparameters": hyperparameters, **({"grader": job.grader} if job.grader else {})}
    return {
        "id": job.id,
        "object": "fine_tuning.job",
        "created_at": job.created_at,
        "finished_at": job.finished_at,
        "estimated_finish": job.estimated_finish,
        "status": job.status,
        "error": job.error,
        "model": job.alias or job.continue_from or job.model,
        "fine_tuned_model": job.fine_tuned_model,
        "training_file": job.training_file,
        "validation_file": job.validation_file,
        "result_files": [job.result_file] if job.result_file else [],
        "hyperparameters": hyperparameters,
        "method": {"type": job.method, job.method: settings},
        "seed": job.seed,
        "user_provided_suffix": job.suffix,
        "metadata": job.metadata,
        "trained_tokens": job.trained_tokens,
        "organization_id": "local",
        "integrations": [],
        **dtype,
    }


def event_object(event: StoredEvent) -> dict[str, Any]:
    """Return a `fine_tuning.job.event`."""
    return {
        "id": event.id,
        "object": "fine_tuning.job.event",
        "created_at": event.created_at,
        "level": event.level,
        "message": event.message,
        "type": event.type,
        "data": event.data or {},
    }


def checkpoint_object(checkpoint: StoredCheckpoint) -> dict[str, Any]:
    """Return a `fine_tuning.job.checkpoint`."""
    return {
        "id": checkpoint.id,
        "object": "fine_tuning.job.checkpoint",
        "created_at": checkpoint.created_at,
        "fine_tuned_model_checkpoint": checkpoint.name,
        "fine_tuning_job_id": checkpoint.job_id,
        "metrics": {**checkpoint.metrics, "step": checkpoint.step},
        "step_number": checkpoint.step,
    }


def batch_object(batch: StoredBatch) -> dict[str, Any]:
    """Return a `batch`. What comes from the cache is not counted, and no model reasons apart."""
    usage = {
        "input_tokens": batch.input_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": batch.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": batch.input_tokens + batch.output_tokens,
    }
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": batch.endpoint,
        "model": batch.model,
        "errors": None if batch.errors is None else {"object": "list", "data": list(batch.errors)},
        "input_file_id": batch.input_file_id,
        "completion_window": "24h",
        "status": batch.status,
        "output_file_id": batch.output_file_id,
        "error_file_id": batch.error_file_id,
        "created_at": batch.created_at,
        "in_progress_at": batch.in_progress_at,
        "expires_at": batch.expires_at,
        "finalizing_at": batch.finalizing_at,
        "completed_at": batch.completed_at,
        "failed_at": batch.failed_at,
        "expired_at": batch.expired_at,
        "cancelling_at": batch.cancelling_at,
        "cancelled_at": batch.cancelled_at,
        "request_counts": {"total": batch.total, "completed": batch.completed, "failed": batch.failed},
        "usage": usage,
        "metadata": batch.metadata,
    }


def base_model_object(model: BaseModel) -> dict[str, Any]:
    """Return a `model` of the catalogue."""
    return {"id": model.name, "object": "model", "created": model.released, "owned_by": "ftrun"}


def alias_object(alias: StoredAlias) -> dict[str, Any]:
    """Return a `model` for an alias."""
    return {"id": alias.name, "object": "model", "created": alias.created_at, "owned_by": "local"}


def tuned_model_object(model: StoredModel) -> dict[str, Any]:
    """Return a `model` that was tuned here."""
    return {"id": model.id, "object": "model", "created": model.created_at, "owned_by": "local"}


def list_object(
    read: Callable[[], Page[Stored]], make: Callable[[Stored], Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a page of a list, read by `read`; ApiError if the request's `after` is unknown."""
    try:
        page = read()
    except UnknownCursor as error:
        raise unknown_cursor(str(error)) from error
    return page_object([make(record) for record in page.records], has_more=page.has_more)


def page_object(data: Sequence[Mapping[str, Any]], *, has_more: bool) -> dict[str, Any]:
    """Return a page of a list with these objects."""
    return {
        "object": "list",
        "data": data,
        "has_more": has_more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


def unknown_cursor(after: str) -> ApiError:
    """Return the 400 for an `after` that is not in the list."""
    return ApiError(f"after: there is no '{after}' in this list.", code="invalid_value", param="after")
