"""What the runner knows of a fine-tuning service: plain data in, plain data out, no SDK type."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any, Protocol

from ftrun.errors import DecisionError, FtrunError, PendingError

SUCCEEDED = "succeeded"
# codes of errors that a later call may not meet
TRANSIENT = ("unreachable", "api_error", "rate_limited", "unreadable_answer")
READING = 40.0  # seconds for all calls of a command that only looks: it must end within a minute
LIMITS = ("daily_limit", "queue_full")  # refusals that pass by themselves: no error of anybody
SAID = (*LIMITS, "not_eligible", "quota")  # refusals with a code of their own
Changes = dict[str, str | None]  # of a chat request: what the server refuses -> what is sent, None: nothing
UNUSABLE = ("error", "failed", "deleted", "expired", "cancelled")  # statuses of a file
DEAD = ("failed", "cancelled")  # every other status, also one we never heard of, is "not finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """A file at the target. Times are Unix seconds."""

    id: str
    name: str
    bytes: int
    purpose: str = ""
    status: str | None = None
    status_details: str | None = None
    created_at: int | None = None
    expires_at: int | None = None

    @property
    def processed(self) -> bool:
        """Return whether the server is done with it; one that tells no status is."""
        return self.status in ("processed", None)

    @property
    def refused(self) -> bool:
        """Return whether no job can ever read it."""
        return self.status in UNUSABLE


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteUpload:
    """A file that is coming in parts; `expires_at` in Unix seconds."""

    id: str
    expires_at: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteModel:
    """A model at the target. `shutdown_date` as it is told; `fine_tunable` None: the server doesn't say;
    `training_ends` in Unix seconds.
    """

    id: str
    created_at: int | None = None
    owned_by: str | None = None
    shutdown_date: str | None = None
    fine_tunable: bool | None = None
    training_ends: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRequest:
    """What a job is created from; file ids are the server's, `file_names` the names of these files by id.
    `own_hyperparameters` are the service's own.
    """

    model: str
    training_file: str
    validation_file: str | None
    hyperparameters: Mapping[str, Any]
    seed: int | None
    suffix: str | None
    metadata: Mapping[str, str]
    extra_body: Mapping[str, Any] = field(default_factory=dict)
    own_hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    method: str = "supervised"
    grader: Mapping[str, Any] | None = None
    file_names: Mapping[str, str] = field(default_factory=dict)

    def with_metadata(self, **pairs: str) -> JobRequest:
        """Return the same request with more metadata."""
        return replace(self, metadata={**self.metadata, **pairs})


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A fine-tuning job as the server tells it. Times are Unix seconds."""

    id: str
    status: str
    model: str
    training_file: str
    validation_file: str | None = None
    suffix: str | None = None
    fine_tuned_model: str | None = None
    error: str | None = None
    error_code: str | None = None
    created_at: int | None = None
    finished_at: int | None = None
    estimated_finish: int | None = None
    trained_tokens: int | None = None
    seed: int | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    result_files: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def succeeded(self) -> bool:
        """Return whether training ended well."""
        return self.status == SUCCEEDED

    @property
    def dead(self) -> bool:
        """Return whether the job ended without a model."""
        return self.status in DEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event of a job; `data` holds the metrics of a step where there are any."""

    id: str
    created_at: int
    level: str
    message: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """The server made the job."""

    job: Job


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCreated:
    """The server certainly made no job: it refused, or the request never left.

    `code` says why; `retry_after`: seconds that the server asks to wait.
    """

    reason: str
    hint: str | None = None
    code: str = "not_created"
    retry_after: float | None = None

    def as_error(self) -> FtrunError:
        """Return what ends the run: a limit is no failure (come back), a closed service is a decision."""
        kind = PendingError if self.code in LIMITS else FtrunError
        return (DecisionError if self.code == "not_eligible" else kind)(
            f"the job was not created: {self.reason}",
            code=self.code if self.code in SAID else "not_created",
            hint=self.hint or "Mend the cause and run the same command again: nothing was paid.",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unclear:
    """Nobody can tell from the answer whether a job was made."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer of a model; `usage` counts tokens, `seconds` is wall time; `cut`: it reached its longest."""

    text: str
    usage: Mapping[str, int]
    seconds: float
    cut: bool = False


