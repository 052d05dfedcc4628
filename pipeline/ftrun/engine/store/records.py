"""The rows of the database as values: files, uploads, jobs, events, checkpoints, models, aliases, batches."""

from __future__ import annotations

import json
import secrets
import string
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from sqlite3 import Row
from typing import Any, Literal, TypeVar

from ftrun.engine.backends import NumberFormat
from ftrun.protocol.spec import Method

MOST_NAMES = 500  # that a mistyped one is compared with
ALPHABET = string.ascii_letters + string.digits
# columns that hold JSON in the database and values here
JSON_COLUMNS = frozenset({"hyperparameters", "grader", "metadata", "error", "errors", "data", "metrics"})

Status = Literal[
    "validating_files", "queued", "running", "pausing", "paused", "succeeded", "failed", "cancelled"
]
MOVING: tuple[Status, ...] = ("validating_files", "queued", "running", "pausing")
RESTING: tuple[Status, ...] = ("pausing", "paused")
UNFINISHED: tuple[Status, ...] = (*MOVING, "paused")
BatchStatus = Literal[
    "validating", "failed", "in_progress", "finalizing", "completed", "expired", "cancelling", "cancelled"
]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """An uploaded file, or a result file. Times are Unix seconds, `bytes` its size."""

    seq: int
    id: str
    filename: str
    purpose: str
    bytes: int
    sha256: str
    created_at: int
    expires_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredUpload:
    """An upload in parts: `bytes` as announced, the `lifetime` of its file in seconds, later `file_id`."""

    seq: int
    id: str
    filename: str
    purpose: str
    bytes: int
    lifetime: int | None
    created_at: int
    expires_at: int
    status: Literal["pending", "completed", "cancelled", "expired"]
    file_id: str | None

    @property
    def standing(self) -> str:
        """Return the current status: a pending upload expires by itself."""
        late = self.status == "pending" and self.expires_at <= now()
        return "expired" if late else self.status


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPart:
    """A part of an upload."""

    seq: int
    id: str
    upload_id: str
    bytes: int
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """What a checked request asks for; file ids are those of this store.

    `model` is the base model, `continue_from` the tuned model that training starts from, `alias` the name by
    which the request asked for one of them. `grader` is that of reinforcement, which is kept, but never used.
    """

    model: str
    training_file: str
    validation_file: str | None
    hyperparameters: Mapping[str, Any]
    seed: int
    suffix: str | None
    metadata: Mapping[str, str] | None
    continue_from: str | None = None
    alias: str | None = None
    method: Method = "supervised"
    grader: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob(NewJob):
    """A fine-tuning job as the store keeps it: what was asked for, and how it went.

    `model_name` is the name that its model will have, `pid` the id of its process while one runs, `dtype` the
    number format in which it began to train.
    """

    seq: int
    id: str
    created_at: int
    finished_at: int | None
    status: Status
    error: Mapping[str, Any] | None
    model_name: str
    fine_tuned_model: str | None
    result_file: str | None
    trained_tokens: int | None
    estimated_finish: int | None
    attempts: int
    pid: int | None
    dtype: NumberFormat | None

    @property
    def finished(self) -> bool:
        """Return whether the job has ended."""
        return self.status not in UNFINISHED


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """Something that happened to a job."""

    seq: int
    id: str
    job_id: str
    created_at: int
    level: Literal["info", "warn", "error"]
    message: str
    type: Literal["message", "metrics"]
    data: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCheckpoint:
    """A usable state of a model after `step` steps; `name` is its name as a model."""

    seq: int
    id: str
    job_id: str
    created_at: int
    step: int
    name: str
    metrics: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A fine-tuned model or one of its checkpoints: an adapter that chat adds to the base model `base`."""

    seq: int
    id: str
    job_id: str
    base: str
    kind: Literal["model", "checkpoint"]
    folder: str
    created_at: int

    @property
    def path(self) -> Path:
        """Return the folder that chat loads."""
        return Path(self.folder)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAlias:
    """A name that stands for the base model or tuned model `model`."""

    name: str
    model: str
    created_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBatch:
    """A file of requests that are answered one after the other, and how far that is.

    `errors` say why the file can't be used; `output_lifetime` is that of the files that it makes, in seconds.
    """

    seq: int
    id: str
    created_at: int
    expires_at: int
    endpoint: str
    input_file_id: str
    output_lifetime: int | None
    metadata: Mapping[str, str] | None
    status: BatchStatus
    errors: Sequence[Mapping[str, Any]] | None
    model: str | None
    total: int
    completed: int
    failed: int
    input_tokens: int
    output_tokens: int
    output_file_id: str | None
    error_file_id: str | None
    in_progress_at: int | None
    finalizing_at: int | None
    completed_at: int | None
    failed_at: int | None
    expired_at: int | None
    cancelling_at: int | None
    cancelled_at: int | None


Stored = TypeVar(
    "Stored",
    StoredAlias,
    StoredFile,
    StoredJob,
    StoredEvent,
    StoredCheckpoint,
    StoredModel,
    StoredUpload,
    StoredPart,
    StoredBatch,
)


def from_row(kind: type[Stored], row: Row) -> Stored:
    """Return a database row as a value of this kind."""
    values = {field.name: _value(field.name, row[field.name]) for field in fields(kind)}
    return kind(**values)


def _value(column: str, value: Any) -> Any:
    return json.loads(value) if column in JSON_COLUMNS and value is not None else value


def new_id(prefix: str, length: int = 24) -> str:
    """Return a new id such as `ftjob-…`."""
    return f"{prefix}-{random_name(length)}"


def random_name(length: int) -> str:
    """Return `length` random letters and digits."""
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def now() -> int:
    """Return the time in whole Unix seconds, as the API counts it."""
    return int(time.time())
