"""Owns the questions whether a job that carries none of our metadata does the work of a request, and whether
a file of another name holds the same bytes.
"""

from __future__ import annotations

import re
from typing import Any

from ftrun.targets.service import Job, JobRequest, RemoteFile

SNAPSHOT = re.compile(r"-(\d{4}-\d{2}-\d{2}|\d{4})")  # what an alias gets behind it: a date, older ones MMDD


CONTENT = re.compile(r"-(?:train|validation)-[0-9a-f]{16,64}\.jsonl\Z")  # how the name of an upload ends


def same_content(one: str, other: str) -> bool:
    """Tell whether two names of uploads say that they hold the same bytes, whichever experiment they name."""
    found, wanted = CONTENT.search(one), CONTENT.search(other)
    return found is not None and wanted is not None and found[0] == wanted[0]


def is_of(file: RemoteFile, name: str, size: int) -> bool:
    """Tell whether a file holds the bytes that an upload of this name and size would."""
    return file.bytes == size and (file.name == name or same_content(file.name, name))


def same_model(asked: str, told: str) -> bool:
    """Tell whether a server that was asked for `asked` may answer with `told`, the snapshot of an alias."""
    return told == asked or (
        told.startswith(asked) and SNAPSHOT.fullmatch(told.removeprefix(asked)) is not None
    )


def same_work(job: Job, request: JobRequest) -> bool:
    """Tell whether `job` was asked for with `request`, by all that the server tells of it.

    What a server leaves out can't speak against a job; a hyperparameter that was asked for as `auto` may
    have become any number.
    """
    same_files = (job.training_file, job.validation_file) == (request.training_file, request.validation_file)
    same_suffix = job.suffix is None or job.suffix == request.suffix
    same_seed = job.seed is None or request.seed is None or job.seed == request.seed
    return (
        same_model(request.model, job.model)
        and same_files
        and same_suffix
        and same_seed
        and not contradictions(job, request)
    )


def contradictions(job: Job, request: JobRequest) -> list[str]:
    """Return the hyperparameters that the job certainly has another value of."""
    told = job.hyperparameters
    return [name for name, asked in request.hyperparameters.items() if _differs(asked, told.get(name))]


def _differs(asked: Any, told: Any) -> bool:
    return asked != "auto" and told is not None and asked != told
