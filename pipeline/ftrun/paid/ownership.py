"""Whether the job under an id that we know is ours: a server that was set up again reuses ids, and a gateway
may answer with somebody else's job. Asks about files, creates nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ftrun.errors import DecisionError
from ftrun.state import JobRecord, State
from ftrun.targets import Job, Service, get_or_none
from ftrun.targets.matching import is_another, key_of, other_model, same_content


def why_another(
    state: State,
    service: Service,
    job: Job,
    key: str,
    spec: Mapping[str, Any],
    *,
    just_made: bool = False,
) -> str | None:
    """Return in words why a job is not the one of this spec key, None where nothing contradicts that.

    Its spec key decides. Without one, model and files are compared, files by their content: a file may have
    been uploaded again since, or be gone, but a job that was `just_made` has the files of its request.
    """
    carried = key_of(job)
    if carried is not None:
        return None if carried == key else "was made for another configuration"
    wrong = other_model(job, spec.get("continue from") or spec.get("model") or "")
    if wrong is not None:
        return wrong
    for role, file_id, data in (
        ("train", job.training_file, "training data"),
        ("validation", job.validation_file, "validation data"),
    ):
        if file_id and _is_other_file(state, service, file_id, role, spec.get(data), just_made):
            return f"was made from another file ({file_id})"
    return None


def _is_other_file(
    state: State, service: Service, file_id: str, role: str, sha: str | None, just_made: bool
) -> bool:
    """Return whether the file of a job is another than the upload of the bytes with this hash."""
    upload = state.uploads.get(sha or "")
    if not sha or (just_made and upload is not None and file_id == upload.file_id):
        return just_made and not sha
    # after a lost state only the hash is known, which the name of an upload has
    name, size = (upload.name, upload.bytes) if upload else (f"-{role}-{sha[:16]}.jsonl", 0)
    if same_content(file_id, name):  # its name has the hash
        return False
    file = get_or_none(service.file, file_id)
    return just_made if file is None else is_another(file, name, size)


def is_ours(state: State, service: Service, job: Job, key: str) -> bool:
    """Return whether a job that the state knows under this spec key is still the one that it knew."""
    return why_another(state, service, job, key, _compared(state.jobs[key])) is None


def require_ours(state: State, service: Service, job: Job) -> None:
    """Return if the job is still the one that the state knows under its id; DecisionError if not."""
    records = [
        (key, record) for key, record in state.jobs.items() if job.id in (record.job_id, *record.duplicates)
    ]
    wrong = [why_another(state, service, job, key, _compared(record)) for key, record in records]
    if wrong and None not in wrong:  # an id that was given twice is two jobs of ours
        raise DecisionError(
            f"job {job.id} at the target is not the one that was created here: it {wrong[0]}. "
            "The server may have been set up again; nothing was sent",
            code="not_this_job",
            hint="If ours has another id: `ftrun adopt CONFIG JOB_ID`. If it is gone for good, "
            "`ftrun run CONFIG --force train` creates another.",
        )


def _compared(record: JobRecord) -> Mapping[str, Any]:
    """Return what a recorded job is compared by: adopting one accepts the name of its model."""
    names = ("continue from", "model")
    return {name: value for name, value in record.spec.items() if not record.adopted or name not in names}
