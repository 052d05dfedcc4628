"""/v1/fine_tuning/jobs: create, list, retrieve, cancel, pause, resume, events, checkpoints."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import JSONResponse

from ftrun.engine.api.body import Body, json_body
from ftrun.engine.api.errors import ApiError
from ftrun.engine.api.idempotency import answer_once
from ftrun.engine.api.job_request import read_new_job
from ftrun.engine.api.lookup import find_job
from ftrun.engine.api.objects import checkpoint_object, event_object, job_object, list_object
from ftrun.engine.api.services import Services, services
from ftrun.engine.store.records import RESTING, UNFINISHED

router = APIRouter(prefix="/v1/fine_tuning/jobs")
Use = Annotated[Services, Depends(services)]
Limit = Annotated[int, Query(ge=1, le=100)]


@router.post("")
def create(use: Use, request: Request, body: Annotated[Body, Depends(json_body)]) -> JSONResponse:
    """Create a job, or repeat the first answer if the Idempotency-Key is known."""

    def act() -> dict[str, Any]:
        new = read_new_job(body, use.store)
        if use.store.jobs.count(*UNFINISHED) >= use.most_jobs:
            message = (
                f"There are already {use.most_jobs} unfinished jobs, which is the quota of this engine. Wait "
                "for some, cancel some, or start the engine with a larger FTRUN_ENGINE_JOBS."
            )
            raise ApiError(message, status=429, code="too_many_jobs")
        return job_object(use.store.jobs.create(new))

    answer = answer_once(request, body.values, act)
    use.executor.wake()
    return answer


@router.get("")
def list_jobs(use: Use, request: Request, limit: Limit = 20, after: str | None = None) -> dict[str, Any]:
    """List jobs, newest first; `metadata[key]=value` filters, `metadata=null` takes those without."""
    wanted: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name.startswith("metadata[") and name.endswith("]"):
            wanted[name[len("metadata[") : -1]] = value
    bare = request.query_params.get("metadata") == "null"
    return list_object(
        lambda: use.store.jobs.page(metadata=wanted, without_metadata=bare, limit=limit, after=after),
        job_object,
    )


@router.get("/{job_id}")
def retrieve(use: Use, job_id: str) -> dict[str, Any]:
    """Return a job."""
    return job_object(find_job(use.store, job_id))


@router.delete("/{job_id}")
def delete(use: Use, job_id: str) -> dict[str, Any]:
    """Refuse: jobs are kept, as in the API; say what can be deleted or cancelled instead."""
    job = find_job(use.store, job_id)
    if not job.finished:
        way = f"cancel it with POST /v1/fine_tuning/jobs/{job.id}/cancel."
    elif job.fine_tuned_model is None:
        way = "it has no model and takes no room."
    else:
        way = f"delete its model with DELETE /v1/models/{job.fine_tuned_model}."
    refused = ApiError(f"Jobs can't be deleted; {way}", status=405)
    refused.headers["allow"] = "GET"
    raise refused


@router.post("/{job_id}/cancel")
def cancel(use: Use, job_id: str) -> dict[str, Any]:
    """Cancel a job that has not ended; cancelling it again changes nothing."""
    find_job(use.store, job_id)
    use.store.jobs.cancel(job_id)
    job = find_job(use.store, job_id)
    if job.status != "cancelled":
        raise ApiError(f"Job {job_id} has already {job.status}.", code="job_already_finished")
    use.executor.wake()
    return job_object(job)


@router.post("/{job_id}/pause")
def pause(use: Use, job_id: str) -> dict[str, Any]:
    """Pause a job at a checkpoint; pausing it again changes nothing."""
    job = find_job(use.store, job_id)
    if not use.store.jobs.pause(job_id) and job.status not in RESTING:
        raise ApiError(f"Job {job_id} has already {job.status}.", code="job_already_finished")
    use.executor.wake()
    return job_object(find_job(use.store, job_id))


@router.post("/{job_id}/resume")
def resume(use: Use, job_id: str) -> dict[str, Any]:
    """Resume a paused job; resuming one that is not paused changes nothing."""
    job = find_job(use.store, job_id)
    if not use.store.jobs.resume(job_id) and job.finished:
        raise ApiError(f"Job {job_id} has already {job.status}.", code="job_already_finished")
    use.executor.wake()
    return job_object(find_job(use.store, job_id))


@router.get("/{job_id}/events")
def events(use: Use, job_id: str, limit: Limit = 20, after: str | None = None) -> dict[str, Any]:
    """List a job's events, newest first."""
    find_job(use.store, job_id)
    return list_object(lambda: use.store.jobs.events(job_id, limit=limit, after=after), event_object)


@router.get("/{job_id}/checkpoints")
def checkpoints(use: Use, job_id: str, limit: Limit = 10, after: str | None = None) -> dict[str, Any]:
    """List a job's checkpoints, newest first."""
    find_job(use.store, job_id)
    return list_object(
        lambda: use.store.jobs.checkpoints(job_id, limit=limit, after=after), checkpoint_object
    )
