"""/v1/uploads: create, parts, complete, cancel. Uploads of large files can be resumed."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile

from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.errors import ApiError, not_found
from ftrun.engine.api.fields import read_lifetime
from ftrun.engine.api.files import PURPOSES, wrong_purpose
from ftrun.engine.api.guard import PART_BYTES
from ftrun.engine.api.idempotency import answer_once
from ftrun.engine.api.objects import part_object, upload_object
from ftrun.engine.api.services import Services, services
from ftrun.engine.store import StoredUpload

LARGEST = 8 * 1024 * 1024 * 1024
MD5 = re.compile(r"[0-9a-f]{32}")

router = APIRouter(prefix="/v1/uploads")
Use = Annotated[Services, Depends(services)]
JsonBody = Annotated[Body, Depends(json_body)]


@router.post("")
def create(use: Use, request: Request, body: JsonBody) -> JSONResponse:
    """Begin an upload of a given size."""

    def act() -> dict[str, Any]:
        filename, purpose = body.required_text("filename"), body.required_text("purpose")
        body.required_text("mime_type")
        size = body.integer("bytes", least=1, most=LARGEST)
        lifetime = read_lifetime(body.object("expires_after"))
        body.done()
        if size is None:
            body.missing("bytes")
        if purpose not in PURPOSES:
            raise wrong_purpose(purpose)
        name = PurePath(filename).name
        return upload_object(
            use.store.uploads.create(filename=name, purpose=purpose, size=size, lifetime=lifetime), None
        )

    return answer_once(request, body.values, act)


@router.post("/{upload_id}/parts")
async def add_part(use: Use, request: Request, upload_id: str) -> JSONResponse:
    """Store a part that is sent as multipart/form-data."""
    _pending(use, upload_id)
    async with request.form(max_files=1, max_fields=1) as form:
        data = form.get("data")
        if not isinstance(data, UploadFile) or len(form) != 1:
            message = "data is required, and nothing else: send it as multipart/form-data."
            raise ApiError(message, code="missing_required_parameter", param="data")
        return JSONResponse(await run_in_threadpool(_keep_part, use, upload_id, data))


@router.post("/{upload_id}/complete")
def complete(use: Use, upload_id: str, body: JsonBody) -> dict[str, Any]:
    """Join the parts in the given order; a complete upload is answered with its file."""
    part_ids, md5 = body.take("part_ids"), body.text("md5")
    body.done()
    if not isinstance(part_ids, list) or not part_ids or not all(isinstance(one, str) for one in part_ids):
        body.refuse("part_ids", "must be a list of the ids of all parts, in order.")
    if md5 is not None and not MD5.fullmatch(md5):
        body.refuse("md5", "must be an MD5 in 32 hexadecimal digits.")
    upload = _find(use, upload_id)
    if upload.status == "completed":
        return _object(use, upload)
    _pending(use, upload_id)
    _check_parts(use, upload, part_ids)
    content, found = use.store.uploads.join(part_ids)
    if md5 is not None and md5 != found:
        use.store.files.drop(content)
        raise ApiError(f"The parts have the MD5 {found}, not {md5}.", code="md5_mismatch", param="md5")
    use.store.uploads.complete(upload, content)
    return _object(use, _find(use, upload_id))


@router.post("/{upload_id}/cancel")
def cancel(use: Use, upload_id: str) -> dict[str, Any]:
    """Cancel an upload."""
    _pending(use, upload_id)
    use.store.uploads.cancel(upload_id)
    return _object(use, _find(use, upload_id))


def _find(use: Services, upload_id: str) -> StoredUpload:
    upload = use.store.uploads.get(upload_id)
    if upload is None:
        raise not_found("upload", upload_id, param="upload_id")
    return upload


def _pending(use: Services, upload_id: str) -> None:
    status = _find(use, upload_id).standing
    if status != "pending":
        raise ApiError(f"The upload '{upload_id}' is {status}.", code="upload_not_pending", param="upload_id")


def _keep_part(use: Services, upload_id: str, data: UploadFile) -> dict[str, Any]:
    saved, used = use.store.files.save(data.file), False
    try:
        if not 0 < saved.bytes <= PART_BYTES:
            message = f"A part has 1 to {PART_BYTES // 1024 // 1024} MB."
            raise ApiError(message, code="invalid_part", param="data")
        part = part_object(use.store.uploads.add_part(upload_id, saved))
        used = True
        return part
    finally:
        if not used:
            use.store.files.drop(saved)


def _check_parts(use: Services, upload: StoredUpload, part_ids: list[str]) -> None:
    known = use.store.uploads.parts(upload.id)
    strange = next((one for one in part_ids if one not in known), None)
    if strange is not None or len(set(part_ids)) != len(part_ids):
        what = f"'{strange}' is not a part of this upload" if strange else "a part is listed twice"
        raise ApiError(f"part_ids: {what}.", code="invalid_parts", param="part_ids")
    total = sum(known[one].bytes for one in part_ids)
    if total != upload.bytes:
        message = f"The parts have {total} bytes, but the upload was announced with {upload.bytes}."
        raise ApiError(message, code="size_mismatch", param="part_ids")


def _object(use: Services, upload: StoredUpload) -> dict[str, Any]:
    file = use.store.files.get(upload.file_id) if upload.file_id else None
    return upload_object(upload, file)
