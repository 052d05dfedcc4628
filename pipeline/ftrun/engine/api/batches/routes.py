"""/v1/batches: create, list, retrieve, cancel."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from ftrun.engine.api.batches.file import LARGEST_FILE
from ftrun.engine.api.batches.runs import ENDPOINTS, BatchRuns, batch_runs
from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.errors import ApiError, not_found
from ftrun.engine.api.fields import read_lifetime, read_metadata
from ftrun.engine.api.idempotency import answer_once
from ftrun.engine.api.lookup import require_file
from ftrun.engine.api.objects import batch_object, list_object
from ftrun.engine.api.services import Services, services
from ftrun.engine.store import StoredBatch
from ftrun.engine.store.batches import NewBatch

WINDOW = "24h"

router = APIRouter(prefix="/v1/batches")
Use = Annotated[Services, Depends(services)]
Runs = Annotated[BatchRuns, Depends(batch_runs)]


@router.post("")
async def create(
    use: Use, runs: Runs, request: Request, body: Annotated[Body, Depends(json_body)]
) -> JSONResponse:
    """Create a batch of the requests in a file."""
    created: list[StoredBatch] = []

    def act() -> dict[str, Any]:
        created.append(use.store.batches.create(_read(body, use)))
        return batch_object(created[0])

    answer = await run_in_threadpool(answer_once, request, body.values, act)
    for batch in created:
        runs.begin(batch)
    return answer


@router.get("")
def list_batches(
    use: Use, limit: Annotated[int, Query(ge=1, le=100)] = 20, after: str | None = None
) -> dict[str, Any]:
    """List batches, newest first."""
    return list_object(lambda: use.store.batches.page(limit=limit, after=after), batch_object)


@router.get("/{batch_id}")
def retrieve(use: Use, batch_id: str) -> dict[str, Any]:
    """Return a batch."""
    return batch_object(_find(use, batch_id))


@router.post("/{batch_id}/cancel")
async def cancel(use: Use, runs: Runs, batch_id: str) -> dict[str, Any]:
    """Cancel a batch that is being answered; cancelling it again changes nothing."""
    batch, cancelled = await run_in_threadpool(_cancel, use, batch_id)
    if cancelled:
        runs.cancel(batch)
    elif batch.status not in ("cancelling", "cancelled"):
        raise ApiError(f"Batch {batch_id} is already {batch.status}.", code="batch_already_finished")
    return batch_object(batch)


def _cancel(use: Services, batch_id: str) -> tuple[StoredBatch, bool]:
    _find(use, batch_id)
    cancelled = use.store.batches.move(batch_id, "cancelling", start=["validating", "in_progress"])
    return _find(use, batch_id), cancelled


def _read(body: Body, use: Services) -> NewBatch:
    endpoint, file_id = body.required_text("endpoint"), body.required_text("input_file_id")
    if endpoint not in ENDPOINTS:
        body.refuse("endpoint", f"can't be {endpoint!r}: batches answer {', '.join(ENDPOINTS)}.")
    if (window := body.required_text("completion_window")) != WINDOW:
        body.refuse("completion_window", f"must be '{WINDOW}', not {window!r}.")
    lifetime = read_lifetime(body.object("output_expires_after"))
    metadata = read_metadata(body)
    body.done()
    _check_file(use, file_id)
    return NewBatch(endpoint=endpoint, input_file_id=file_id, output_lifetime=lifetime, metadata=metadata)


def _check_file(use: Services, file_id: str) -> None:
    param = "input_file_id"
    file = require_file(use.store, param, file_id, purpose="batch")
    if file.bytes > LARGEST_FILE:
        message = f"The file has {file.bytes >> 20} MB; a batch reads at most {LARGEST_FILE >> 20}."
        raise ApiError(message, code="invalid_file", param=param)


def _find(use: Services, batch_id: str) -> StoredBatch:
    batch = use.store.batches.get(batch_id)
    if batch is None:
        raise not_found("batch", batch_id, use.store.batches.names(), param="batch_id")
    return batch
