"""The calls about fine-tuning jobs. The POST that creates one is sent once: no retries, no redirects, on its
own connection. Reads may be retried.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import httpx2
import openai

from ftrun.errors import FtrunError
from ftrun.targets.api.connection import Connection, calling, every
from ftrun.targets.api.failures import outcome_of
from ftrun.targets.api.reading import checkpoint_of, event_of, job_of
from ftrun.targets.matching import SPEC_KEY, key_of, same_file, same_work
from ftrun.targets.service import Created, Event, Job, JobRequest, NotCreated, Unclear

# seconds: an answer that comes later counts as unclear
CREATE_TIMEOUT = httpx2.Timeout(120.0, connect=10.0)


class JobCalls(Connection):
    """The calls about fine-tuning jobs."""

    def find_jobs(self, request: JobRequest, *, others: Collection[str]) -> list[Job]:
        """Return the jobs with this spec key; if the server keeps no metadata, those of the same work."""
        spec = request.metadata[SPEC_KEY]
        with calling("looking for earlier jobs"):
            found = self._filtered(spec)
            if found:
                return found
            # a server may ignore or refuse the filter, or strip metadata: look at all jobs
            everything = list(self._jobs())
        if found := _with_key(everything, spec):
            return found
        # even if other jobs have a key: a gateway in front of one machine may strip it
        sent = as_sent(request, self.capabilities)
        unmarked = [job for job in everything if key_of(job) is None and job.id not in others]
        found = [job for job in unmarked if same_work(job, sent)]
        # a job that shows our validation file is a better match than one that shows none
        return [job for job in found if same_file(job.validation_file, sent.validation_file, sent)] or found

    def _filtered(self, spec: str) -> list[Job]:
        try:
            return _with_key(self._jobs(metadata={SPEC_KEY: spec}), spec)
        except (openai.BadRequestError, openai.UnprocessableEntityError):
            return []

    def jobs(self, *, after: str | None = None) -> Iterator[Job]:
        """Yield the jobs of this account, newest first, page by page; `after`: those that follow this id."""
        with calling("listing jobs"):
            yield from self._jobs(**({} if after is None else {"after": after}))

    def _jobs(self, **filters: Any) -> Iterator[Job]:
        return map(job_of, every(self._client.fine_tuning.jobs.list(limit=100, **filters)))

    def create_job(self, request: JobRequest, key: str) -> Created | NotCreated | Unclear:
        """POST the job once, under the Idempotency-Key `key`."""
        once = self._make_client(0)
        try:
            made = once.fine_tuning.jobs.create(
                **create_arguments(request, self.capabilities),
                extra_headers={"Idempotency-Key": key, "Connection": "close"},
                timeout=CREATE_TIMEOUT,
            )
        except FtrunError as error:  # no token, which is fetched before anything is sent
            return NotCreated(reason=str(error), hint=error.problem.hint)
        except Exception as error:  # whatever happened, the question is only whether a job was created
            return outcome_of(error)
        finally:
            once.close()
        try:
            return Created(job=job_of(made))
        except ValueError:
            return Unclear(reason="the server reported success, but named no job")

    def job(self, job_id: str) -> Job:
        """Return the job; NotFoundError if the server doesn't have it."""
        with calling(f"asking for job {job_id}"):
            job = job_of(self._client.fine_tuning.jobs.retrieve(job_id))
        if job.succeeded and job.fine_tuned_model:
            self.expect_soon(job.fine_tuned_model)
        return job

    def cancel(self, job_id: str) -> Job:
        """Ask the server to stop the job."""
        with calling(f"cancelling job {job_id}"):
            return job_of(self._client.fine_tuning.jobs.cancel(job_id))

    def pause(self, job_id: str) -> Job:
        """Ask the server to pause the job."""
        with calling(f"pausing job {job_id}"):
            return job_of(self._client.fine_tuning.jobs.pause(job_id))

    def resume(self, job_id: str) -> Job:
        """Ask the server to resume a paused job."""
        with calling(f"resuming job {job_id}"):
            return job_of(self._client.fine_tuning.jobs.resume(job_id))

    def events(self, job_id: str, *, newest: int = 50) -> list[Event]:
        """Return the newest events, oldest first; none if the server has no such list."""
        with calling(f"asking for the events of {job_id}"):
            try:
                page = self._client.fine_tuning.jobs.list_events(job_id, limit=min(newest, 100))
            except openai.NotFoundError:
                return []
            found = [event_of(raw) for raw in islice(every(page), newest)]
        found.reverse()  # servers list the newest first, and events of one second must keep their order
        return sorted(found, key=lambda event: event.created_at)

    def checkpoints(self, job_id: str) -> list[Mapping[str, Any]]:
        """Return the checkpoints: step, model, metrics; none if the server has no such list."""
        with calling(f"asking for the checkpoints of {job_id}"):
            try:
                page = self._client.fine_tuning.jobs.checkpoints.list(job_id, limit=100)
            except openai.NotFoundError:
                return []
            found = [checkpoint_of(raw) for raw in every(page)]
        return sorted(found, key=lambda point: int(point["step"]))


def _with_key(jobs: Iterable[Job], spec: str) -> list[Job]:
    return [job for job in jobs if key_of(job) == spec]


def as_sent(request: JobRequest, capabilities: Mapping[str, str]) -> JobRequest:
    """Return the request without what the service doesn't take: our jobs there have another value or none."""
    seed = None if capabilities.get("seed") == "left_out" else request.seed
    suffix = None if capabilities.get("suffix") == "left_out" else request.suffix
    validation = None if capabilities.get("validation_file") == "left_out" else request.validation_file
    return replace(request, seed=seed, suffix=suffix, validation_file=validation)


def create_arguments(request: JobRequest, capabilities: Mapping[str, str]) -> dict[str, Any]:
    """Return the arguments of the SDK's `create`; `capabilities` are the service's."""

    def sent(name: str) -> bool:
        return capabilities.get(name, "sent") == "sent"

    request = as_sent(request, capabilities)
    optional = {
        "validation_file": request.validation_file,
        "seed": request.seed,
        "suffix": request.suffix,
        "metadata": dict(request.metadata) if sent("metadata") else None,
        "extra_body": dict(request.extra_body) or None,
    }
    return {
        "model": request.model,
        "training_file": request.training_file,
        **_method(request, _hyperparameters(request, sent("auto")), sent("method")),
        **{name: value for name, value in optional.items() if value is not None},
    }


def _hyperparameters(request: JobRequest, auto: bool) -> dict[str, Any]:
    asked = request.hyperparameters.items()
    kept = {name: value for name, value in asked if auto or value != "auto"}
    return {**kept, **request.own_hyperparameters}


def _method(request: JobRequest, hyperparameters: Mapping[str, Any], newer: bool) -> dict[str, Any]:
    if not newer:
        return {"hyperparameters": dict(hyperparameters)}
    settings: dict[str, Any] = {"hyperparameters": dict(hyperparameters)}
    if request.grader is not None:
        settings["grader"] = dict(request.grader)
    return {"method": {"type": request.method, request.method: settings}}
