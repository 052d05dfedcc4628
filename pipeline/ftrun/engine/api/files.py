"""/v1/files: create, list, retrieve, content, delete."""

from __future__ import annotations

from pathlib import PurePath
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import FileResponse, JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from ftrun.engine.api.errors import ApiError, did_you_mean
from ftrun.engine.api.fields import LONGEST_LIFE, SHORTEST_LIFE
from ftrun.engine.api.guard import FILE_BYTES
from ftrun.engine.api.idempotency import answer_once
from ftrun.engine.api.lookup import find_file
from ftrun.engine.api.objects import file_object, list_object
from ftrun.engine.api.services import Services, services
from ftrun.engine.store import StoredFile

PURPOSES = ("fine-tune", "assistants", "batch", "vision", "user_data")
FIELDS = frozenset({"file", "purpose", "expires_after[anchor]", "expires_after[seconds]"})

router = APIRouter(prefix="/v1/files")
Use = Annotated[Services, Depends(services)]


@router.post("")
async def create(request: Request) -> JSONResponse:
    """Store a file that is sent as multipart/form-data."""
    async with request.form(max_files=1, max_fields=len(FIELDS)) as form:
        file, purpose, lifetime = _fields(form)
        return await run_in_threadpool(_keep, request, file, purpose, lifetime)


@router.get("")
def list_files(
    use: Use,
    purpose: str | None = None,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 10_000,
    after: str | None = None,
    order: Literal["asc", "desc"] = "desc",
) -> dict[str, Any]:
    """List files, newest first."""
    return list_object(
        lambda: use.store.files.page(purpose=purpose, limit=limit, after=after, ascending=order == "asc"),
        file_object,
    )


@router.get("/{file_id}")
def retrieve(use: Use, file_id: str) -> dict[str, Any]:
    """Return a file's metadata."""
    return file_object(_find(use, file_id))


@router.get("/{file_id}/content")
def content(use: Use, file_id: str) -> FileResponse:
    """Return a file's content."""
    file = _find(use, file_id)
    return FileResponse(
        use.store.files.path(file.id), filename=file.filename, media_type="application/octet-stream"
    )


@router.delete("/{file_id}")
def delete(use: Use, file_id: str) -> dict[str, Any]:
    """Delete a file that no unfinished job or batch reads."""
    file = _find(use, file_id)
    job = use.store.jobs.using(file.id)
    if job is not None:
        raise ApiError(
            f"Job {job.id} still needs the file {file.id}; cancel the job first.", code="file_in_use"
        )
    batch = use.store.batches.using(file.id)
    if batch is not None:
        raise ApiError(
            f"Batch {batch.id} still needs the file {file.id}; cancel the batch first.", code="file_in_use"
        )
    use.store.files.delete(file.id)
    return {"id": file.id, "object": "file", "deleted": True}


def _find(use: Services, file_id: str) -> StoredFile:
    return find_file(use.store, file_id, param="file_id")


def _fields(form: FormData) -> tuple[UploadFile, str, int | None]:
    """Return file, purpose and lifetime in seconds of a form."""
    for name in form.keys() - FIELDS:
        raise ApiError(f"{name} is not a field of this form.", code="unknown_parameter", param=name)
    file, purpose = form.get("file"), form.get("purpose")
    if not isinstance(file, UploadFile):
        message = "file is required: send it as multipart/form-data."
        raise ApiError(message, code="missing_required_parameter", param="file")
    if purpose is None:
        message = "purpose is required: 'fine-tune' for a file to train on."
        raise ApiError(message, code="missing_required_parameter", param="purpose")
    if purpose not in PURPOSES:
        raise wrong_purpose(str(purpose))
    return file, str(purpose), _lifetime(form)


def wrong_purpose(purpose: str) -> ApiError:
    """Return the 400 for a purpose that files can't have."""
    message = (
        f"purpose must be one of {', '.join(PURPOSES)}, not '{purpose}'.{did_you_mean(purpose, PURPOSES)}"
    )
    return ApiError(message, code="invalid_value", param="purpose")


def _lifetime(form: FormData) -> int | None:
    anchor, seconds = form.get("expires_after[anchor]"), form.get("expires_after[seconds]")
    if anchor is None and seconds is None:
        return None
    good = isinstance(seconds, str) and seconds.isdecimal()
    if anchor != "created_at" or not good or not SHORTEST_LIFE <= int(str(seconds)) <= LONGEST_LIFE:
        message = f"expires_after must be created_at and {SHORTEST_LIFE} to {LONGEST_LIFE} seconds."
        raise ApiError(message, code="invalid_value", param="expires_after")
    return int(str(seconds))


def _keep(request: Request, file: UploadFile, purpose: str, lifetime: int | None) -> JSONResponse:
    """Save the content, then add the file; a repeated or refused request leaves nothing behind."""
    use, filename = services(request), PurePath(file.filename or "upload").name
    saved, used = use.store.files.save(file.file), False

    def add() -> dict[str, Any]:
        nonlocal used
        if not 0 < saved.bytes <= FILE_BYTES:
            raise ApiError("The file is empty or over 512 MB.", code="invalid_file", param="file")
        record = use.store.files.add(saved, filename=filename, purpose=purpose, lifetime=lifetime)
        used = True
        return file_object(record)

    try:
        return answer_once(request, [filename, purpose, saved.sha256, lifetime], add)
    finally:
        if not used:
            use.store.files.drop(saved)