class Service(Protocol):
    """A connected server of the fine-tuning protocol.

    A call that fails raises a ServiceError; one about a file, job or model that the server lacks raises
    a NotFoundError.
    """

    honours_keys: bool  # whether a create may be repeated under the same Idempotency-Key
    changes: dict[str, Changes]  # by model

    def end_within(self, seconds: float) -> None:
        """Give up every call, retries included, when `seconds` from now are over."""
        ...

    def find_file(self, name: str, size: int) -> RemoteFile | None:
        """Return a usable training file of `size` bytes whose name says that it holds them, if any."""
        ...

    def file(self, file_id: str) -> RemoteFile:
        """Return the file; NotFoundError if the server doesn't have it, or no job can be made from it."""
        ...

    def file_content(self, file_id: str) -> bytes:
        """Return the bytes of a file."""
        ...

    def upload(self, source: IO[bytes], name: str) -> RemoteFile:
        """Upload what `source` holds under `name`, in one request that is sent once."""
        ...

    def look_at_file(self, file_id: str) -> RemoteFile:
        """Return the file as it is, even one that the server has refused; NotFoundError as for `file`."""
        ...

    def begin_upload(self, name: str, size: int) -> RemoteUpload:
        """Announce a file of `size` bytes that will come in parts."""
        ...

    def add_part(self, upload_id: str, data: bytes) -> str:
        """Send a part and return its id."""
        ...

    def complete_upload(self, upload_id: str, parts: list[str], md5: str) -> RemoteFile:
        """Make a file of the parts, in this order; the server compares the MD5 (hex). Sent once."""
        ...

    def cancel_upload(self, upload_id: str) -> None:
        """Give an upload up; one that is gone already is fine."""
        ...

    def find_jobs(self, request: JobRequest, *, others: Collection[str]) -> list[Job]:
        """Return the jobs with this request's spec key; where the server keeps no metadata, those that do
        the same work, save the ids in `others`.
        """
        ...

    def create_job(self, request: JobRequest, key: str) -> Created | NotCreated | Unclear:
        """POST the job once, under the Idempotency-Key `key`."""
        ...

    def job(self, job_id: str) -> Job:
        """Return the job; NotFoundError if the server doesn't have it."""
        ...

    def cancel(self, job_id: str) -> Job:
        """Ask the server to stop the job."""
        ...

    def pause(self, job_id: str) -> Job:
        """Ask the server to pause the job."""
        ...

    def resume(self, job_id: str) -> Job:
        """Ask the server to go on with a paused job."""
        ...

    def files(self) -> Iterator[RemoteFile]:
        """Yield the files of this account, newest first."""
        ...

    def jobs(self) -> Iterator[Job]:
        """Yield the jobs of this account, newest first."""
        ...

    def models(self) -> list[RemoteModel]:
        """Return the models of this account."""
        ...

    def model(self, name: str) -> RemoteModel:
        """Return the model; NotFoundError if the server doesn't have it."""
        ...

    def expect_soon(self, model: str) -> None:
        """Note that `model` was made just now: it may take a while until it answers."""
        ...

    def delete_file(self, file_id: str) -> None:
        """Delete a file."""
        ...

    def delete_model(self, name: str) -> None:
        """Delete a tuned model."""
        ...

    def events(self, job_id: str, *, newest: int = 50) -> list[Event]:
        """Return the newest events, oldest first."""
        ...

    def checkpoints(self, job_id: str) -> list[Mapping[str, Any]]:
        """Return the checkpoints: step, model, metrics."""
        ...

    def result_csv(self, file_id: str) -> str:
        """Return the text of a result file; base64 is undone."""
        ...

    def chat(self, model: str, messages: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any]) -> Reply:
        """Ask `model` once."""
        ...

    def chat_stream(
        self, model: str, messages: Sequence[Mapping[str, Any]], sampling: Mapping[str, Any]
    ) -> Iterator[str]:
        """Ask `model` and yield the answer in pieces."""
        ...

    def close(self) -> None:
        """Close connections."""
        ...
